"""What is done with a trained model: codes, data from codes, scores, runs side by side."""

from __future__ import annotations

import csv
import errno
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import pyvae
import pyvae.data
from pyvae import VAE
from pyvae.analysis import decode, encode, score, select
from pyvae.batch import Batch
from pyvae.cli import main
from pyvae.cli.latents.read import read_latents
from pyvae.cli.spool import spooled
from pyvae.cli.tables import WRITERS, Table, write_table
from pyvae.data import View

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "20", "--eval-samples", "3"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on counts, whose likelihood needs the size of the library."""
    import h5py

    folder = tmp_path_factory.mktemp("counts")
    generator = np.random.default_rng(0)
    with h5py.File(folder / "cells.h5", "w") as file:
        file["X"] = generator.poisson(2.0, (60, 12)) + 1
    out, data = folder / "run", str(folder / "cells.h5")
    made = ["--dataset", data, "--likelihood", "negative_binomial", "--latent-dim", "3"]
    assert main(["train", "--out", str(out), *SMALL, *made, "--batch-size", "20"]) == 0
    return out


# From Python


def test_scores_are_log_p_of_x_and_their_error_is_that_of_repetition(linear_gaussian) -> None:
    torch.manual_seed(0)
    model, truth = linear_gaussian(exact=False)
    x = truth.sample((40,))
    again = [score(model, x, 200) for _ in range(50)]
    found = torch.stack([one.log_likelihood for one in again])
    spread = found.std(0)
    error = torch.stack([one.error for one in again]).square().mean(0).sqrt()
    small = error < 0.3  # where first order is enough
    assert small.sum() > 20
    assert torch.allclose(spread[small], error[small], rtol=0.5)
    assert (spread[small] / error[small]).mean().item() == pytest.approx(1, abs=0.1)
    far = (found.mean(0) - truth.log_prob(x)).abs() / (error / math.sqrt(50) + error**2)
    assert far[small].max() < 5


def test_scores_do_not_depend_on_how_the_data_come(linear_gaussian) -> None:
    """With the true posterior every weight is p(x), so that no draw matters."""
    model, truth = linear_gaussian(exact=True)
    x = truth.sample((600,))
    whole = score(model, x, 3)
    assert torch.allclose(whole.log_likelihood, truth.log_prob(x))
    assert whole.error.max() < 1e-6
    parts = score(model, (Batch(part) for part in x.split(70)), 3)
    assert torch.allclose(parts.log_likelihood, whole.log_likelihood)
    assert torch.isinf(score(model, x[:2], 1).error).all()


def test_scores_in_pieces_are_those_of_the_formula(
    linear_gaussian, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the weights: also where they are far beyond the range of exp, or none."""
    model, truth = linear_gaussian()
    log_w = torch.randn(64, 7, dtype=torch.float64)
    log_w[:, 1] -= 5000
    log_w[:, 2] = -math.inf
    taken = 0

    def weights(model, x, k, **side):
        nonlocal taken
        taken += k
        return log_w[taken - k : taken]

    monkeypatch.setattr("pyvae.analysis.scores.log_weights", weights)
    monkeypatch.setattr("pyvae.analysis.scores.capacity", lambda *_: 7 * 10)  # ten draws at a time
    found = score(model, truth.sample((7,)), 64)
    assert taken == 64
    assert torch.allclose(found.log_likelihood, log_w.logsumexp(0) - math.log(64))
    w = (log_w - log_w.max(0).values).exp()
    error = w.std(0) / w.mean(0) / 8
    error[2] = math.inf
    assert torch.allclose(found.error, error)


def test_a_model_without_latents_is_scored_exactly_and_has_no_codes() -> None:
    torch.manual_seed(0)
    model = pyvae.models.AutoregressiveModel((1, 3, 3), "made")
    x = torch.rand(5, 1, 3, 3).round()
    found = score(model, x, 10)
    assert torch.allclose(found.log_likelihood, model.log_prob(x).double())
    assert (found.error == 0).all()
    with pytest.raises(ValueError, match="AutoregressiveModel has no latents"):
        encode(model, x)


