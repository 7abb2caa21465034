"""Where a run's figures go: no row twice after a kill, trackers, and what they may not break."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pyvae
from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.training import records, trackers
from pyvae.training.records import Records

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=8", "--decoder-args", "hidden=8", "--quiet"]
SMALL += ["--eval-samples", "0"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyvae.fitting.runs.pictures", lambda *_, **__: ([], []))
    monkeypatch.setattr("pyvae.training.report.AGGREGATE", 20)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_no_row_is_there_twice_after_kills_at_any_moment(tmp_path: Path) -> None:
    settings = [
        "--eval-subset",
        "20",
        "--steps",
        "300",
        "--log-every",
        "7",
        "--eval-every",
        "50",
        *SMALL,
    ]
    assert main(["train", "--out", str(tmp_path / "whole"), *settings]) == 0
    run, moments = tmp_path / "run", random.Random(0)
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(pyvae.__file__).parents[1]),
    }
    begin = ["train", "--out", str(run), *settings]
    for _ in range(2):
        command = ["train", "--resume", str(run), "--quiet"] if run.exists() else begin
        before = len(rows(run)) if (run / "metrics.csv").exists() else 0
        process = subprocess.Popen([sys.executable, "-m", "pyvae", *command], env=env)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if (run / "metrics.csv").exists() and len(rows(run)) > before:
                time.sleep(moments.uniform(0, 0.3))
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    if not (run / "results.json").exists():
        assert main(["train", "--resume", str(run), "--quiet"]) == 0
    steps = [int(row["step"]) for row in rows(run)]
    assert steps == sorted(set(steps)) and steps[-1] == 300
    assert rows(run) == rows(tmp_path / "whole")


def test_mlflow_gets_the_rows_of_a_run_that_was_stopped(
    tmp_path: Path, stop_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason='pip install "pyvae-fused[mlflow]"')
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    run = tmp_path / "run"
    stop_at(10)
    command = ["train", "--out", str(run), "--log", "mlflow", "--steps", "30", *SMALL]
    assert main([*command, "--log-every", "5"]) == 130
    assert main(["train", "--resume", str(run), "--quiet"]) == 0
    client = mlflow.MlflowClient()
    identity = json.loads((run / "trackers.json").read_text())["mlflow"]
    kept = client.get_run(identity)
    assert kept.data.params["optimizer"] == '"adam"' and kept.info.status == "FINISHED"
    history = client.get_metric_history(identity, "valid/elbo")
    expected = [(int(r["step"]), float(r["valid/elbo"])) for r in rows(run) if r["valid/elbo"]]
    assert [(m.step, m.value) for m in history] == expected
    experiment = client.get_experiment_by_name("pyvae")
    assert len(client.search_runs([experiment.experiment_id])) == 1


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason='pip install "pyvae-fused[wandb]"')
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = tmp_path / "run"
    assert main(["train", "--out", str(run), "--log", "wandb", "--steps", "5", *SMALL]) == 0
    identity = json.loads((run / "trackers.json").read_text())["wandb"]
    (kept,) = (run / "wandb").glob(f"offline-run-*-{identity}")
    assert any(path.suffix == ".wandb" and path.stat().st_size for path in kept.iterdir())


class Broken:
    """A tracker whose server goes away."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.seen: list[float] = []

    def write(self, row: Any) -> None:
        self.seen.append(row["step"])
        if len(self.seen) == 2:
            raise ConnectionError("the server\ndoes not answer")

    def close(self) -> None:
        raise ConnectionError("still not")


def test_a_tracker_that_fails_is_left_out_and_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trackers.TRACKERS, "wandb", Broken)
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))  # whether it is installed or not
    run = tmp_path / "run"
    command = ["train", "--out", str(run), "--log", "wandb", "--log-every", "2", *SMALL]
    assert main([*command, "--steps", "8"]) == 0
    assert [row["step"] for row in rows(run)] == ["2", "4", "6", "8"]
    said = capsys.readouterr().err
    assert said.count("pyvae: warning: no more records for wandb: the server does not answer") == 1
    assert said.count("warning") == 1


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_a_tracker_that_is_not_installed(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    run = tmp_path / "run"
    assert main(["train", "--out", str(run), "--log", name, "--steps", "2", *SMALL]) == 2
    assert f'pip install "pyvae-fused[{name}]"' in capsys.readouterr().err
    assert not run.exists()
    assert main(["train", "--out", str(run), "--log", "wandbb"]) == 2
    assert "invalid choice: 'wandbb'" in capsys.readouterr().err


def test_all_logs_are_closed_whatever_one_of_them_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Log:
        def __init__(self, name: str, fails: bool = False) -> None:
            self.name, self.fails = name, fails

        def write(self, row: Any) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            closed.append(self.name)
            if self.fails:
                raise OSError(self.name)

    monkeypatch.setattr(records, "CsvLog", lambda *_: Log("csv"))
    monkeypatch.setattr(records, "TensorBoardLog", lambda *_: Log("board", fails=True))
    both = Records(TrainConfig(), tmp_path, 0, [Log("more")])
    with pytest.raises(OSError, match="No space left"):
        both.write({"step": 1})
    with pytest.raises(OSError, match="board"):
        both.close()
    assert sorted(closed) == ["board", "csv", "more"]
