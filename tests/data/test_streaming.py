"""Rows that stay in their files: the same rows, read in shuffled blocks, in little memory."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from row_files import (
    COLUMNS,
    COPIED,
    IN_PLACE,
    RNG,
    X,
    Y,
    hdf5_in_chunks,
    images,
    npy,
    npz,
    sparse_rows,
    whole,
)

import pyvae
from pyvae import data
from pyvae.cli import main
from pyvae.data import DataSplits, memory, stored, view
from pyvae.data import survey as survey_module
from pyvae.data.binarize import Binarize
from pyvae.data.encoding import Encoding
from pyvae.data.row_file import RowFile
from pyvae.data.stored import StoredBatch
from pyvae.data.survey import moments, survey
from pyvae.errors import DataError
from pyvae.likelihoods.bernoulli import BernoulliLikelihood


def assert_alike(held: DataSplits, away: DataSplits) -> None:
    """The same rows in the same splits, with what belongs to them."""
    assert held.levels == away.levels and held.data_shape == away.data_shape
    assert held.classes == away.classes and held.conditions == away.conditions
    for name, one in held.splits.items():
        other, order = whole(away.splits[name]), held.rows[name].argsort()
        assert torch.equal(held.rows[name][order], away.rows[name])
        assert one.x.dtype == other.x.dtype == away.splits[name].x.dtype
        torch.testing.assert_close(one.x[order], other.x, rtol=1e-5, atol=1e-5)
        assert (one.y is None) == (other.y is None)
        assert one.y is None or torch.equal(one.y[order], other.y)
        assert set(one.extras) == set(other.extras) == set(away.splits[name].extras)
        for key, value in one.extras.items():
            torch.testing.assert_close(value[order], other.extras[key])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("write", [*IN_PLACE, *COPIED], ids=lambda f: f.__name__)
def test_rows_are_those_of_data_in_memory(
    tmp_path: Path, cache: Path, write: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path)
    held, away = data.load(path), data.load(path, streaming=True)
    assert isinstance(away.train, StoredBatch) and away.train.x.is_meta
    assert_alike(held, away)
    copied = write in COPIED
    assert cache.exists() == copied and ("a file without a name in" in caplog.text) == copied
    assert "read from" in caplog.text and "in shuffled blocks" in caplog.text
    assert not copied or list(cache.iterdir()) == []
    index = torch.tensor([5, 3, 3, 0])
    assert torch.equal(away.train.take(index).x, whole(away.train).x[index])
    assert torch.equal(away.train[2:7].x, whole(away.train).x[2:7])
    assert len(away.train[:0]) == 0 and len(away.train.part(index)) == 4


@pytest.mark.parametrize("values", ["levels", "real", "counts"])
def test_what_does_not_fit_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: str
) -> None:
    """The numbers, the splits and the errors are those of data in memory."""
    x = RNG.integers(1, 200, (5000, 40)).astype("f4")
    if values == "real":
        x[7, 3] = np.nan
    np.save(tmp_path / "x.npy", x)
    held = data.load(tmp_path / "x.npy", values=values)
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    away = data.load(tmp_path / "x.npy", values=values)
    assert isinstance(away.train, StoredBatch)
    assert_alike(held, away)
    assert isinstance(
        data.load(tmp_path / "x.npy", values=values, streaming=False).train.x.sum(), torch.Tensor
    )
    x[4321, 5] = np.inf
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=r"row 4321, column 5|must hold levels"):
        data.load(tmp_path / "x.npy", values=values)


def test_an_archive_that_is_not_compressed_is_read_in_place(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "a.npz", other=np.ones(1000), y=Y, x=X.astype("f8"))
    held = data.load(tmp_path / "a.npz")
    monkeypatch.setattr(memory, "available_memory", lambda: 10_000)
    away = data.load(tmp_path / "a.npz")
    assert_alike(held, away)
    assert isinstance(away.train, StoredBatch) and not cache.exists()


def test_a_disk_without_room(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hdf5_in_chunks(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"230 x 12 numbers .* the disk of .* has 1 kB"):
        data.load(path, streaming=True)


def test_files_that_shrink_are_noticed(tmp_path: Path) -> None:
    away = data.load(npy(tmp_path), streaming=True)
    with open(tmp_path / "a.npy", "r+b") as file:
        file.truncate(4000)
    with pytest.raises(DataError, match="has been cut short since it was opened"):
        whole(away.train)


def test_what_is_asked_of_any_data_set(tmp_path: Path) -> None:
    """Logarithms, scales, conditions and few labels are those of data in memory."""
    x = X.copy()
    x[RNG.random(x.shape) < 0.1] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=Y)
    for options in (
        {"standardize": True},
        {"log1p": True, "standardize": True},
        {"conditions": "label"},
        {"labels_per_class": 5},
    ):
        pair = [
            data.load(tmp_path / "a.npz", streaming=s, values="real", **options)
            for s in (False, True)
        ]
        if "labels_per_class" not in options:  # which repeats other rows
            assert_alike(*pair)
        assert [len(s) for s in pair[0].splits.values()] == [
            len(s) for s in pair[1].splits.values()
        ]
        assert pair[0].train.extras.keys() == pair[1].train.extras.keys()


@pytest.mark.parametrize("rows", [5, 64, 230])
def test_rows_in_any_order_and_more_than_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Whether they are read at once or a few at a time, with what belongs to them."""
    away = data.load(npz(tmp_path), streaming=True, values="counts", standardize=True).train
    every = away[:]
    monkeypatch.setattr(stored, "_AT_ONCE", rows * 4 * COLUMNS)
    index = torch.from_numpy(RNG.integers(0, len(away), 300))
    room = away.take(torch.arange(len(away)).repeat(2))
    for taken in (away.take(index), away.take(index, room)):
        assert torch.equal(taken.x, every.x[index]) and taken.x.is_contiguous()
        assert torch.equal(taken.y, every.y[index])
        assert torch.equal(taken.extras["library"], every.extras["library"][index])


