"""Run folders: one run in each, and one writer."""

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
from pyvae.training import RunFolder, build
from pyvae.training import claim as claim_module
from pyvae.training.claim import TakenError, free_names
from pyvae.training.lock import FolderLock

pytestmark = pytest.mark.usefixtures("one_thread")


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
