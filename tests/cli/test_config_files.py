"""Settings in files: what they say, what they refuse, what a run writes, and that each counts."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pyvae.cli import main
from pyvae.config import TrainConfig
from pyvae.config_files import overlaid, read_mapping, read_settings, yaml_text
from pyvae.errors import UserError
from pyvae.fitting.runs import layered_config
from pyvae.fitting.space import Range, read_space
from pyvae.presets import with_preset
from pyvae.settings import settings_of
from pyvae.storage import digest

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "encoder_args": {"hidden": [8]},
    "decoder_args": {"hidden": [8]},
    "steps": 4,
    "log_every": 1,
    "eval_samples": 2,
    "eval_subset": 20,
}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Reading and writing


def test_names_and_numbers_as_people_write_them(tmp_path: Path) -> None:
    """Names as flags or as in Python; 1e-4 is a number, unlike in YAML 1.1; no and 010 are not."""
    text = """
    # a comment
    batch-size: 64
    latent_dim: 3
    lr: 1e-4
    lr-milestones: [1, 2]
    binarize: none
    data_dir: null
    init-output: true
    encoder_args: {hidden: [500, 200], activation: no}
    steps: 010
    """
    assert read_settings(written(tmp_path / "a.yaml", text)) == {
        "batch_size": 64,
        "latent_dim": 3,
        "lr": 1e-4,
        "lr_milestones": (1, 2),
        "binarize": "none",
        "data_dir": None,
        "init_output": True,
        "encoder_args": {"hidden": [500, 200], "activation": "no"},
        "steps": 10,
    }
    same = {"batch-size": 64, "lr": 1e-4, "preset": "iwae"}
    found = read_settings(written(tmp_path / "a.json", json.dumps(same)))
    assert found == {"batch_size": 64, "lr": 1e-4, "preset": "iwae"}


VALUES: list[Any] = [
    *(0, -3, 2**62, 1e-4, 1e22, -2.5, 1e300, 5e-324, True, False, None),
    *("", "1e-4", "12", "0x1f", "1:30", "1_000", "no", "on", "null", "~", "true", "<<"),
    *("2001-01-01", "0o7", ".5", "1.", "+1", "-", ".inf", "=", "y"),
    *(" a ", "a: b", "# a", "- a", "räksmörgås 名", "a\nb", "'", '"', "!x", "&a", "*a", "{a", "%"),
    *([1, [2, 3]], {"a": {"b": [1.0, "x"]}}, [], {}),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read(value: Any, tmp_path: Path) -> None:
    text = yaml_text({"value": value, "more": {"value": [value]}})
    found = read_mapping(written(tmp_path / "a.yaml", text))
    assert found == {"value": value, "more": {"value": [value]}}
    assert type(found["value"]) is type(value)


def test_text_that_other_readers_take_for_something_else_is_quoted() -> None:
    import yaml

    texts = ["no", "on", "1:30", "1_000", "2001-01-01", "1e-4", "0x1f"]
    assert yaml.safe_load(yaml_text({"texts": texts}))["texts"] == texts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latent-dims: 3", "unknown setting 'latent-dims'; did you mean 'latent_dim'?"),
        ("lr: fast", "--lr must be a finite number, got 'fast'"),
        ("lr: '1e-3'", "--lr must be a finite number, got '1e-3'"),
        ("batch_size: 2.5", "--batch-size must be a whole number, got 2.5"),
        ("encoder: null", "--encoder must be text, got None"),
        ("encoder_args: [1]", "--encoder-args must be a mapping of names"),
        ("binarize: dynamc", "did you mean 'dynamic'?"),
        ("lr: 1\nlr: 2", "lr stands there twice, again in line 2"),
        ("a:\n  lr: 1\n  lr: 2", "lr stands there twice, again in line 3"),
        ("batch-size: 3\nbatch_size: 4", "has the setting batch_size twice"),
        ("- lr", "must hold names of settings with their values, such as lr: 1e-3, got list"),
        ("", "got nothing"),
        ("lr: [1", "is not YAML with settings"),
        ("lr: !!python/object/apply:os.system [true]", "is not YAML with settings"),
        ("1: 2", "unknown setting 1"),
        ("epochs: 1\nsteps: 1", "give --epochs or --steps, not both"),
        ("preset: iwea", "unknown preset 'iwea'; did you mean 'iwae'"),
        ("encoder: mpl", "unknown encoder 'mpl'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    text: str, said: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    file = written(tmp_path / "run.yaml", text)
    out = tmp_path / "out"
    assert said in refused("train", "--config", str(file), "--out", str(out))
    assert not out.exists()


def test_files_that_cannot_be_read(tmp_path: Path, refused: Callable[..., str]) -> None:
    for path, said in (
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "directory"),
        (written(tmp_path / "a.json", '{"lr": 1, "lr": 2}'), "lr stands there twice"),
        (written(tmp_path / "b.json", "lr: 1"), "is not JSON with settings"),
        (written(tmp_path / "c.yaml", "[" * 2000), "is not YAML with settings"),
    ):
        message = refused("train", "--config", str(path))
        assert said in message and str(path) in message
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in refused("train", "--config", str(tmp_path / "d.yaml"))
    assert "do not fit" in refused("train", "--resume", "x", "--config", "y")


# Layers


def test_each_layer_overrides_the_one_before(tmp_path: Path) -> None:
    file = {"preset": "iwae", "lr": 0.5, "batch_size": 7, "objective_args": {"num_samples": 3}}
    config = layered_config(file, {"lr": 0.25})
    assert (config.lr, config.batch_size, config.latent_dim) == (0.25, 7, 50)
    assert config.objective_args == {"num_samples": 3}
    assert config.encoder_args["hidden"] == [200, 200]
    assert layered_config(file, preset="made").objective != "iwae"


def test_options_go_with_the_part_that_they_were_made_for() -> None:
    below = {"encoder_args": {"hidden": [5], "activation": "tanh"}, "prior": "vampprior"}
    below["prior_args"] = {"components": 7}
    changed = overlaid(below, {"encoder_args": {"activation": "relu"}, "prior": "vampprior"})
    assert changed["encoder_args"] == {"hidden": [5], "activation": "relu"}
    assert changed["prior_args"] == {"components": 7}
    other = overlaid(below, {"encoder": "conv", "prior": "flow", "prior_args": {"layers": 2}})
    assert other["encoder_args"] == {} and other["prior_args"] == {"layers": 2}
    assert overlaid(below, {"encoder": "mlp"})["encoder_args"] == below["encoder_args"]
    assert overlaid({"steps": 3}, {"epochs": 2}) == {"epochs": 2}
    assert overlaid({"epochs": None, "steps": 3}, {"epochs": 2}) == {"epochs": 2}
    assert overlaid(overlaid({}, below), {}) == below


def test_options_are_added_to_a_preset_that_does_not_name_the_part() -> None:
    """Its part is the default, which is what the options given are for, too."""
    settings = with_preset("iwae", {"encoder_args": {"activation": "relu"}})
    assert settings["encoder_args"] == {"hidden": [200, 200], "activation": "relu"}


# Runs


compiled: list[object] = []
TIMED = ("events", "checkpoint-before")  # files whose names or presence depend on the clock


def observed(run: Path) -> dict[str, Any]:
    """All that a setting could change in a run, but for the time that it took."""
    rows = (run / "metrics.csv").read_text().splitlines()
    clock = rows[0].split(",").index("seconds")
    return {
        "compiled": len(compiled),
        "model": digest(load_file(run / "model.safetensors")),
        "rows": [[v for i, v in enumerate(row.split(",")) if i != clock] for row in rows],
        "results": json.loads((run / "results.json").read_text()),
        "files": sorted(p.name for p in run.iterdir() if not p.name.startswith(TIMED)),
    }


def train(run: Path, settings: dict[str, Any]) -> int:
    file = written(run.with_suffix(".yaml"), yaml_text(settings))
    return main(["train", "--config", str(file), "--out", str(run), "--quiet"])


def test_the_file_of_a_run_gives_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyvae.fitting.runs.pictures", lambda *_, **__: ([], []))
    monkeypatch.setattr("pyvae.training.report.AGGREGATE", 20)
    first, second, third = (tmp_path / name for name in "abc")
    flags = ["--encoder-args", "hidden=8", "activation=tanh", "--steps", "6", "--seed", "3"]
    flags += ["--eval-samples", "2", "--log-every", "2", "--lr-milestones", "1", "--quiet"]
    assert main(["train", "--out", str(first), *flags]) == 0
    again = ["train", "--config", str(first / "config.yaml"), "--quiet"]
    assert main([*again, "--out", str(second)]) == 0
    assert observed(first) == observed(second)
    assert (first / "config.yaml").read_bytes() == (second / "config.yaml").read_bytes()
    assert main([*again, "--out", str(third), "--lr", "1e-4"]) == 0
    assert read_settings(third / "config.yaml")["lr"] == 1e-4
    assert observed(third)["model"] != observed(first)["model"]
    assert main(["train", "--resume", str(third), "--steps", "8", "--quiet"]) == 0
    assert read_settings(third / "config.yaml")["steps"] == 8


def test_each_setting_of_a_file_is_one_of_the_run() -> None:
    config = TrainConfig(**SMALL)
    assert TrainConfig.from_dict(config.to_dict()) == config


#: For each setting: what it is changed to, and what it is changed beside. What is not listed here
#: is changed to a value that its type allows, beside nothing.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "dataset": ("toy2d", {"likelihood": "gaussian"}),
    "dataset_args": ({"name": "pinwheel"}, {"dataset": "toy2d", "likelihood": "gaussian"}),
    "data_dir": ("/nowhere", {"dataset": "freyface"}),
    "model": ("helmholtz", {}),
    "model_args": ({"hidden": [3]}, {"model": "helmholtz", "objective": "wake_sleep"}),
    "encoder": ("conv", {}),
    "encoder_args": ({"hidden": [9]}, {}),
    "decoder": ("conv", {}),
    "decoder_args": ({"hidden": [9]}, {}),
    "prior": ("vampprior", {}),
    "prior_args": ({"components": 3}, {"prior": "vampprior"}),
    "posterior": ("iaf", {}),
    "posterior_args": ({"temperature": 0.25}, {"posterior": "concrete"}),
    "likelihood": ("continuous_bernoulli", {}),
    "likelihood_args": ({"sigma": 0.3}, {"likelihood": "gaussian"}),
    "init_std": (0.5, {"init": "normal"}),
    "objective": ("iwae", {}),
    "objective_args": ({"beta": 3.0}, {}),
    "epochs": (1, {"steps": None, "batch_size": 500}),
    "optimizer": ("sgd", {}),
    "optimizer_args": ({"eps": 0.1}, {}),
    "lr_schedule": ("cosine", {}),
    "lr_warm_up": (3, {}),
    "lr_patience": (0, {"lr_schedule": "plateau", "eval_every": 1, "lr": 1e-12}),
    "early_stopping": (1, {"eval_every": 1, "lr": 1e-12}),
    "monitor": ("test/elbo", {"keep": 1}),
    "keep": (1, {"batch_size": 1000}),
    "lr_milestones": ((1,), {"batch_size": 500}),
    "lr_gamma": (0.5, {"batch_size": 500, "lr_milestones": (1,)}),
    "eval_every": (2, {}),
    "log_every": (2, {}),
    "eval_samples": (5, {}),
    "eval_split": ("test", {"batch_size": 1000}),
    "eval_subset": (10, {"batch_size": 1000}),
    "devices": (2, {"batch_size": 1}),  # which cannot be shared by two
    "num_nodes": (2, {"batch_size": 1}),
    "strategy": ("fsdp", {"devices": 2, "compile": True}),  # which do not fit together
    "cuda_graphs": (True, {"accumulate": 2}),  # of which a batch has one part
    "device": ("cuda", {}),  # which raises where there is none
    "precision": ("64", {}),
    "log": (("mlflow",), {}),  # which is not installed here
}


def another(name: str) -> Any:
    """A value that is not the default's."""
    known, default = settings_of(TrainConfig)[name], getattr(TrainConfig(), name)
    if known.choices:
        return next((one for one in reversed(known.choices) if one != default), "another")
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1 if known.most is None or default < known.most else default - 1
    if isinstance(default, float):
        return default / 2 or 0.5
    return 1


