"""What a run records on its way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from pyvae.cli import main
from pyvae.training.loggers import CsvLog, read_rows
from pyvae.training.means import Means

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--eval-samples", "3", "--log-every", "4"]


def train(out: Path, *more: str) -> int:
    return main(["train", "--out", str(out), *SMALL, *more])


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_learning_rate_falls_at_milestones(tmp_path: Path) -> None:
    more = ["--epochs", "3", "--lr", "0.01", "--lr-milestones", "1", "2", "--lr-gamma", "0.5"]
    assert train(tmp_path / "run", *more) == 0
    rates = {float(row["epoch"]): float(row["lr"]) for row in rows(tmp_path / "run")}
    assert rates[1.0] == 0.01
    assert rates[2.0] == 0.005
    assert rates[3.0] == 0.0025


def test_training_raises_the_bound_and_is_recorded(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--epochs", "12", "--lr", "3e-3") == 0
    run = tmp_path / "run"
    bounds = [float(row["valid/elbo"]) for row in rows(run) if row["valid/elbo"]]
    assert len(bounds) == 12
    assert bounds[-1] > bounds[0] + 5
    results = json.loads((run / "results.json").read_text())
    assert results["elbo"] <= results["log_likelihood"]
    assert results["count"] == 180
    assert results["elbo"] == pytest.approx(results["reconstruction"] - results["kl"])
    assert sum(results["kl_per_dim"]) == pytest.approx(results["kl"], rel=1e-4)
    assert 0 < results["bits_per_dim"] < 1
    last = rows(run)[-1]
    assert (last["step"], last["epoch"], last["samples"]) == ("180", "12.0", str(12 * 1437))
    assert float(last["train/elbo"]) == pytest.approx(-float(last["train/loss"]))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run))
    events.Reload()
    assert [e.step for e in events.Scalars("valid/elbo")] == list(range(15, 181, 15))


def test_log_likelihood_on_the_way(tmp_path: Path) -> None:
    more = ["--steps", "20", "--eval-every", "10", "--eval-split", "test", "--eval-subset", "50"]
    assert train(tmp_path / "run", *more) == 0
    found = [row for row in rows(tmp_path / "run") if row["test/log_likelihood"]]
    assert [row["step"] for row in found] == ["10", "20"]
    assert all(float(row["test/log_likelihood"]) >= float(row["test/elbo"]) - 1 for row in found)


def test_means_are_means_of_what_came_since() -> None:
    means = Means()
    assert means.pop() == {}
    for value in (1.0, 2.0, 6.0):
        means.add(("a", "b"), torch.tensor([value, -value]))
    other = Means()
    other.load_state_dict(means.state_dict(), torch.device("cpu"))
    assert means.pop() == other.pop() == {"a": 3.0, "b": -3.0}
    means.add(("a", "b"), torch.tensor([5.0, 0.0]))
    assert means.pop() == {"a": 5.0, "b": 0.0}


def test_csv_rows_after_the_checkpoint_are_dropped_and_new_columns_fit(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log = CsvLog(path, 0)
    for step in (1, 2, 3):
        log.write({"step": step, "a": step / 2})
    log = CsvLog(path, 2)
    log.write({"step": 3, "b": 9.0})
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"step": "1", "a": "0.5", "b": ""},
            {"step": "2", "a": "1.0", "b": ""},
            {"step": "3", "a": "", "b": "9.0"},
        ]


def test_a_last_row_that_was_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log = CsvLog(path, 0)
    for step in (1, 2, 30):
        log.write({"step": step, "a": step / 2})
    for cut in (1, 3, 5):  # within the last row: "30,15.0"
        path.write_bytes(path.read_bytes()[:-cut])
        assert [row["step"] for row in read_rows(path)[1]] == ["1", "2"]
    CsvLog(path, 30).write({"step": 3, "a": 1.0})
    assert [row["step"] for row in read_rows(path)[1]] == ["1", "2", "3"]