@pytest.mark.parametrize("values", ["real", "levels"])
def test_what_training_must_know_is_found_by_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: str
) -> None:
    """Check, moments and checksum read each row once, and say what they say of rows in memory."""
    monkeypatch.setattr(survey_module, "_NUMBERS", 20 * COLUMNS)
    held, away = (data.load(npy(tmp_path), streaming=s, values=values) for s in (False, True))
    for one, other in zip(moments(held.train), moments(away.train), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        assert one.dtype == torch.float64
    x = held.train.x.double()
    torch.testing.assert_close(moments(held.train)[0], x.mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(moments(held.train)[1], x.std(0, correction=0), rtol=1e-6, atol=0)
    away, read = data.load(npy(tmp_path), streaming=True, values=values), []
    monkeypatch.setattr(
        RowFile,
        "_read",
        lambda self, into, place, real=RowFile._read: (
            read.append(len(into)),
            real(self, into, place),
        ),
    )
    seen: list[int] = []
    first = survey(away.train, lambda block: seen.append(len(block)))
    assert sum(seen) == len(away.train) and len(seen) > 5
    times = len(read)
    assert survey(away.train) is first and moments(away.train)[0] is first.mean
    assert len(read) == times
    survey(away.train, lambda block: seen.append(len(block)))
    assert sum(seen) == 2 * len(away.train)
    assert not away.train.part(slice(5)).known and not away.train.rowwise(lambda b: b).known


def test_files_are_closed_with_the_data(tmp_path: Path) -> None:
    away = data.load(npy(tmp_path), streaming=True)
    file = next(o for o in gc.get_objects() if isinstance(o, RowFile))._file
    del away
    gc.collect()
    assert file.closed


def run(path: Path, out: Path, *more: str) -> list[str]:
    return [
        *("train", "--dataset", str(path), "--out", str(out), "--latent-dim", "2"),
        *("--eval-samples", "0", "--batch-size", "16", "--quiet", *more),
    ]


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (npy, ["--likelihood", "gaussian", "--dataset-args", "streaming=true", "standardize=true"]),
        (sparse_rows, ["--likelihood", "negative_binomial", "--dataset-args", "streaming=true"]),
        (images, ["--likelihood", "bernoulli", "--dataset-args", "streaming=true"]),
    ],
)
def test_training_resumes_with_the_same_numbers(
    tmp_path: Path, cache: Path, write: Any, options: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path)
    assert main(run(path, tmp_path / "whole", "--epochs", "2", *options)) == 0
    assert main(run(path, tmp_path / "part", "--epochs", "1", *options)) == 0
    assert main(["train", "--resume", str(tmp_path / "part"), "--epochs", "2", "--quiet"]) == 0
    one, other = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "part")
    )
    assert one == other and "in shuffled blocks" in caplog.text


