"""``pyvae sweep``: what is searched, a study that goes on, trials that fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyvae.cli import main
from pyvae.config_files import read_settings
from pyvae.errors import UserError
from pyvae.fitting.space import Choice, Range, read_space

pytest.importorskip("optuna", reason='pip install "pyvae-fused[sweep]"')
pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = """
steps: 6
batch-size: 500
eval_samples: 0
decoder_args: {hidden: [4]}
search:
  lr: {low: 1e-4, high: 1e-1, log: true}
  latent-dim: {low: 2, high: 4}
  encoder_args:
    hidden: [[4], [5, 3]]
    activation: [relu, tanh]
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyvae.fitting.runs.pictures", lambda *_, **__: ([], []))
    monkeypatch.setattr("pyvae.training.report.AGGREGATE", 20)


def written(path: Path, text: str = CONFIG) -> Path:
    path.write_text(text)
    return path


def sweep(config: Path, out: Path, trials: int, *more: str) -> int:
    return main(["sweep", str(config), "--out", str(out), "--trials", str(trials), *more])


def runs(out: Path) -> dict[str, Any]:
    return {path.name: read_settings(path / "config.yaml") for path in sorted(out.glob("trial-*"))}


def test_trials_are_runs_and_the_best_stands_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = written(tmp_path / "search.yaml"), tmp_path / "out"
    assert sweep(config, out, 2) == 0
    said = capsys.readouterr()
    table = [line.split() for line in said.out.splitlines()]
    assert table[0] == ["trial", "valid/elbo", "settings"] and len(table) == 3
    values = [float(line[1]) for line in table[1:]]
    assert values == sorted(values, reverse=True)
    found = runs(out)
    assert list(found) == ["trial-0000", "trial-0001"]
    for settings in found.values():
        assert 1e-4 <= settings["lr"] <= 1e-1 and settings["latent_dim"] in (2, 3, 4)
        assert settings["encoder_args"]["hidden"] in ([4], [5, 3])
        assert settings["encoder_args"]["activation"] in ("relu", "tanh")
        assert settings["decoder_args"] == {"hidden": [4]} and settings["batch_size"] == 500
    assert len({settings["lr"] for settings in found.values()}) == 2
    assert said.err.count("pyvae: trial ") == 4
    # the same command with more trials goes on, and one for one the same as in one go
    assert sweep(config, out, 3, "--quiet") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    whole = tmp_path / "whole"
    assert sweep(config, whole, 3, "--quiet") == 0
    assert runs(out) == runs(whole)
    assert sweep(config, out, 3, "--quiet") == 0  # nothing is left to do
    assert runs(out) == runs(whole)
    capsys.readouterr()
    assert sweep(config, out, 6, "--lr", "1") == 2
    assert "holds a sweep with other settings" in capsys.readouterr().err


def test_a_trial_that_was_interrupted_goes_on(
    tmp_path: Path, stop_at: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    config, whole, parts = written(tmp_path / "a.yaml"), tmp_path / "whole", tmp_path / "parts"
    assert sweep(config, whole, 2) == 0
    stop_at(4)
    assert sweep(config, parts, 2) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not (parts / "trial-0000" / "results.json").exists()
    assert sweep(config, parts, 2) == 0
    for name in runs(whole):
        results = [json.loads((out / name / "results.json").read_text()) for out in (whole, parts)]
        assert results[0] == results[1]
    # one that had not got as far as a folder begins anew
    stop_at(2)
    assert sweep(config, parts, 3) == 130
    shutil.rmtree(parts / "trial-0002")
    assert sweep(config, parts, 3) == 0
    assert (parts / "trial-0002" / "results.json").exists()


def test_trials_that_fail_count_and_the_search_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "steps: 2\neval_every: 1\neval_samples: 0\nsearch: {encoder: [mlp, none_such]}\n"
    config = written(tmp_path / "a.yaml", text)
    assert sweep(config, tmp_path / "out", 5) == 0
    said = capsys.readouterr()
    assert "failed: unknown encoder 'none_such'" in said.err
    assert said.out.splitlines()[-1].split()[1] == "failed"
    bad = written(tmp_path / "b.yaml", text.replace("[mlp, ", "["))
    assert sweep(bad, tmp_path / "bad", 2) == 2
    assert "none of 2 trials has succeeded: unknown encoder" in capsys.readouterr().err


def test_what_is_searched(tmp_path: Path) -> None:
    text = CONFIG + "  init: [torch, glorot]\n  batch_size: {low: 10, high: 50, step: 20}\n"
    fixed, space = read_space({**_yaml(text), "preset": "iwae"}, written(tmp_path / "a.yaml", text))
    assert fixed["preset"] == "iwae" and fixed["steps"] == 6
    assert space.axes == {
        "lr": Range(1e-4, 1e-1, log=True),
        "latent_dim": Range(2, 4),
        "encoder_args.hidden": Choice(([4], [5, 3])),
        "encoder_args.activation": Choice(("relu", "tanh")),
        "init": Choice(("torch", "glorot")),
        "batch_size": Range(10, 50, step=20),
    }


def _yaml(text: str) -> Any:
    from pyvae.config_files import _yaml as load

    return load(text)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("{}", "must say what to search, such as search:"),
        ("[lr]", "must say what to search"),
        ("{lr: 1}", "lr must be a list of values or a range with low and high, got 1"),
        ("{lr: []}", "lr must be a list of values"),
        ("{lr: {low: 1}}", "high of lr must be a number, got None"),
        ("{lr: {low: 2, high: 1}}", "must have low < high"),
        ("{lr: {low: 0, high: 1, log: true}}", "a low above 0"),
        ("{lr: {low: 1, hihg: 2}}", "got 'hihg'; did you mean 'high'?"),
        ("{lr: {low: -1, high: 1}}", "--lr must be positive, got -1"),
        ("{latent_dim: {low: 1.5, high: 2}}", "--latent-dim must be a whole number, got 1.5"),
        ("{latent_dims: [2]}", "unknown setting 'latent_dims'; did you mean 'latent_dim'?"),
        ("{binarize: [none, dynamc]}", "did you mean 'dynamic'?"),
    ],
)
def test_a_search_that_makes_no_sense(
    search: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path / "a.yaml", f"steps: 2\nsearch: {search}\n")
    assert sweep(config, tmp_path / "out", 1) == 2
    told = capsys.readouterr().err
    assert said in told and str(config) in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_folders_and_figures_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, mine = written(tmp_path / "a.yaml"), tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    assert sweep(config, mine, 1) == 2
    assert "exists and holds no sweep" in capsys.readouterr().err
    assert sweep(config, tmp_path / "out", 1, "--metric", "test/elbo") == 2
    assert "never recorded: --eval-split is valid" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="cannot read the settings"):
        read_settings(tmp_path / "none.yaml")


def test_the_least_of_another_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "steps: 4\nlog_every: 2\neval_samples: 0\nsearch: {latent_dim: [2, 3]}\n"
    config = written(tmp_path / "a.yaml", text)
    assert sweep(config, tmp_path / "out", 2, "--metric", "train/kl", "--minimize") == 0
    values = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert values == sorted(values)
