"""Data sets: what is read, what is refused, how batches are drawn."""

from __future__ import annotations

import functools
import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from pyvae import data
from pyvae.data import Batches, DataSplits, Split, draw_bits, view
from pyvae.data.binarize import Binarize
from pyvae.data.files import Source, fetch
from pyvae.data.formats import read_amat, read_idx, read_npz
from pyvae.data.sets import mnist as mnist_module
from pyvae.errors import DataError, UserError
from pyvae.likelihoods import BYTES, COUNTS, REAL, UNIT


def zipped(content: bytes) -> bytes:
    """Without the time of day, which would be in the names of tests."""
    return gzip.compress(content, mtime=0)


def idx_bytes(values: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return head + values.astype(np.uint8).tobytes()


# What is read


def test_digits_are_whole_and_disjoint() -> None:
    digits = data.load("digits")
    assert digits.data_shape == (1, 8, 8)
    assert [len(s) for s in (digits.train, digits.valid, digits.test)] == [1437, 180, 180]
    assert digits.levels == 16 == int(digits.train.x.max())
    from sklearn.datasets import load_digits

    every = torch.cat([digits.train.x, digits.valid.x, digits.test.x]).flatten(1).double()
    original = torch.from_numpy(load_digits().data)
    assert torch.equal(every.sum(0), original.sum(0))  # a permutation of all rows, no more, no less
    assert digits.train.y is not None
    assert digits.train.y.unique().tolist() == list(range(10))


def test_mnist_files(data_dir: Path) -> None:
    mnist = data.load("mnist", data_dir)
    assert mnist.data_shape == (1, 28, 28)
    assert [len(s) for s in (mnist.train, mnist.valid, mnist.test)] == [50000, 10000, 10000]
    assert mnist.train.x.dtype == torch.uint8
    assert mnist.test.y is not None
    assert mnist.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    mean = torch.cat([mnist.train.x, mnist.valid.x]).float().mean() / 255
    assert mean.item() == pytest.approx(0.1307, abs=1e-4)


def test_binarized_mnist_files(data_dir: Path) -> None:
    binary = data.load("binarized_mnist", data_dir)
    assert binary.levels == 1 == int(binary.train.x.max())
    assert [len(s) for s in (binary.train, binary.valid, binary.test)] == [50000, 10000, 10000]
    assert binary.test.x.float().mean().item() == pytest.approx(0.13251, abs=1e-5)


def test_freyface_file(data_dir: Path) -> None:
    frey = data.load("freyface", data_dir)
    assert frey.data_shape == (1, 28, 20)
    assert [len(s) for s in (frey.train, frey.valid, frey.test)] == [1565, 200, 200]
    again = data.load("freyface", data_dir)
    assert torch.equal(frey.test.x, again.test.x)


def test_idx_with_and_without_gzip(tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx_bytes(values))
    (tmp_path / "packed.gz").write_bytes(zipped(idx_bytes(values)))
    for name in ("plain", "packed.gz"):
        assert read_idx(tmp_path / name).tolist() == values.tolist()


def test_binarized_mnist_as_text_and_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyvae.data.sets import binarized_mnist as module

    bits = np.random.default_rng(0).integers(0, 2, (5, 784), dtype=np.uint8)
    text = "\n".join(" ".join(map(str, row)) for row in bits) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setattr(module, "_TEXTS", dict.fromkeys(module._TEXTS, digest))
    for split in ("train", "valid", "test"):
        (tmp_path / f"binarized_mnist_{split}.amat").write_text(text)
    assert np.array_equal(data.load("binarized_mnist", tmp_path).valid.x.flatten(1).numpy(), bits)
    np.savez(tmp_path / "binarized_mnist.npz", train=bits, valid=bits[:2], test=bits[:1])
    splits = data.load("binarized_mnist", tmp_path)
    assert np.array_equal(splits.valid.x.flatten(1).numpy(), bits[:2])


# What is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zipped(idx_bytes(np.zeros((3, 4))))[:-9], "cut short"),
        (zipped(idx_bytes(np.zeros((3, 4)))[:-2]), r"expected 24 bytes .* got 22"),
        (b"\x00\x00\x0d\x01" + bytes(8), "expected it to start with 00 00 08, got 00 00 0d"),
        (b"", "got nothing"),
        (b"<html>no such page</html>", "not an idx file"),
    ],
)
def test_bad_idx(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_bad_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, images=np.zeros((2, 3)))
    with pytest.raises(DataError, match="no array 'train': expected train, got images"):
        read_npz(path, ["train"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cut short"):
        read_npz(path, ["images"])
    np.savez(path, images=np.array([object()]))
    with pytest.raises(DataError, match=r"not an \.npz file of numbers"):  # never unpickled
        read_npz(path, ["images"])


def test_bad_amat(tmp_path: Path) -> None:
    path = tmp_path / "bad.amat"
    for text in ("0 1 0", "0 1 2 1", ""):
        path.write_text(text)
        with pytest.raises(DataError, match="rows of 4"):
            read_amat(path, 4)


def test_wrong_shapes_in_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "freyface.npz", images=np.zeros((9, 20, 28), np.uint8))
    with pytest.raises(DataError, match=r"must be \(N, 28, 20\) uint8, got \(9, 20, 28\)"):
        data.load("freyface", tmp_path)
    np.savez(tmp_path / "binarized_mnist.npz", **{key: [1] for key in ("train", "valid", "test")})
    with pytest.raises(DataError, match=r"array 'train' must be packed bits"):
        data.load("binarized_mnist", tmp_path)


def test_a_local_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(zipped(idx_bytes(np.zeros((3, 28, 28)))))
    got = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(DataError) as caught:
        data.load("mnist", tmp_path)
    for part in (str(path), "f68b3c2dcbeaaa9fbdd348bbdeb94873", got):
        assert part in str(caught.value)


def test_a_missing_file_without_source_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"freyface\.npz is neither in") as caught:
        data.load("freyface", tmp_path)
    assert str(tmp_path / "freyface") in str(caught.value)


