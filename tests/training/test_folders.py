"""Run folders: one run in each, one writer, and never a wrong turn when one goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pyvae
from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.errors import RunError, UserError
from pyvae.training import RunFolder, Trainer, build, checkpoint
from pyvae.training import claim as claim_module
from pyvae.training.claim import TakenError, free_names
from pyvae.training.lock import FolderLock

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "6", "--eval-samples", "0"]
HOME = str(Path(pyvae.__file__).parents[1])
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": HOME}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--out", str(out), *SMALL]) == 0
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a small run, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


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


def test_runs_that_start_at_the_same_moment_have_a_folder_each(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pyvae", "train", *SMALL, "--seed"]
    running = [
        subprocess.Popen([*command, str(seed)], cwd=tmp_path, env=ENV, stdout=subprocess.DEVNULL)
        for seed in range(3)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    runs = list((tmp_path / "runs").iterdir())
    assert {path.name for path in runs} == {"digits", "digits-2", "digits-3"}
    seeds = set()
    for path in runs:
        settings = json.loads((path / "train.json").read_text())["settings"]
        seeds.add(settings["seed"])
        assert json.loads((path / "results.json").read_text())["step"] == 6
        assert len((path / "metrics.csv").read_text().splitlines()) == 2
    assert seeds == {0, 1, 2}


def make(path: Path, **options: bool) -> RunFolder:
    config = TrainConfig(encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    folder = RunFolder(path)
    folder.create(config, build(config).model, {}, **options)
    return folder


def test_a_name_is_claimed_once(tmp_path: Path) -> None:
    first = make(tmp_path / "a")
    with pytest.raises(
        TakenError, match=f"a exists, and is being written by process {os.getpid()}"
    ):
        make(tmp_path / "a")
    assert next(free_names(str(tmp_path / "a"))) == tmp_path / "a-2"
    (tmp_path / "a-2").symlink_to("nowhere")
    assert next(free_names(str(tmp_path / "a"))) == tmp_path / "a-3"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    first.release()
    with pytest.raises(TakenError, match="a exists; choose another"):
        make(tmp_path / "a")


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a"), RunFolder(tmp_path / "a")
    for attempt in (second.lock, lambda: make(tmp_path / "a", overwrite=True)):
        with pytest.raises(RunError, match=f"a is being written by process {os.getpid()} on "):
            attempt()
    assert (tmp_path / "a" / "train.json").is_file()
    first.release()
    second.lock()
    second.release()
    assert not (tmp_path / "a" / "lock").exists()
    make(tmp_path / "a", overwrite=True).release()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    script = "import sys, os, pathlib; from pyvae.training.lock import FolderLock as L\n"
    script += "L(pathlib.Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=ENV)
    assert done.returncode == -9 and (tmp_path / "lock").exists()
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert json.loads((tmp_path / "lock").read_text())["process"] == os.getpid()
    lock.release()


def test_two_that_resume_one_run(run: Path, refused: Callable[..., str]) -> None:
    folder = RunFolder(run)
    folder.lock()
    before = files(run)
    for more in (["--resume", str(run), "--steps", "9"], ["--out", str(run), "--overwrite"]):
        said = refused("train", *more, "--quiet")
        assert f"is being written by process {os.getpid()}" in said
    assert files(run) == before
    folder.release()
    assert main(["train", "--resume", str(run), "--steps", "9", "--quiet"]) == 0


def test_resuming_without_a_checkpoint_is_refused(run: Path, refused: Callable[..., str]) -> None:
    (run / "checkpoint.safetensors").unlink()
    before = files(run)
    for more in ([], ["--steps", "20"]):
        said = refused("train", "--resume", str(run), *more)
        assert "cannot be continued: checkpoint.safetensors is missing" in said
        assert f"--out {run} --overwrite" in said
    assert files(run) == before


def test_initial_weights_are_no_trained_model(tmp_path: Path, refused: Callable[..., str]) -> None:
    config = TrainConfig(encoder_args={"hidden": [4]}, decoder_args={"hidden": [4]})
    parts, folder = build(config), RunFolder(tmp_path / "run")
    folder.create(config, parts.model, {}, state=({"a": torch.zeros(1)}, {"step": 0}))
    folder.release()
    for command in ("evaluate", "sample", "reconstruct", "plot"):
        said = refused(command, str(folder.path))
        assert "has no trained model yet" in said and f"--resume {folder.path}" in said


def test_a_link_to_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert main(["train", "--out", str(tmp_path / "link"), *SMALL]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "results.json").is_file()
    again = ["train", "--out", str(tmp_path / "link"), *SMALL, "--overwrite", "--seed", "3"]
    assert main(again) == 0
    assert (tmp_path / "link").is_symlink()
    settings = json.loads((tmp_path / "real" / "train.json").read_text())["settings"]
    assert settings["seed"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"real", "link"}


def test_an_empty_folder_in_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """As a mounted volume is: it is filled where it is, not replaced."""
    (tmp_path / "run").mkdir()
    number = (tmp_path / "run").stat().st_ino
    assert main(["train", "--out", str(tmp_path / "run"), *SMALL]) == 0
    assert (tmp_path / "run").stat().st_ino == number


def test_what_others_put_into_an_empty_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    save = claim_module.FolderLock.acquire

    def meanwhile(lock: FolderLock) -> None:
        save(lock)
        (tmp_path / "run" / "thesis.tex").write_text("years of work")

    monkeypatch.setattr(claim_module.FolderLock, "acquire", meanwhile)
    with pytest.raises(TakenError):
        make(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_replaced_stays(
    error: BaseException, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rename, calls = files(run), os.rename, []

    def fails_once(source: Path, target: Path) -> None:
        calls.append(target)
        if target == run and len(calls) == 2:  # the old one has been set aside
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises((RunError, KeyboardInterrupt)):
        make(run, overwrite=True)
    assert files(run) == before
    assert [path.name for path in run.parent.iterdir()] == ["run"]


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


def test_what_is_recorded_of_changes(run: Path) -> None:
    assert main(["train", "--resume", str(run), "--steps", "9", "--lr", "1e-4", "--quiet"]) == 0
    record = json.loads((run / "train.json").read_text())
    assert record["settings"]["lr"] == 1e-4
    assert record["changes"] == [{"step": 6, "steps": [6, 9], "lr": [1e-3, 1e-4]}]
    assert {"pyvae", "torch", "data"} <= record.keys()


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


# Fingerprints


def matrix_file(path: Path, shift: float = 0.0) -> Path:
    h5py = pytest.importorskip("h5py")
    x = torch.randn(161, 5, generator=torch.Generator().manual_seed(0))
    x[7, 3] += shift
    with h5py.File(path, "w") as file:
        file["X"] = x.numpy()
    return path


REALS = ["--dataset-args", "values=real", "--likelihood", "gaussian", "--latent-dim", "2"]


def test_data_that_changed_are_noticed(tmp_path: Path, refused: Callable[..., str]) -> None:
    data, run = matrix_file(tmp_path / "x.h5"), str(tmp_path / "run")
    assert main(["train", "--dataset", str(data), *REALS, "--out", run, *SMALL]) == 0
    more = ["train", "--resume", run, "--quiet", "--steps"]
    assert main([*more, "8"]) == 0
    matrix_file(data, shift=0.5)
    for command in ([*more, "9"], ["evaluate", run], ["reconstruct", run, "--out", "x.npy"]):
        said = refused(*command)
        assert "the data x are not those" in said and "--ignore-fingerprints" in said
    assert main([*more, "9", "--ignore-fingerprints"]) == 0
    assert main(["evaluate", run, "--ignore-fingerprints"]) == 0
    assert main(["evaluate", run, "--dataset-args", "values=real", "x=X"]) == 0  # named on purpose


def test_a_flipped_bit_in_a_run(run: Path, refused: Callable[..., str]) -> None:
    for name, command in (
        ("model.safetensors", ["evaluate", str(run)]),
        ("checkpoint.safetensors", ["train", "--resume", str(run), "--steps", "9", "--quiet"]),
    ):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
        assert f"{name} is damaged" in refused(*command)
        assert main([*command, "--ignore-fingerprints"]) == 0


# A run folder alone


def test_a_run_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    matrix_file(tmp_path / "x.h5")
    assert main(["train", "--dataset", "x.h5", *REALS, "--out", "run", *SMALL]) == 0
    settings = json.loads((tmp_path / "run" / "train.json").read_text())["settings"]
    assert settings["dataset"] == str(tmp_path / "x.h5")
    monkeypatch.chdir("/")
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--steps", "8", "--quiet"]) == 0
    monkeypatch.chdir(tmp_path)
    again = ["train", "--resume", "run", "--dataset", "x.h5", "--steps", "9", "--quiet"]
    assert main(again) == 0


def counts_file(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    x = torch.poisson(torch.full((60, 5), 3.0), generator=torch.Generator().manual_seed(0)) + 1
    with h5py.File(path, "w") as file:
        file["X"] = x.numpy()
    return path


@pytest.mark.parametrize("kind", ["digits", "counts"])
def test_a_run_folder_alone_is_enough_to_sample(
    kind: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    import numpy as np

    data, run = tmp_path / "c.h5", str(tmp_path / "run")
    more: list[str] = []
    if kind == "counts":
        more = ["--dataset", str(counts_file(data)), "--likelihood", "negative_binomial"]
    assert main(["train", *more, "--out", run, *SMALL]) == 0
    out = ["--out", str(tmp_path / "z.npy"), "-n", "7"]
    assert main(["sample", run, *out]) == 0
    whole = np.load(tmp_path / "z.npy")
    if kind == "counts":
        assert main(["sample", run, *out, "--dataset", str(data)]) == 0
        assert np.array_equal(np.load(tmp_path / "z.npy"), whole)
        data.unlink()
    assert main(["sample", run, *out]) == 0
    assert np.array_equal(np.load(tmp_path / "z.npy"), whole)
    model = RunFolder(run).model()
    side = {name: value[:3] for name, value in RunFolder(run).test_side(model).items()}
    z = model.encode(torch.ones(3, *model.data_shape)).mean
    assert model.decode(z, **side).mean.shape == (3, *model.data_shape)
    if kind == "counts":
        assert main(["plot", run]) == 0
        (tmp_path / "run" / "side_inputs.safetensors").unlink()
        assert "samples need library" in refused("sample", run, *out)


def test_pictures_can_be_drawn_again(
    run: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    pictures = {path.name: path.read_bytes() for path in run.glob("*.png")}
    assert len(pictures) == 4
    for path in run.glob("*.png"):
        path.unlink()
    assert f"pyvae plot {run}" in refused("train", "--resume", str(run))
    assert main(["plot", str(run)]) == 0
    assert {path.name: path.read_bytes() for path in run.glob("*.png")} == pictures
    (run / "metrics.csv").unlink()
    (run / "samples.png").unlink()
    capsys.readouterr()
    assert main(["plot", str(run)]) == 0
    said = capsys.readouterr()
    assert "curve.png: metrics.csv is missing" in said.err and "samples.png" in said.out
    assert (run / "samples.png").read_bytes() == pictures["samples.png"]


def test_settings_that_cannot_be_built_are_said_before_anything_is_written(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    said = refused("train", "--latent-dim", "1000000000", "--out", str(tmp_path / "run"))
    assert "parameters, which take" in said and "GiB of memory" in said
    with pytest.raises(UserError, match="parameters, which take"):
        build(TrainConfig(encoder_args={"hidden": [10**6, 10**6]}))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_run_are_those_of_its_checkpoint(run: Path) -> None:
    weights, state = (load_file(run / f"{n}.safetensors") for n in ("model", "checkpoint"))
    assert all(torch.equal(value, state[f"losses/model.{n}"]) for n, value in weights.items())


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