def test_codes_are_posterior_means_and_decode_gives_the_means_of_them() -> None:
    torch.manual_seed(0)
    model = VAE((1, 8, 8), latent_dim=3)
    x = torch.rand(600, 1, 8, 8)
    z = encode(model, x)
    assert torch.allclose(z, model.encode(x).mean, atol=1e-6)
    draws = torch.stack([encode(model, x[:50], draws=True) for _ in range(200)])
    q = model.encode(x[:50])
    assert torch.allclose(draws.mean(0), q.mean, atol=6 / math.sqrt(200))
    assert torch.allclose(draws.std(0), q.stddev, rtol=0.3)
    assert torch.allclose(decode(model, z), model.decode(z).mean, atol=1e-6)
    assert decode(model, z.view(2, 300, 3)).shape == (2, 300, 1, 8, 8)
    assert set(decode(model, z[:5], draws=True).unique().tolist()) == {0.0, 1.0}
    with pytest.raises(ValueError, match=r"z must have shape \(\*batch, 3\), got \(600, 2\)"):
        decode(model, z[:, :2])
    with pytest.raises(ValueError, match="there are no data"):
        encode(model, iter(()))


def test_a_subset_is_the_same_rows_of_each_split(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pyvae.data.load("digits")
    view = View(data, "scaled", "scaled")
    whole, few = select(view), select(view, "all", 100, seed=1)
    assert (len(whole), len(few), len(select(view, "valid"))) == (1797, 100, 180)
    assert select(view, "all", 100, seed=1).rows["train"].equal(few.rows["train"])
    model = VAE((1, 8, 8), 2)
    x = torch.cat([batch.x for batch in few.batches(model)])
    stored = [few.split(name).x[index] for name, index in few.rows.items()]
    assert torch.allclose(x, torch.cat(stored) / 16)
    labels = [few.split(name).y[index] for name, index in few.rows.items()]
    monkeypatch.delattr(Batch, "take")  # which copies the data, too
    assert few.labels is not None and few.labels.equal(torch.cat(labels))


# Files


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    if suffix == ".h5ad":
        pytest.importorskip("anndata", reason='pip install "pyvae-fused[anndata]"')
    z = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    about = {"split": np.array(["train"] * 20 + ["test"] * 10), "row": np.arange(30)}
    path = tmp_path / f"z{suffix}"
    write_table(path, Table("z", z, about=about))
    assert np.array_equal(read_latents(str(path), 12), z)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_rows_in_any_order_are_kept_in_theirs(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(57, 2, 3)).astype(np.float32)
    for places in (np.arange(57), np.arange(57)[::-1], np.random.default_rng(1).permutation(57)):
        found = spooled(np.split(rows, [5, 6, 40]), places, tmp_path)
        assert found.dtype == np.float32 and np.array_equal(found[places], rows)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    said = refused("encode", str(run), "--subset", "5", "--out", str(tmp_path / "z.csv"))
    assert f"cannot write {tmp_path / 'z.csv'}: No space left on device" in said
    assert not list(tmp_path.iterdir())


def test_encode_decode_and_score_of_a_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "z.csv"
    assert main(["encode", str(run), "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert len(rows) == 1797
    assert list(rows[0]) == ["split", "row", "label", "z0", "z1"]
    data = pyvae.data.load("digits")
    test = [row for row in rows if row["split"] == "test"]
    assert [int(row["label"]) for row in test] == data.test.y.tolist()
    assert main(["encode", str(run), "--split", "test", "--out", str(tmp_path / "z.npy")]) == 0
    z = np.load(tmp_path / "z.npy")
    assert np.allclose(z, [[float(row["z0"]), float(row["z1"])] for row in test])
    x = tmp_path / "x.npy"
    assert main(["decode", str(run), "--z", str(tmp_path / "z.npy"), "--out", str(x)]) == 0
    with torch.no_grad():
        expected = VAE.from_pretrained(run).decode(torch.from_numpy(z)).mean
    assert np.allclose(np.load(x), expected, atol=1e-6)
    again = tmp_path / "x.csv"
    assert main(["decode", str(run), "--z", str(out), "--out", str(again)]) == 0
    assert len(again.read_text().splitlines()) == 1798
    scored = tmp_path / "scores.csv"
    score_test = ["score", str(run), "--split", "test", "--out", str(scored), "--samples", "50"]
    assert main(score_test) == 0
    columns = list(csv.DictReader(scored.open()))
    log_p = [float(row["log_likelihood"]) for row in columns]
    results = json.loads((run / "results.json").read_text())
    assert np.mean(log_p) == pytest.approx(results["log_likelihood"], abs=1.0)
    assert all(float(row["standard_error"]) > 0 for row in columns)
    assert str(scored) in capsys.readouterr().out


def test_counts_with_their_library(counts: Path, tmp_path: Path) -> None:
    z, x = str(tmp_path / "z.npy"), tmp_path / "x.npy"
    assert main(["encode", str(counts), "--out", z]) == 0
    assert np.load(z).shape == (60, 3)
    assert main(["decode", str(counts), "--z", z, "--out", str(x)]) == 0
    assert np.load(x).shape == (60, 12)
    assert main(["score", str(counts), "--out", str(tmp_path / "s.npy")]) == 0
    assert np.isfinite(np.load(tmp_path / "s.npy")).all()


def test_rows_of_a_file_come_in_its_order(tmp_path: Path) -> None:
    """With their missing values, and the names of their classes."""
    x = np.random.default_rng(0).normal(size=(60, 3)).round(3)
    lines = [f"{a},{b},{c},{'even' if i % 2 else 'odd'}" for i, (a, b, c) in enumerate(x)]
    lines[7] = f",{x[7, 1]},{x[7, 2]},even"
    source = tmp_path / "table.csv"
    source.write_text("a,b,c,kind\n" + "\n".join(lines) + "\n")
    out, z = tmp_path / "run", tmp_path / "z.csv"
    data = ["--dataset", str(source), "--dataset-args", "labels=kind", "--likelihood", "gaussian"]
    assert main(["train", "--out", str(out), *SMALL, *data, "--latent-dim", "2"]) == 0
    assert main(["encode", str(out), "--out", str(z)]) == 0
    rows = list(csv.DictReader(z.open()))
    assert [int(row["row"]) for row in rows] == list(range(60))
    assert [row["label"] for row in rows] == ["odd", "even"] * 30
    model = VAE.from_pretrained(out)
    seen = torch.ones(60, 3, dtype=torch.bool)
    seen[7, 0] = False
    expected = encode(model, Batch(torch.tensor(x).float(), None, {"mask": seen}))
    found = torch.tensor([[float(row["z0"]), float(row["z1"])] for row in rows])
    assert torch.allclose(found, expected, atol=1e-5)
    few = ["--split", "test", "--out", str(tmp_path / "s.npy"), "--samples", "200"]
    assert main(["score", str(out), *few]) == 0
    assert np.isfinite(np.load(tmp_path / "s.npy")).all()


def test_other_data_become_numbers_as_the_data_of_the_run_did(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    """On the same scale, in the same columns and with the same codes of categories."""
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=(60, 2)))
    rows = [[f"{a:.4f}", f"{b:.4f}", "uvw"[i % 3], f"{i % 2}"] for i, (a, b) in enumerate(x)]
    head, file, other = ["a", "b", "kind", "class"], tmp_path / "all.csv", tmp_path / "some.csv"

    def table(path: Path, head: list[str], rows: list[list[str]]) -> None:
        path.write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n")

    table(file, head, rows)
    table(other, head[::-1], [row[::-1] for row in rows[2::3]])
    run, z, few = tmp_path / "run", tmp_path / "z.npy", tmp_path / "few.npy"
    options = ["--dataset-args", "labels=class", "standardize=true", "log1p=true"]
    options += ["--likelihood", "mixed", "--latent-dim", "2", "--steps", "40"]
    assert main(["train", "--out", str(run), *SMALL, "--dataset", str(file), *options]) == 0
    assert main(["encode", str(run), "--out", str(z)]) == 0
    assert main(["encode", str(run), "--dataset", str(other), "--out", str(few)]) == 0
    assert np.allclose(np.load(few), np.load(z)[2::3], atol=1e-5)
    for said, changed in {
        "kind has no category 'new'": (head, [[*row[:2], "new", row[3]] for row in rows]),
        "has no column 'kind'": (["a", "b", "sort", "class"], rows),
        "kind must hold categories": (head, [[*row[:2], "1.5", row[3]] for row in rows]),
        "further columns, age": ([*head, "age"], [[*row, "1.5"] for row in rows]),
    }.items():
        table(other, *changed)
        assert said in refused("encode", str(run), "--dataset", str(other), "--out", str(few))


def test_conditions_reach_encoder_decoder_and_prior(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    out, z = tmp_path / "run", tmp_path / "z.npy"
    given = ["--dataset-args", "conditions=label", "--prior", "conditional_gaussian"]
    assert main(["train", "--out", str(out), *SMALL, *given]) == 0
    assert main(["encode", str(out), "--split", "test", "--out", str(z)]) == 0
    data = pyvae.data.load("digits", conditions="label").test
    model = VAE.from_pretrained(out)
    config = json.loads((out / "train.json").read_text())["settings"]
    assert config["binarize"] == "auto"  # so that the test digits are bits, drawn once
    condition = {"condition": data.extras["condition"]}
    assert np.load(z).shape == (180, 2)
    x = tmp_path / "x.npy"
    assert main(["decode", str(out), "--z", str(z), "--dataset", "digits", "--out", str(x)]) == 0
    expected = model.decode(torch.from_numpy(np.load(z)), **condition).mean
    assert np.allclose(np.load(x), expected.detach(), atol=1e-5)
    few = ["--split", "valid", "--subset", "7", "--seed", "3"]
    assert main(["encode", str(out), *few, "--out", str(z)]) == 0
    assert main(["decode", str(out), *few, "--z", str(z), "--out", str(x)]) == 0
    codes = torch.from_numpy(np.load(z))
    view = View(pyvae.data.load("digits", conditions="label"), "scaled", "scaled")
    its_own = select(view, "valid", 7, seed=3).extra("condition")
    assert np.allclose(np.load(x), model.decode(codes, condition=its_own).mean.detach(), atol=1e-5)
    sevens = ["decode", str(out), "--z", str(z), "--condition", "label=7", "--out", str(x)]
    assert main(sevens) == 0
    seven = torch.eye(11)[7].expand(7, 11)
    assert np.allclose(np.load(x), model.decode(codes, condition=seven).mean.detach(), atol=1e-5)
    said = refused("decode", str(out), "--split", "test", "--z", str(z), "--out", str(x))
    assert "holds 7 rows of latents, and --split test (--subset 0) 180 rows of data" in said
    scored = ["score", str(out), "--split", "test", "--out", str(tmp_path / "s.npy")]
    assert main(scored) == 0
    results = json.loads((out / "results.json").read_text())
    assert np.load(tmp_path / "s.npy")[:, 0].mean() == pytest.approx(
        results["log_likelihood"], abs=1
    )
    for command in ("interpolate", "traverse", "manifold", "inpaint"):
        assert main([command, str(out), "--out", str(tmp_path / "a.npz")]) == 0, command


def test_runs_side_by_side(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other, figure = tmp_path / "other", tmp_path / "both.png"
    assert main(["train", "--out", str(other), *SMALL, "--objective-args", "beta=4"]) == 0
    capsys.readouterr()
    assert main(["compare", str(run), str(other), "--out", str(figure)]) == 0
    table = capsys.readouterr().out
    assert "beta=4" in table
    assert "latent dim" not in table  # what is the same says nothing
    results = [json.loads((one / "results.json").read_text()) for one in (run, other)]
    (line,) = [line for line in table.splitlines() if line.startswith("log p(x)")]
    assert line.split()[-2:] == [f"{one['log_likelihood']:.2f}" for one in results]
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert main(["compare", str(run), str(other), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said[str(run)]["results"] == results[0]


# What is refused


def test_wrong_files_and_names(run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    before = sorted(tmp_path.iterdir())
    here = str(run)
    endings = "--out must end in .npy, .csv, .parquet or .h5ad, got z.txt"
    assert endings in refused("encode", here, "--out", "z.txt")
    nowhere = str(tmp_path / "no" / "z.npy")
    assert "is not a folder" in refused("score", here, "--out", nowhere)
    assert "required: --out" in refused("encode", here)
    assert "is not a run folder" in refused("encode", "none", "--out", "z.npy")
    assert "named twice" in refused("compare", here, here)
    assert "--out must end in .png" in refused("compare", here, "--out", "a.jpg")
    assert sorted(tmp_path.iterdir()) == before
    out, z = str(tmp_path / "x.npy"), tmp_path / "z.npy"
    assert "does not exist" in refused("decode", here, "--z", str(z), "--out", out)
    z.write_bytes(b"no array")
    assert "cannot be read" in refused("decode", here, "--z", str(z), "--out", out)
    np.save(z, np.array([{}]), allow_pickle=True)
    assert "cannot be read" in refused("decode", here, "--z", str(z), "--out", out)
    np.save(z, np.zeros((4, 3)))
    said = refused("decode", here, "--z", str(z), "--out", out)
    assert "must hold rows of 2 latents, as the model has, got an array of shape (4, 3)" in said
    np.save(z, np.array([[0.0, 1.0], [np.nan, 1.0]]))
    assert "another in row 1" in refused("decode", here, "--z", str(z), "--out", out)
    table = tmp_path / "z.csv"
    table.write_text("a,b\n1,2\n")
    assert "no columns z0" in refused("decode", here, "--z", str(table), "--out", out)
    table.write_text("z0,z1\n1,2\n1,two\n")
    assert "row 1 is not" in refused("decode", here, "--z", str(table), "--out", out)
    assert not Path(out).exists()


def test_data_that_the_likelihood_cannot_explain(
    run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = np.full((20, 8, 8), -3.0)
    other = ["--dataset", str(tmp_path / "a.h5"), "--out", str(tmp_path / "s.npy")]
    said = refused("score", str(run), *other)
    assert "got values from -3 to -3" in said or "must be" in said
    assert not (tmp_path / "s.npy").exists()
