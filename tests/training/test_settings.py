"""Settings: where they come from, what they refuse, and how people write them."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from pyvae.cli.pairs import parse_pairs
from pyvae.cli.settings import add_settings, given_settings
from pyvae.config import PRECISIONS, TrainConfig
from pyvae.config_files import read_mapping, read_settings, yaml_text
from pyvae.errors import UserError
from pyvae.fitting.space import read_space
from pyvae.settings import flag, settings_of
from pyvae.training.distributed.ranks import Ranks


def typed(words: str) -> TrainConfig:
    """The settings of options as a shell hands them over."""
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return TrainConfig.from_dict(given_settings(parser.parse_args(shlex.split(words))))


def test_pairs_from_the_command_line() -> None:
    pairs = ["hidden=256,128", "one=5,", "activation=relu", "centered=true", "eps=1e-4", "n=none"]
    assert parse_pairs(pairs, "--x") == {
        "hidden": [256, 128],
        "one": [5],
        "activation": "relu",
        "centered": True,
        "eps": 1e-4,
        "n": None,
    }
    with pytest.raises(UserError, match="--x takes name=value pairs, got 'hidden'"):
        parse_pairs(["hidden"], "--x")
    with pytest.raises(UserError, match="--x has drop twice; several values go as drop=one,two"):
        parse_pairs(["drop=a", "drop=b"], "--x")


def test_settings_go_through_json() -> None:
    config = TrainConfig(encoder_args={"hidden": [1, 2]}, lr_milestones=(3, 4), steps=5)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(UserError, match="unknown setting 'learning_rate'"):
        TrainConfig.from_dict({"learning_rate": 1})
    with pytest.raises(UserError, match="--epochs or --steps, not both"):
        TrainConfig(epochs=1, steps=1)
    with pytest.raises(UserError, match="--batch-size must be positive, got 0"):
        TrainConfig(batch_size=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"binarize": "dynamc"},
            "--binarize must be one of .* got 'dynamc'; did you mean 'dynamic'",
        ),
        ({"latent_dim": "20"}, "--latent-dim must be a whole number, got '20'"),
        ({"latent_dim": 2.5}, "--latent-dim must be a whole number, got 2.5"),
        ({"latent_dim": True}, "--latent-dim must be a whole number, got True"),
        ({"latent_dim": None}, "--latent-dim must be a whole number, got None"),
        ({"lr": "1e-3"}, "--lr must be a finite number, got '1e-3'"),
        ({"lr": float("nan")}, "--lr must be a finite number, got nan"),
        ({"lr": 0}, "--lr must be positive, got 0"),
        ({"seed": 2**64}, "--seed must be at most 9223372036854775807, got 18446744073709551616"),
        ({"seed": -1}, "--seed must not be negative, got -1"),
        ({"init_output": "yes"}, "--init-output must be true or false, got 'yes'"),
        ({"epochs": "many"}, "--epochs must be a whole number or none, got 'many'"),
        ({"lr_milestones": 5}, "--lr-milestones must be a list of whole numbers, got 5"),
        ({"lr_milestones": ["a"]}, "--lr-milestones must be a list of whole numbers, got"),
        ({"encoder": 3}, "--encoder must be text, got 3"),
        ({"encoder_args": [1]}, "--encoder-args must be a mapping of names"),
        (
            {"precision": "bf-16"},
            "must be one of 32, 64, bf16, 16, got 'bf-16'; did you mean 'bf16'?",
        ),
        ({"eval_split": "train"}, "--eval-split must be one of valid, test, got 'train'"),
        ({"optimiser": "adam"}, "unknown setting 'optimiser'; did you mean 'optimizer'"),
    ],
)
def test_every_value_is_checked_from_python_too(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TrainConfig.from_dict(given)


def test_each_setting_is_stated_once() -> None:
    """Type, default, limits and help come from the field; a wrong type of any of them is said."""
    parser = argparse.ArgumentParser()
    add_settings(parser)
    flags = {option for action in parser._actions for option in action.option_strings}
    known = settings_of(TrainConfig)
    assert {flag(name) for name in known} | {"-h", "--help"} == flags
    assert vars(parser.parse_args([])) == {}
    for name, one in known.items():
        assert one.help, name
        with pytest.raises(UserError, match=f"^{flag(name)} must be "):
            TrainConfig.from_dict({name: object()})
        assert TrainConfig().is_default(name)
    given = given_settings(parser.parse_args(["--lr", "2", "--lr-milestones", "1", "2"]))
    assert TrainConfig.from_dict(given) == TrainConfig(lr=2.0, lr_milestones=(1, 2))


@pytest.mark.parametrize(("short", "long"), PRECISIONS.items())
def test_a_precision_has_a_short_name_and_that_of_lightning(
    short: str, long: str, tmp_path: Path
) -> None:
    """On the command line, in Python, in files, where 32 is a number, in a search and in old runs.

    Each means one thing, which is written down by its short name.
    """
    number = [int(short)] if short.isdigit() else []
    for written in (short, long, *number):
        assert TrainConfig(precision=written).precision == short  # type: ignore[arg-type]
        assert typed(f"--precision {written}").precision == short
        file = tmp_path / "a.yaml"
        file.write_text(f"precision: {written}")
        assert read_settings(file) == {"precision": short}
        file.write_text(f"search: {{precision: [{written}, 64]}}")
        _, space = read_space(read_mapping(file), file)
        for value in space.axes["precision"].ends():
            assert TrainConfig.from_dict({"precision": value}).precision in (short, "64")
    config = TrainConfig(precision=long)
    assert config.to_dict()["precision"] == short
    (tmp_path / "b.yaml").write_text(yaml_text(config.to_dict()))
    assert read_settings(tmp_path / "b.yaml")["precision"] == short
    assert config.resumed_with({"precision": short}) == config


@pytest.mark.parametrize("wrong", [True, 33, 32.5, "32 ", [32], torch.ones(2)], ids=repr)
def test_what_is_no_precision(wrong: object) -> None:
    with pytest.raises(UserError, match=r"^--precision must be "):
        TrainConfig(precision=wrong)  # type: ignore[arg-type]


def test_the_precision_is_what_lightning_computes_in() -> None:
    for short, long in PRECISIONS.items():
        if short != "16":  # which needs a GPU
            ranks = Ranks(TrainConfig(precision=short), torch.device("cpu"))
            assert ranks.fabric.strategy.precision.precision == long


def test_the_help_shows_short_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        typed("--help")
    said = capsys.readouterr().out
    assert "--precision {32,64,bf16,16}" in said
    assert not any(long in said for long in PRECISIONS.values())
    with pytest.raises(SystemExit):
        typed("--precision 8")
    said = capsys.readouterr().err
    assert "invalid choice: '8'" in said and "mixed" not in said


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("--devices 4 --num-nodes 2", {"devices": 4, "num_nodes": 2}),
        ("--strategy ddp", {"strategy": "ddp"}),
        ("--strategy fsdp", {"strategy": "fsdp"}),
        ("--precision bf16 --compile", {"precision": "bf16", "compile": True}),
        ("--accumulate 4", {"accumulate": 4}),
        ("--lr-warm-up 100 --lr-schedule cosine", {"lr_warm_up": 100, "lr_schedule": "cosine"}),
        ("--lr-schedule step --lr-milestones 3 5", {"lr_milestones": (3, 5)}),
        ("--lr-schedule plateau --lr-patience 3", {"lr_schedule": "plateau", "lr_patience": 3}),
        ("--clip-grad-norm 1 --max-skipped 5", {"clip_grad_norm": 1.0, "max_skipped": 5}),
        ("--ema 0.999 --early-stopping 9 --keep 3", {"ema": 0.999, "keep": 3}),
        ("--log wandb mlflow", {"log": ("wandb", "mlflow")}),
    ],
)
def test_options_as_people_type_them(words: str, settings: dict[str, Any]) -> None:
    config = typed(words)
    assert {name: getattr(config, name) for name in settings} == settings
