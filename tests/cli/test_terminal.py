"""What a person at a terminal meets: signals, progress, names, suggestions."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import pyvae
from pyvae import registry
from pyvae.cli import main
from pyvae.training import Trainer
from pyvae.training.progress import Progress

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16"]
HOME = str(Path(pyvae.__file__).parents[1])
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": HOME, "PYTHONUNBUFFERED": "1"}

pytestmark = pytest.mark.usefixtures("one_thread")


def start(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pyvae", *arguments]
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**ENV, **env},
        cwd=cwd,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


# Signals


@pytest.mark.parametrize("module", ["pyvae._command", "torch._C", "torch.nn", "pyvae.functional"])
def test_ctrl_c_while_it_is_still_importing(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pyvae", "train"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stderr=subprocess.PIPE, text=True, env=ENV
    )
    assert process.stderr is not None
    while not process.stderr.readline().rstrip().endswith(f" {module}"):
        assert process.poll() is None
    if module == "pyvae._command":
        time.sleep(0.05)  # it has been imported, and is about to be called
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said and "pyvae: interrupted" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start("train", "--out", str(run), "--steps", "1000000", "--log-every", "1", *SMALL)
    wait_for(run / "metrics.csv")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"continue with: pyvae train --resume {run}" in said and "Traceback" not in said
    assert not (run / "lock").exists()
    assert main(["evaluate", str(run), "--samples", "0"]) == 0


def test_a_terminal_that_was_closed(tmp_path: Path) -> None:
    """The signal comes, and nothing can be written any more."""
    run = tmp_path / "run"
    near, far = os.openpty()
    command = [sys.executable, "-m", "pyvae", "train", "--out", str(run), "--steps", "1000000"]
    process = subprocess.Popen(
        [*command, "--log-every", "1", *SMALL], stdin=far, stdout=far, stderr=far, env=ENV
    )
    os.close(far)
    wait_for(run / "metrics.csv")
    os.close(near)
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    assert not (run / "lock").exists()
    assert main(["evaluate", str(run), "--samples", "0"]) == 0


def test_ctrl_c_twice_saves_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, saves = Trainer.save, []

    def pressed_again(trainer: Trainer) -> None:
        signal.raise_signal(signal.SIGINT)
        save(trainer)
        signal.raise_signal(signal.SIGTERM)
        saves.append(trainer.step)

    step = Trainer._train_step

    def pressed(trainer: Trainer) -> None:
        if trainer.step == 5:
            signal.raise_signal(signal.SIGINT)
        step(trainer)

    monkeypatch.setattr(Trainer, "save", pressed_again)
    monkeypatch.setattr(Trainer, "_train_step", pressed)
    small = [*SMALL, "--quiet", "--eval-samples", "0", "--steps", "9"]
    assert main(["train", "--out", str(tmp_path / "run"), *small]) == 130
    assert saves == [6]
    monkeypatch.undo()
    assert main(["train", "--resume", str(tmp_path / "run"), "--quiet"]) == 0


@pytest.mark.parametrize("when", ["in between", "at the end"])
def test_ctrl_c_in_an_evaluation_that_would_never_end(when: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ["--eval-samples", "1000000000000", "--steps", "3" if when == "at the end" else "100"]
    more += ["--eval-every", "3"] if when == "in between" else []
    process = start("train", "--out", str(run), *more, *SMALL)
    wait_for(run / "checkpoint.safetensors")
    if when == "at the end":
        wait_for(run / "model.safetensors")
    time.sleep(1.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    assert "stopped after 3 steps" in said
    assert time.monotonic() - begun < 10


# Progress


class Screen(io.StringIO):
    """A terminal of some columns."""

    def isatty(self) -> bool:
        return True


def shown(progress: Progress, steps: int, **row: float) -> None:
    for _ in range(steps):
        progress.step()
    progress.show({"step": steps, **row})


def test_lines_every_so_often_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("pyvae.training.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(1000, 100, stream=stream, every=30)
    progress.show({"step": 100, "train/elbo": -120.5, "train/kl": 3.0, "valid/elbo": -119.25})
    for _ in range(600):
        now[0] += 0.25
        progress.step()
    progress.show({"step": 700, "train/elbo": -101.0})
    progress.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == (
        "step 120/1000: train elbo -120.5, valid elbo -119.2; 4 steps/s, 0:05 so far, 3:40 left"
    )
    assert len(lines) == 1 + (150 - 5) // 30 + 1
    assert lines[-1].startswith(
        "step 700/1000: train elbo -101, valid elbo -119.2; 4 steps/s, 2:30 so far"
    )


def test_a_narrow_terminal_keeps_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda file: (40, 24))
    screen = Screen()
    progress = Progress(100000, stream=screen)
    shown(progress, 3, **{"train/elbo": -120.5, "valid/elbo": -119.25})
    time.sleep(0.15)
    progress.step()
    progress.close()
    last = screen.getvalue().split("\r")[-1].rstrip("\n")
    assert "4/100000, valid elbo -119.2" in last
    assert len(last.rstrip()) <= 40


def test_progress_outlives_its_stream() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    class Pipe(Gone):
        def isatty(self) -> bool:
            return False

    for stream in (Gone(), Pipe()):
        progress = Progress(10, stream=stream, every=0.0)
        shown(progress, 5, **{"train/elbo": 1.0})
        progress.close()


def test_a_run_without_a_terminal_says_where_it_is(tmp_path: Path) -> None:
    process = start("train", "--out", str(tmp_path / "run"), "--steps", "100000", *SMALL)
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert line.startswith("step ") and "/100000: train elbo -" in line and "left" in line
    assert "valid elbo -" in line


# Words


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"pyvae {pyvae.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--epoch", "3"], "unrecognized arguments: --epoch 3; did you mean '--epochs'?"),
        (["train", "--latentdim=3"], "did you mean '--latent-dim'?"),
        (["evaluate", "x", "--sample", "3"], "did you mean '--samples'?"),
        (["smaple"], "unknown command 'smaple'; did you mean 'sample'?"),
        (["train", "--objective", "betavae"], "--preset beta_vae"),
        (["train", "--objective", "beta-tcvae"], "--preset beta_tcvae"),
        (["train", "--encoder-args", "x=3"], "Choices: hidden, activation"),
        (["train", "--likelihood-args", "x=3"], "Choices: none"),
        (["train", "--dataset", "toy2d", "--dataset-args", "x=3"], "Choices: name, n, seed"),
    ],
)
def test_what_is_nearly_right_is_told(
    arguments: list[str], said: str, refused: Callable[..., str]
) -> None:
    assert said in refused(*arguments)


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_names_outside_ascii(env: dict[str, str], tmp_path: Path) -> None:
    out = "räksmörgås 名"
    small = ["--steps", "3", "--eval-samples", "0", *SMALL]
    process = start("train", "--out", out, *small, cwd=tmp_path, **env)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "run folder: r" in told
    again = start("train", "--out", out, *small, cwd=tmp_path, **env)
    _, said = again.communicate(timeout=60)
    assert again.returncode == 2 and "holds a run already" in said
    assert json.loads((tmp_path / out / "results.json").read_text())["step"] == 3


def test_a_broken_plugin_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def announced(group: str) -> list[Any]:
        return [EntryPoint("bad", "no_such_module_at_all:X", group)]

    monkeypatch.setattr(registry, "entry_points", announced)
    for kind in registry.registries.values():
        monkeypatch.setattr(kind, "_pending", None)
        monkeypatch.setattr(kind, "broken", {})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        capsys.readouterr()
        assert main(["train", "--encoder", "bad"]) == 2
        said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("pyvae: warning: encoder 'bad': the plugin no_such_module_at_all:X")
    assert said[-1].startswith("pyvae: error: encoder 'bad' is broken")
    assert len(said) == 2