@pytest.mark.parametrize("name", settings_of(TrainConfig))
def test_each_setting_changes_the_run_or_raises(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    runs: dict[str, dict[str, Any]],
) -> None:
    monkeypatch.setattr("pyvae.fitting.runs.pictures", lambda *_, **__: ([], []))
    monkeypatch.setattr("pyvae.training.report.AGGREGATE", 20)
    monkeypatch.setattr("torch.compile", lambda losses: compiled.append(losses) or losses)
    compiled.clear()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PYVAE_DATA_DIR", raising=False)
    value, beside = CHANGES.get(name, (another(name), {}))
    before = {k: v for k, v in {**SMALL, **beside}.items() if v is not None}
    if beside.get("model") == "helmholtz" or name == "model":
        before = {k: v for k, v in before.items() if k not in ("encoder_args", "decoder_args")}
    code = train(tmp_path / "changed", {**before, name: value})
    if code:
        said = capsys.readouterr().err
        assert code == 2 and said.count("pyvae: error: ") == 1
        return
    after = observed(tmp_path / "changed")
    kept = json.dumps(before, sort_keys=True)
    if kept not in runs:
        compiled.clear()
        plain = {k: v for k, v in before.items() if k != name}
        assert train(tmp_path / "plain", plain) == 0
        runs[kept] = observed(tmp_path / "plain")
    assert after != runs[kept]
    assert math.isfinite(after["results"]["elbo"])


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, Any]]:
    """What runs gave, by their settings: none is trained twice."""
    return {}


def test_a_value_that_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown setting 'out'"):
        read_settings(written(tmp_path / "a.yaml", "out: runs/x"))


def test_the_files_that_the_documentation_shows(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    config = layered_config(read_settings(written(tmp_path / "run.yaml", shown[0])))
    assert (config.objective, config.latent_dim, config.epochs) == ("iwae", 30, 20)
    _, space = read_space(read_mapping(written(tmp_path / "s.yaml", shown[1])), Path("s.yaml"))
    assert space.axes["lr"] == Range(1e-4, 1e-2, log=True)
    assert set(space.axes) >= {"latent_dim", "encoder_args.hidden", "encoder_args.activation"}