def test_a_run_goes_on_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows stay in their file though there is memory for them now; but not the other way."""
    path, free = npy(tmp_path), memory.available_memory
    for name, available in (("away", lambda: 10_000), ("held", free)):
        monkeypatch.setattr(memory, "available_memory", available)
        options = ["--likelihood", "gaussian", "--dataset-args", "values=real"]
        assert main(run(path, tmp_path / name, "--steps", "3", *options)) == 0
    assert main(["train", "--resume", str(tmp_path / "away"), "--steps", "5", "--quiet"]) == 0
    monkeypatch.setattr(memory, "available_memory", lambda: 10_000)
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "held"), "--steps", "5", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "were held in memory" in said and "streaming=false" in said


def test_other_data_in_files_become_numbers_as_those_before(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    (tmp_path / "a.csv").write_text("n,kind\n" + "1.5,oak\n2.5,ash\n" * 20)
    (tmp_path / "b.csv").write_text("kind,n\n" + "oak,7.5\n" * 40)
    before = Encoding.of(data.load(tmp_path / "a.csv", standardize=True))
    held, away = (
        before.applied(data.load(tmp_path / "b.csv", standardize=True, streaming=streaming))
        for streaming in (False, True)
    )
    assert torch.equal(held.train.x, whole(away.train).x)
    assert before.scale is not None
    mean, std = before.scale
    torch.testing.assert_close(held.train.x[0], (torch.tensor([7.5, 1.0]) - mean) / std)


def test_what_is_said_of_data_that_stay_in_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, said = npy(tmp_path), []
    for streaming in ("true", "false"):
        options = ["--dataset-args", f"streaming={streaming}", "values=real"]
        assert main(["data", str(path), *options, "--out", str(tmp_path / "x.png")]) == 0
        said.append(capsys.readouterr().out.splitlines())
    away, held = said
    assert [line for line in away if "memory" not in line] == [
        line for line in held if "memory" not in line
    ]
    assert "0 bytes; the values stay in their file" in "".join(away)
    assert "memory       11 kB" in "".join(held)


@pytest.mark.parametrize("binarize", ["fixed", "dynamic"])
def test_bits_that_are_drawn_once_lie_in_a_file(
    tmp_path: Path, cache: Path, binarize: Binarize
) -> None:
    away = data.load(images(tmp_path), streaming=True, levels=255)
    likelihood = BernoulliLikelihood(away.data_shape)
    one, other = (
        view(away, likelihood.data_range, binarize, binary=True, seed=3) for _ in range(2)
    )
    for name, split in one.data.splits.items():
        bits, grey = whole(split).x, whole(away.splits[name])
        assert torch.equal(bits, whole(other.data.splits[name]).x)
        assert torch.equal(whole(split).y, grey.y)
        if name == "train" and binarize == "dynamic":
            assert torch.equal(bits, grey.x)
        else:
            assert bits.unique().tolist() == [0, 1] and not bits[grey.x == 0].any()
            expected = float(grey.x.double().mean() / 255)
            assert (
                abs(float(bits.double().mean()) - expected) < 4 * (expected / bits.numel()) ** 0.5
            )
    assert list(cache.iterdir()) == []


def test_fit_takes_rows_in_files(tmp_path: Path) -> None:
    splits = data.load(npy(tmp_path), streaming=True, values="real")
    vae = pyvae.VAE((COLUMNS,), 2, likelihood="gaussian")
    history = pyvae.fit(vae, splits, epochs=1, batch_size=16, progress=False)
    assert len(history.rows) > 0


LIMITED = """
import resource, sys
import pyvae.training, torch  # their addresses differ from machine to machine
from pyvae.cli import main
there = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, 2 * (there + 700_000_000,))
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits addresses")
def test_a_file_larger_than_the_limit_of_addresses(tmp_path: Path) -> None:
    """A file of 1 GB, of which nothing is on the disk, in 700 MB of addresses besides torch's."""
    rows, path = 2_000_000, tmp_path / "big.npy"
    with open(path, "wb") as file:
        said = {"descr": "|u1", "fortran_order": False, "shape": (rows, 512)}
        np.lib.format.write_array_header_1_0(file, said)
        file.truncate(file.tell() + rows * 512)
    arguments = run(path, tmp_path / "run", "--likelihood", "gaussian", "--steps", "20")
    arguments += ["--dataset-args", "splits=0.999,0.0005,0.0005"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 900_000  # kB
