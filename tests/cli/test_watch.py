"""``pyvae watch``: what a run looks like in the terminal, and when watching ends."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyvae
from pyvae.cli import main, watch
from pyvae.training import RunFolder

pytest.importorskip("plotext", reason='pip install "pyvae-fused[watch]"')
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    small = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
    small += ["--epochs", "4", "--batch-size", "200", "--eval-samples", "0"]
    assert main(["train", "--out", str(out), *small]) == 0
    return out


def test_a_run_that_is_complete(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["watch", str(run)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{run}: complete\n") and "\x1b" not in said
    assert "step 32 of 32, epoch 4" in said and "steps/s" in said
    with (run / "metrics.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert f"valid/elbo {float(last['valid/elbo']):.4g}" in said
    assert "train elbo" in said and "valid elbo" in said and "train kl" not in said
    assert main(["watch", str(run), "--figures", "train/kl"]) == 0
    said = capsys.readouterr().out
    assert "train kl" in said and "train elbo" not in said
    assert main(["watch", str(run), "--figures", "kl"]) == 2
    assert "has no kl; it has step, epoch" in capsys.readouterr().err


@pytest.mark.parametrize(("width", "height"), [(40, 20), (80, 24), (200, 50)])
def test_it_fits_the_terminal(run: Path, width: int, height: int) -> None:
    drawn, goes_on = watch.screen(RunFolder(run), None, width, height)
    lines = drawn.rstrip("\n").splitlines()
    assert len(lines) <= height and max(map(len, lines)) <= width
    assert not goes_on


def test_it_goes_on_while_the_run_is_written(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "results.json").unlink()
    folder = RunFolder(copy)
    drawn, goes_on = watch.screen(folder, None, 200, 24)
    assert f"{copy}: stopped" in drawn and not goes_on
    folder.lock()
    drawn, goes_on = watch.screen(folder, None, 200, 24)
    assert f"trained by process {os.getpid()}" in drawn and goes_on
    (copy / "metrics.csv").unlink()
    drawn, goes_on = watch.screen(folder, None, 200, 24)
    assert drawn.endswith("nothing recorded yet") and goes_on
    folder.release()


def test_on_a_terminal_it_is_drawn_again_until_the_run_has_ended(run: Path) -> None:
    near, far = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pyvae", "watch", str(run), "--every", "0.1"],
        stdout=far,
        env={**os.environ, "PYTHONPATH": str(Path(pyvae.__file__).parents[1])},
    )
    os.close(far)
    text = b""
    while True:
        try:
            part = os.read(near, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(near)
    assert process.wait(timeout=60) == 0
    assert text.count(b"\x1b[H\x1b[2J") == 1 and b": complete" in text


def test_what_cannot_be_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(tmp_path / "nowhere")]) == 2
    assert "is not a run folder" in capsys.readouterr().err
    assert main(["watch", "x", "--every", "0"]) == 2
    assert "must be a positive number of seconds" in capsys.readouterr().err


def test_without_the_library_that_draws(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    assert main(["watch", str(run)]) == 2
    assert re.search(r'pip install "pyvae-fused\[watch\]"', capsys.readouterr().err)
