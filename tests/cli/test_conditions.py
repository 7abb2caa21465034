"""Conditions through the command line: train, sample, transfer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyvae.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ["--encoder-args", "hidden=32", "--decoder-args", "hidden=32", "--quiet"]
SMALL += ["--eval-samples", "0", "--steps", "60", "--lr", "0.005"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("conditions") / "run"
    assert main(["train", "--condition", "label", "--out", str(out), *SMALL]) == 0
    return out


def test_samples_look_like_their_condition(run: Path, tmp_path: Path) -> None:
    """A zero is dark in its middle, a one is not; rows of several conditions share their style."""
    out = tmp_path / "samples.npy"
    assert (
        main(["sample", str(run), "--condition", "label=0,1", "-n", "40", "--out", str(out)]) == 0
    )
    zeros, ones = np.load(out)[0::2], np.load(out)[1::2]
    assert len(zeros) == len(ones) == 20
    assert ones[:, 0, 3:5, 3:5].mean() > zeros[:, 0, 3:5, 3:5].mean() + 0.2


def test_transfer_changes_the_condition_alone(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "transfer.npy"
    options = ["--condition", "label=0,1", "-n", "8", "--out", str(out)]
    assert main(["transfer", str(run), *options]) == 0
    values = np.load(out)
    assert values.shape == (8, 2, 1, 8, 8)
    assert (values[:, 1, 0, 3:5, 3:5].mean((1, 2)) > values[:, 0, 0, 3:5, 3:5].mean((1, 2))).all()
    assert main(["transfer", str(run), "--condition", "label=3"]) == 0
    assert (run / "transfer.png").is_file()


def test_other_commands_take_the_conditions_of_the_data(run: Path) -> None:
    for command in (["evaluate"], ["reconstruct"], ["sample"], ["plot"]):
        assert main([command[0], str(run)]) == 0


def test_an_embedded_condition_goes_where_others_do(run: Path, tmp_path: Path) -> None:
    """Train, resume, sample, transfer and encode; the prior is given it, too."""
    out, again = tmp_path / "run", tmp_path / "again"
    made = ["--condition", "label:embedding=4", "--prior", "conditional_gaussian", *SMALL]
    assert main(["train", "--out", str(out), *made, "--eval-every", "30"]) == 0
    assert main(["train", "--out", str(again), *made, "--eval-every", "30", "--steps", "30"]) == 0
    assert main(["train", "--resume", str(again), "--steps", "60", "--quiet"]) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["condition_embeddings"] == [[0, 11, 4]] and config["condition_dim"] == 1
    for name in ("results.json", "model.safetensors"):
        assert (out / name).read_bytes() == (again / name).read_bytes()
    file = tmp_path / "samples.npy"
    assert (
        main(["sample", str(out), "--condition", "label=0,1", "-n", "40", "--out", str(file)]) == 0
    )
    zeros, ones = np.load(file)[0::2], np.load(file)[1::2]
    assert ones[:, 0, 3:5, 3:5].mean() > zeros[:, 0, 3:5, 3:5].mean() + 0.2
    assert main(["transfer", str(out), "--condition", "label=0,1", "-n", "3"]) == 0
    z = tmp_path / "z.npy"
    assert main(["encode", str(out), "--split", "test", "--out", str(z)]) == 0
    assert main(["decode", str(out), "--z", str(z), "--out", str(file)]) == 0
    assert main(["score", str(out), "--subset", "5", "--out", str(file)]) == 0


@pytest.mark.parametrize("embedding", ["", ":embedding=3"])
def test_other_data_are_encoded_under_the_conditions_of_the_run(
    embedding: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    """Also where they know only some of the categories, and numbers on another scale."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{'uvw'[i % 3]},{i}" for i, (a, b) in enumerate(rng.normal(size=(60, 2)))
    ]
    head, file, other = "a,b,batch,age", tmp_path / "all.csv", tmp_path / "some.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    other.write_text("\n".join([head, *rows[2::3]]) + "\n")
    run, z, few = tmp_path / "run", tmp_path / "z.npy", tmp_path / "few.npy"
    options = ["--dataset", str(file), "--condition", "batch" + embedding, "age"]
    options += ["--likelihood", "gaussian", "--latent-dim", "2"]
    assert main(["train", "--out", str(run), *options, *SMALL]) == 0
    assert main(["encode", str(run), "--out", str(z)]) == 0
    assert main(["encode", str(run), "--dataset", str(other), "--out", str(few)]) == 0
    assert np.allclose(np.load(few), np.load(z)[2::3], atol=1e-5)
    other.write_text("\n".join([head, *(row.replace("w", "new") for row in rows)]) + "\n")
    said = refused("encode", str(run), "--dataset", str(other), "--out", str(few))
    assert "'batch' has no category 'new'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--condition", "digit=7"], "there is no condition 'digit'. Conditions: label"),
        (["--condition", "label=x"], "has no category 'x'"),
        (["--condition", "label"], "takes name=value pairs, got 'label'"),
    ],
)
def test_wrong_conditions_are_said(
    run: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(run), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_run_without_conditions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "--out", out, *SMALL, "--steps", "1"]) == 0
    assert main(["sample", out, "--condition", "label=7"]) == 2
    assert "was trained without conditions" in capsys.readouterr().err
    assert main(["transfer", out]) == 2
    assert "needs --condition NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "helmholtz"], "takes no conditions; the models that do: "),
        (["--prior", "vampprior"], "takes condition besides"),
    ],
)
def test_what_takes_no_condition(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", "--condition", "label", "--out", str(out), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_prior_that_needs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "--prior", "conditional_gaussian", "--out", str(out)]) == 2
    assert "there is no condition: give" in capsys.readouterr().err


def test_an_objective_of_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--objective", "semi_supervised", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "is for the model m2 or m1m2 (--model m2), got 'vae'" in said


@pytest.mark.parametrize("model", ["m2", "m1m2"])
def test_classes_are_not_learned_from_nothing(
    model: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    semi = ["--model", model, "--objective", "semi_supervised", "--out", str(tmp_path / "run")]
    plain = ["--dataset", "toy2d", "--likelihood", "gaussian"]
    said = refused("train", *semi, *plain)
    assert "learns classes from labels, and no training row of toy2d has one" in said
    hidden = tmp_path / "hidden.npz"
    np.savez(hidden, x=np.ones((20, 2)), y=np.full(20, np.nan))
    said = refused("train", *semi, *plain[2:], "--dataset", str(hidden))
    assert "no training row of hidden has one" in said and not (tmp_path / "run").exists()


def test_a_table_of_which_few_rows_have_a_label(tmp_path: Path) -> None:
    """Labels that are missing in a file are summed over; the classes are those of the others."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 400)
    x = rng.normal(np.where(kind == 1, 2.0, -2.0)[:, None], 1.0, (400, 4))
    label = np.where(rng.random(400) < 0.2, np.where(kind == 1, "b", "a"), "")
    rows = [
        ",".join([*(f"{v:.4f}" for v in row), name]) for row, name in zip(x, label, strict=True)
    ]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(["p,q,r,s,kind", *rows]) + "\n")
    out = tmp_path / "run"
    options = ["--dataset", str(file), "--dataset-args", "labels=kind", "--model", "m2"]
    options += ["--objective", "semi_supervised", "--likelihood", "gaussian", "--latent-dim", "2"]
    assert main(["train", *options, "--out", str(out), *SMALL, "--steps", "150"]) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["classes"] == 2
    assert json.loads((out / "results.json").read_text())["accuracy"] > 0.9


def test_a_condition_that_is_named_twice_is_refused(run: Path, refused: Callable[..., str]) -> None:
    for command in ("sample", "transfer"):
        said = refused(command, str(run), "--condition", "label=1", "label=2")
        assert "label is given twice" in said


def test_samples_of_a_condition_keep_the_other_side_inputs(tmp_path: Path) -> None:
    """Counts need a library size beside the condition: that of the test data."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    rate = np.where(label[:, None] == 1, [9.0, 1.0, 1.0], [1.0, 1.0, 9.0])
    file = tmp_path / "counts.npz"
    np.savez(file, x=rng.poisson(rate).astype(np.int64) + 1, labels=label)
    run, out = str(tmp_path / "run"), tmp_path / "samples.npy"
    options = ["--dataset", str(file), "--dataset-args", "x=x", "labels=labels", "values=counts"]
    options += ["--condition", "label", "--likelihood", "negative_binomial", "--latent-dim", "2"]
    assert main(["train", *options, "--out", run, *SMALL, "--steps", "150"]) == 0
    for named in ([], ["--dataset-args", "splits=0.6,0.2,0.2"]):
        command = ["sample", run, *named, "--condition", "label=0,1", "-n", "20"]
        assert main([*command, "--out", str(out)]) == 0
        zeros, ones = np.load(out)[0::2].mean(0), np.load(out)[1::2].mean(0)
        assert zeros[2] > 2 * zeros[0] and ones[0] > 2 * ones[2]
