"""Run folders that are damaged, or cannot be written: a sentence, and never a wrong turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import ENV, SMALL, files

from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.errors import RunError
from pyvae.training import RunFolder, Trainer, build, checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    run: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    again = ["train", "--resume", str(run), "--steps"]
    assert main([*again, "9", "--quiet"]) == 0
    last, before = run / "checkpoint.safetensors", run / "checkpoint-before.safetensors"
    states = [checkpoint.load(path)[1]["step"] for path in (before, last)]
    assert states == [6, 9]
    whole = files(run)
    for damaged in (whole[last.name][:-50], b"", None):
        last.unlink(missing_ok=True)
        if damaged is not None:
            last.write_bytes(damaged)
        before.write_bytes(whole[before.name])
        capsys.readouterr()
        assert main([*again, "12"]) == 0
        said = capsys.readouterr().err
        assert f"{last.name} is " in said and "the state before it, after 6 steps" in said
        rows = (run / "metrics.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["step", "6", "12"]
    for path in (last, before):
        path.write_bytes(b"")
    assert "is cut short or damaged" in refused(*again, "20")


def test_what_was_left_half_written_is_removed(run: Path) -> None:
    (run / ".model.safetensors.abc.unfinished").write_bytes(b"half")
    (run / "best" / "3").mkdir(parents=True)
    (run / "best" / "3" / ".config.json.x.unfinished").write_bytes(b"half")
    assert main(["train", "--resume", str(run), "--steps", "8", "--quiet"]) == 0
    assert not [path for path in run.rglob("*") if path.name.endswith("unfinished")]


def test_a_folder_that_has_gone_is_not_made_again(tmp_path: Path) -> None:
    """A disk that is no longer mounted leaves an empty place, which is not the run's."""
    config = TrainConfig(steps=3, encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    parts, folder = build(config), RunFolder(tmp_path / "run")
    trainer = Trainer(config, parts, folder, quiet=True)
    folder.create(config, parts.model, {}, state=trainer.state.capture())
    for again in (False, True):
        if again:
            (tmp_path / "run").mkdir()
        else:
            (tmp_path / "run").rename(tmp_path / "elsewhere")
        with pytest.raises(RunError, match="has gone while it was written"):
            trainer.save()
    assert not list((tmp_path / "run").iterdir())
    folder.release()


def test_resuming_without_a_checkpoint_is_refused(run: Path, refused: Callable[..., str]) -> None:
    (run / "checkpoint.safetensors").unlink()
    before = files(run)
    for more in ([], ["--steps", "20"]):
        said = refused("train", "--resume", str(run), *more)
        assert "cannot be continued: checkpoint.safetensors is missing" in said
        assert f"--out {run} --overwrite" in said
    assert files(run) == before


@pytest.mark.parametrize(
    "written", ["train.json", "model.safetensors", "results.json", "curve.png"]
)
def test_a_full_disk_is_one_sentence(
    written: str, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full when this file is written: of the new folder, while training, after it."""
    out, fsync = tmp_path / "run", os.fsync

    def full(handle: int) -> None:
        if out.joinpath(written).exists() or list(tmp_path.rglob(f".{written}.*")):
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    said = refused("train", "--out", str(out), *SMALL)
    assert f"cannot write the run folder {out}: No space left on device" in said
    monkeypatch.undo()
    if written == "train.json":
        assert list(tmp_path.iterdir()) == []
        return
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    if written == "curve.png":  # training has come to its end
        assert main(["plot", str(out)]) == 0
    else:
        assert main(["train", "--resume", str(out), "--quiet"]) == 0


GARBAGE = [b"", b"\x00\xff garbage \x00", b"[[[[", b"[" * 100_000, b"null", b'{"settings": 3}']


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("name", ["train.json", "config.json", "metrics.csv", "checkpoint"])
def test_garbage_is_one_sentence(
    name: str, content: bytes, run: Path, refused: Callable[..., str]
) -> None:
    if name == "metrics.csv" and content in (b"", b"null"):
        pytest.skip("an empty file, or one of a header alone, is no garbage")
    path = run / {"checkpoint": "checkpoint.safetensors"}.get(name, name)
    path.write_bytes(content)
    before = files(run)
    if name in ("metrics.csv", "checkpoint"):
        assert path.name in refused("train", "--resume", str(run), "--steps", "9")
    else:
        assert path.name in refused("evaluate", str(run))
    if name == "metrics.csv":
        assert path.name in refused("plot", str(run))
    assert files(run).keys() == before.keys()
    assert (run / "model.safetensors").read_bytes() == before["model.safetensors"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latent_dim": "many"}, "--latent-dim must be a whole number, got 'many'"),
        ({"lr_milestones": {}}, "--lr-milestones must be a list"),
        ({"encoder_args": 3}, "--encoder-args must be a mapping"),
        ({"colour": 3}, "unknown setting 'colour'"),
        ({"encoder": "mpl"}, "unknown encoder 'mpl'"),
        ({"seed": 2**64}, "--seed must be at most"),
    ],
)
def test_wrong_types_in_train_json(
    change: dict[str, object], said: str, run: Path, refused: Callable[..., str]
) -> None:
    record = json.loads((run / "train.json").read_text())
    record["settings"] |= change
    (run / "train.json").write_text(json.dumps(record))
    assert said in refused("train", "--resume", str(run), "--steps", "9")


def test_a_flipped_bit_in_a_run(run: Path, refused: Callable[..., str]) -> None:
    for name, command in (
        ("model.safetensors", ["evaluate", str(run)]),
        ("checkpoint.safetensors", ["train", "--resume", str(run), "--steps", "9", "--quiet"]),
    ):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
        assert f"{name} is damaged" in refused(*command)
        assert main([*command, "--ignore-fingerprints"]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of files are those of POSIX")
@pytest.mark.parametrize("kilobytes", [8, 24, 40])
def test_a_disk_that_fills_up_in_a_real_process(kilobytes: int, tmp_path: Path) -> None:
    """No file may grow beyond a size: metrics, events, weights and pictures fail where they do."""
    command = f"ulimit -f {kilobytes}; exec {sys.executable} -m pyvae train --out run"
    small = " ".join([*SMALL, "--log-every 1"]).replace("--steps 6", "--steps 400")
    small = small.replace("hidden=16", "hidden=8")
    done = subprocess.run(
        ["bash", "-c", f"{command} {small}"], cwd=tmp_path, env=ENV, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "pyvae: error: cannot write the run folder run: File too large\n"
    run = tmp_path / "run"
    if kilobytes == 8:
        assert list(tmp_path.iterdir()) == []
    else:
        assert not [path.name for path in run.iterdir() if path.name.startswith(".")]
        assert main(["train", "--resume", str(run), "--steps", "400", "--quiet"]) == 0
