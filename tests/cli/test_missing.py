"""A table with empty cells, from the file to the filled table, and samples of its types."""

import csv
import json

import numpy as np
import pytest
import torch

from pyvae.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


def number(text):
    return float(text) if text else None


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Columns of each kind that hang together, a fifth of the cells empty."""
    path = tmp_path_factory.mktemp("table") / "my trees.csv"
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, generator=generator).tolist()
    keep = (torch.rand(400, 4, generator=generator) < 0.8).tolist()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["height", "class", "flag", "visits"])
        for value, kept in zip(z, keep, strict=True):
            row = [f"{50 + 10 * value:.2f}", ["low", "mid", "tall"][(value > -0.5) + (value > 0.5)]]
            row += [int(value > 0), int(3 * abs(value)) + 3]
            writer.writerow([cell if k else "" for cell, k in zip(row, kept, strict=True)])
    return path


@pytest.fixture(scope="module")
def run(table):
    out = table.parent / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    given = ["--preset", "miwae", "--dataset", str(table), "--likelihood", "mixed", "--quiet"]
    given += ["--latent-dim", "2", "--epochs", "40", "--eval-samples", "0", "--out", str(out)]
    assert main(["train", *given, "--objective-args", "num_samples=5"]) == 0
    torch.set_num_threads(threads)
    return out


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_is_filled(table, run, tmp_path):
    out = tmp_path / "full.csv"
    assert main(["impute", str(run), "--out", str(out), "--samples", "50"]) == 0
    filled, given = rows_of(out), rows_of(table)
    assert len(filled) == len(given) == 400
    assert list(filled[0]) == ["split", "row", "height", "class", "flag", "visits"]
    assert all(row["class"] in ("low", "mid", "tall") for row in filled)
    for cells, whole in zip(given, filled, strict=True):  # in the order of the file
        assert not cells["height"] or number(cells["height"]) == number(whole["height"])
        assert cells["class"] in ("", whole["class"]) and number(whole["flag"]) is not None
    heights = np.array([number(r["height"]) for r in filled])
    assert np.isfinite(heights).all() and heights.min() > 0 and heights.max() < 100
    tall = [number(r["height"]) for r in filled if r["class"] == "tall"]
    low = [number(r["height"]) for r in filled if r["class"] == "low"]
    assert np.mean(tall) > np.mean(low) + 10


def test_draws_and_arrays(run, tmp_path):
    out = tmp_path / "x.npy"
    given = ["--split", "test", "--samples", "20", "--draws", "--seed", "3"]
    found = []
    for _ in range(2):
        assert main(["impute", str(run), "--out", str(out), *given]) == 0
        found.append(np.load(out))
    assert found[0].shape == (40, 4) and np.array_equal(*found)
    assert (found[0][:, 1:] == found[0][:, 1:].round()).all()  # draws have the types of the columns


def test_samples_are_a_table_of_the_same_types(run, tmp_path):
    out = tmp_path / "drawn.csv"
    assert main(["sample", str(run), "-n", "30", "--out", str(out)]) == 0
    rows = rows_of(out)
    assert len(rows) == 30 and list(rows[0]) == ["height", "class", "flag", "visits"]
    assert {r["class"] for r in rows} <= {"low", "mid", "tall"}
    assert all(r["flag"] in ("0", "1") and r["visits"].isdecimal() for r in rows)


def test_a_run_of_whole_data_says_so(tmp_path, capsys):
    out = tmp_path / "run"
    small = ["--steps", "2", "--eval-samples", "0", "--quiet", "--encoder-args", "hidden=8"]
    assert main(["train", "--dataset", "digits", *small, "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["impute", str(out), "--out", str(tmp_path / "x.npy")]) == 2
    assert "was not made for data of which a part is missing" in capsys.readouterr().err
    assert main(["sample", str(out), "--out", str(tmp_path / "x.csv")]) == 2
    assert "digits are no table; give --out FILE.npy" in capsys.readouterr().err
    assert not list(tmp_path.glob("x.*"))


def test_no_bits_for_each_dimension_of_data_of_which_some_are_missing(tmp_path):
    path, out = tmp_path / "bits.csv", tmp_path / "run"
    cells = [["1", "0", ""][i % 3] + "," + ["0", "", "1"][i % 3] for i in range(60)]
    path.write_text("first,second\n" + "\n".join(cells) + "\n")
    small = ["--steps", "3", "--eval-samples", "0", "--quiet", "--encoder-args", "hidden=8"]
    given = ["--dataset", str(path), "--likelihood", "bernoulli", "--out", str(out)]
    assert main(["train", *given, *small]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["bits_per_dim"] is None and np.isfinite(results["elbo"])