def test_the_environment_names_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYVAE_DATA_DIR", str(tmp_path))
    (tmp_path / "freyface").mkdir()
    np.savez(tmp_path / "freyface" / "freyface.npz", images=np.zeros((10, 28, 20), np.uint8))
    assert len(data.load("freyface").train) == 6


# Downloads, from a server on this machine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{http.server_port}/"
    http.shutdown()
    http.server_close()


def test_download_is_checked_and_kept(tmp_path: Path, server: tuple[Path, str]) -> None:
    folder, url = server
    (folder / "file").write_bytes(b"right")
    digest = "md5:" + hashlib.md5(b"right").hexdigest()
    source = Source("file", digest, (url + "missing", url + "file"))  # the first mirror fails
    path = fetch("some", source, tmp_path / "data")
    assert path == tmp_path / "data" / "some" / "file"
    assert path.read_bytes() == b"right"
    (folder / "file").unlink()
    assert fetch("some", source, tmp_path / "data") == path  # no second download


def test_download_with_another_checksum_leaves_nothing(
    tmp_path: Path, server: tuple[Path, str]
) -> None:
    folder, url = server
    (folder / "file").write_bytes(b"wrong")
    digest = hashlib.md5(b"right").hexdigest()
    with pytest.raises(DataError, match=digest):
        fetch("some", Source("file", f"md5:{digest}", (url + "file",)), tmp_path / "data")
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_mnist_downloads_its_four_files(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = server
    digests = {}
    for stem in mnist_module._MNIST:  # type: ignore[attr-defined]
        shape = (6, 28, 28) if "images" in stem else (6,)
        content = zipped(idx_bytes(np.full(shape, 3)))
        (folder / f"{stem}.gz").write_bytes(content)
        digests[stem] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(mnist_module, "_MNIST", digests)
    monkeypatch.setattr(mnist_module, "_MNIST_URLS", (url,))
    mnist = data.load("mnist", tmp_path / "data")
    assert len(mnist.train) + len(mnist.valid) == 6 == len(mnist.test)
    assert len(list((tmp_path / "data" / "mnist").iterdir())) == 4


# Grey levels and bits


def test_drawn_bits_have_the_grey_level_as_mean() -> None:
    levels = torch.tensor([0, 1, 16, 100, 254, 255], dtype=torch.uint8)
    n = 200_000
    bits = draw_bits(levels.expand(n, 6), 255, torch.Generator().manual_seed(1))
    assert bits.unique().tolist() == [0.0, 1.0]
    p = levels.double() / 255
    error = (p * (1 - p) / n).sqrt()
    assert ((bits.double().mean(0) - p).abs() <= 5 * error + 2**-16).all()
    assert bits[:, 0].sum() == 0
    assert bits[:, -1].sum() == n
    pairs = torch.corrcoef(bits[:, 1:5].T) - torch.eye(4)
    assert pairs.abs().max() < 0.015  # neighbours come from one random word, and are independent


def grey() -> DataSplits:
    x = torch.full((50, 1, 4, 4), 64, dtype=torch.uint8)
    return DataSplits("grey", Split(x), Split(x[:20]), Split(x[:20]), levels=255)


def test_dynamic_binarization_is_fresh_and_held_out_data_are_fixed() -> None:
    shown = view(grey(), UNIT, "auto", binary=True, seed=5)
    generator = torch.Generator().manual_seed(0)
    x = shown.data.train.x
    first, second = (shown.train_values(x, generator) for _ in range(2))
    assert not torch.equal(first, second)
    other = view(grey(), UNIT, "dynamic", binary=True, seed=6)
    test = shown.held_out_values(shown.held_out("test").x)
    assert torch.equal(test, other.held_out_values(other.held_out("test").x))
    assert test.unique().tolist() == [0, 1]
    assert not torch.equal(test, shown.held_out_values(shown.held_out("valid").x))


def test_fixed_binarization_is_drawn_once_from_the_seed() -> None:
    shown, same, other = (
        view(grey(), UNIT, "fixed", binary=True, seed=seed).data.train.x for seed in (1, 1, 2)
    )
    assert torch.equal(shown, same)
    assert not torch.equal(shown, other)
    assert shown.unique().tolist() == [0, 1]


def test_no_binarization_scales_or_leaves_the_levels() -> None:
    generator = torch.Generator()
    for data_range, binary in ((UNIT, True), (REAL, False)):
        shown = view(grey(), data_range, "none", binary=binary, seed=0)
        for x in (
            shown.train_values(shown.data.train.x, generator),
            shown.held_out_values(shown.data.test.x),
        ):
            assert x.unique().tolist() == pytest.approx([64 / 255])
    levels = view(grey(), BYTES, "auto", binary=False, seed=0)
    assert levels.train_values(levels.data.train.x, generator).dtype == torch.uint8
    assert levels.white == 255


@pytest.mark.parametrize("binarize", ["dynamic", "fixed", "none"])
def test_pictures_show_the_grey_levels_of_the_same_rows(binarize: Binarize) -> None:
    levels = torch.arange(50, dtype=torch.uint8).mul(5).view(50, 1, 1, 1).expand(50, 1, 40, 40)
    grey = DataSplits("grey", *[Split(levels)] * 3, levels=255)
    shown = view(grey, UNIT, binarize, binary=True, seed=0)
    for split in ("valid", "test"):
        seen = shown.held_out_values(shown.held_out(split).subset(20, seed=3).x)
        pictured = shown.pictured(split, 20, seed=3)
        assert pictured.unique(dim=0).shape == (20, 1, 40, 40)
        expected = seen.float().mean((1, 2, 3))  # of drawn bits: the level, nearly
        torch.testing.assert_close(pictured[:, 0, 0, 0], expected, atol=0.06, rtol=0)


def test_levels_that_do_not_fit() -> None:
    counts = DataSplits("counts", *[Split(torch.ones(3, 2))] * 3, levels=None)
    with pytest.raises(UserError, match="counts has no grey levels"):
        view(counts, COUNTS, "fixed", binary=False, seed=0)
    digits = DataSplits("digits", *[Split(torch.ones(3, 1, 2, 2))] * 3, levels=16)
    with pytest.raises(UserError, match="16; the likelihood needs whole numbers from 0 to 255"):
        view(digits, BYTES, "none", binary=False, seed=0)


# Batches


def split_of(n: int) -> Split:
    rows = torch.arange(n)
    return Split(rows.view(n, 1), rows * 10, {"size": rows * 100})


def test_an_epoch_visits_each_row_once_with_what_belongs_to_it() -> None:
    batches = Batches(split_of(25), 10, seed=0)
    assert batches.steps_per_epoch == 3
    orders = []
    for epoch in range(2):
        assert batches.epoch == epoch
        parts = [batches.next() for _ in range(3)]
        assert [len(part) for part in parts] == [10, 10, 5]
        for part in parts:
            assert part.y is not None
            assert torch.equal(part.x[:, 0] * 10, part.y)
            assert torch.equal(part.x[:, 0] * 100, part.extras["size"])
        orders.append(torch.cat([part.x for part in parts]).flatten())
        assert orders[-1].sort().values.tolist() == list(range(25))
    assert not torch.equal(*orders)


def test_the_order_depends_on_the_seed_alone() -> None:
    def order(seed: int, noise: int) -> list[int]:
        torch.manual_seed(noise)
        batches = Batches(split_of(25), 10, seed)
        return [int(n) for _ in range(5) for n in batches.next().x.flatten()]

    assert order(1, 0) == order(1, 1)
    assert order(1, 0) != order(2, 0)


@pytest.mark.parametrize("steps", [0, 2, 3, 7])
def test_batches_can_be_left_and_taken_up(steps: int) -> None:
    whole = Batches(split_of(25), 10, seed=3)
    for _ in range(steps):
        whole.next()
    again = Batches(split_of(25), 10, seed=99)
    again.load_state_dict(whole.state_dict())
    for _ in range(7):
        assert torch.equal(whole.next().x, again.next().x)
        assert (whole.epoch, whole.position) == (again.epoch, again.position)
    with pytest.raises(ValueError, match="had 25 rows and have 24"):
        Batches(split_of(24), 10, seed=3).load_state_dict(whole.state_dict())


def test_subsets_are_random_rows_and_stay_the_same() -> None:
    subset = split_of(1000).subset(100)
    assert len(subset.x.unique()) == 100
    assert subset.x.double().mean().item() == pytest.approx(500, abs=100)
    assert torch.equal(subset.x, split_of(1000).subset(100).x)
    assert split_of(5).subset(10).x.tolist() == split_of(5).x.tolist()
