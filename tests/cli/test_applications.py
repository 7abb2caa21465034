"""Pictures of what latents mean and of repaired data: what is drawn, and what it is measured by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from pyvae import VAE
from pyvae.analysis import (
    between,
    bicubic,
    inpaint,
    interpolate,
    missing_region,
    restore,
    traverse,
)
from pyvae.cli import main
from pyvae.errors import UserError
from pyvae.models import HelmholtzMachine

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["--encoder-args", "hidden=16", "--decoder-args", "hidden=16", "--quiet"]
SMALL += ["--steps", "20", "--eval-samples", "0"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run on points, which are no images."""
    out = tmp_path_factory.mktemp("runs") / "points"
    data = ["--dataset", "toy2d", "--likelihood", "gaussian", "--latent-dim", "2"]
    assert main(["train", "--out", str(out), *SMALL, *data]) == 0
    return out


# Ways through the latents


def test_a_spherical_way_keeps_the_norm_and_turns_evenly() -> None:
    torch.manual_seed(0)
    a, b = (torch.nn.functional.normalize(torch.randn(6, 9), dim=1) * 3 for _ in range(2))
    way = between(a, b, 7)
    assert torch.allclose(way[:, 0], a, atol=1e-5) and torch.allclose(way[:, -1], b, atol=1e-5)
    assert torch.allclose(way.norm(dim=-1), torch.full((6, 7), 3.0), atol=1e-5)
    turns = torch.cosine_similarity(way[:, 1:], way[:, :-1], dim=-1).acos()
    assert torch.allclose(turns, turns[:, :1].expand_as(turns), atol=1e-3)
    assert torch.allclose(between(a, 2 * a, 3)[:, 1], 1.5 * a)  # one direction
    assert torch.allclose(between(a, -a, 3)[:, 1], torch.zeros_like(a))  # and no plane
    assert torch.allclose(between(a, torch.zeros_like(a), 3)[:, 1], a / 2, atol=2)
    assert torch.allclose(between(a, b, 3, "linear")[:, 1], (a + b) / 2)
    with pytest.raises(ValueError, match="path must be spherical or linear, got 'straight'"):
        between(a, b, 3, "straight")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="steps be 2 or more"):
        between(a, b, 1)


def test_interpolation_is_the_decoder_along_the_way() -> None:
    torch.manual_seed(0)
    model = VAE((1, 8, 8), latent_dim=3)
    a, b = torch.randn(2, 4, 3)
    x = interpolate(model, a, b, 5)
    assert torch.allclose(x[:, 0], model.decode(a).mean, atol=1e-5)
    assert torch.allclose(x[:, 4], model.decode(b).mean, atol=1e-5)
    assert torch.allclose(x[:, 2], model.decode(between(a, b, 5)[:, 2]).mean, atol=1e-5)
    with pytest.raises(ValueError, match="the latents must be real numbers"):
        interpolate(HelmholtzMachine((1, 8, 8), (5,)), torch.zeros(1, 5), torch.ones(1, 5))


def test_a_traversal_moves_one_latent_through_the_prior(linear_gaussian) -> None:
    torch.manual_seed(0)
    model, _ = linear_gaussian()
    z = torch.tensor([0.3, -0.7], dtype=torch.float64)
    x = traverse(model, z, steps=5, width=2.0)
    w = model.decoder.output.weight
    moved = x - x[:, 2:3]  # from the prior's mean of that latent
    steps = torch.linspace(-2, 2, 5, dtype=torch.float64)
    assert torch.allclose(moved, steps[None, :, None] * w.T[:, None])
    assert torch.allclose(x[0, 2], model.decode(torch.tensor([[0.0, -0.7]]).double()).mean[0])
    assert torch.allclose(traverse(model, z, latents=[1], steps=5, width=2.0)[0], x[1])
    with pytest.raises(ValueError, match="latents must be from 0 to 1"):
        traverse(model, latents=[2])
    wide = VAE((4,), 2, prior="mixture_of_gaussians", likelihood="gaussian")
    assert traverse(wide).shape == (2, 9, 4)
    assert traverse(VAE((4,), 2, prior="flow", likelihood="gaussian")).shape == (2, 9, 4)


# Missing parts


def test_filled_in_values_are_the_conditional_mean(linear_gaussian) -> None:
    """With the true posterior the chain's law is p(x_mis | x_obs), known for a Gaussian."""
    torch.manual_seed(0)
    model, truth = linear_gaussian(exact=True)
    assert isinstance(truth, MultivariateNormal)
    x = truth.sample((1,)).expand(500, 5)
    missing = torch.tensor([False, False, False, True, True]).expand(500, 5)
    hidden = torch.where(missing, torch.full_like(x, 1e6), x)  # must not be looked at
    filled = inpaint(model, hidden, missing, steps=40, chains=3)
    assert torch.equal(filled[~missing], x[~missing])
    c, b = truth.covariance_matrix, truth.mean
    mean = b[3:] + c[3:, :3] @ torch.linalg.solve(c[:3, :3], x[0, :3] - b[:3])
    assert torch.allclose(filled[:, 3:].mean(0), mean, atol=0.05)
    one, ten = (inpaint(model, hidden, missing, 10, chains=c)[:, 3:] for c in (1, 10))
    assert (ten.var(0) / one.var(0)).mean().item() == pytest.approx(0.1, rel=0.3)
    with pytest.raises(ValueError, match="missing has 3 rows, fewer than the data"):
        inpaint(model, x, missing[:3])


def test_regions() -> None:
    shape = (2, 4, 6)
    for name, expected in (("top", 12), ("left", 12), ("centre", 8), ("box:1,2,2,5", 3)):
        region = missing_region(name, shape, rows=3)
        assert region.shape == (3, *shape)
        assert region.sum((1, 2, 3)).tolist() == [2 * expected] * 3, name
    assert missing_region("box:1,2,2,5", shape, 1)[0, 0, 1, 2:5].all()
    assert (missing_region("top", shape, 1) ^ missing_region("bottom", shape, 1)).all()
    assert (missing_region("right", shape, 1) ^ missing_region("left", shape, 1)).all()
    drawn = missing_region("random:0.3", (2, 50, 60), rows=4, seed=1)
    assert drawn.float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(drawn[:, 0], drawn[:, 1])  # all channels of a pixel
    assert not torch.equal(drawn[0], drawn[1])
    assert missing_region("random:0.5", (7,), rows=2).shape == (2, 7)


@pytest.mark.parametrize(
    ("words", "shape", "said"),
    [
        ("middle", (1, 4, 4), "must be top, bottom"),
        ("top", (7,), "data of shape (7,) are none"),
        ("random:2", (7,), "a share between 0 and 1"),
        ("box:0,0,9,9", (1, 4, 4), "within 4 x 4 pixels"),
        ("box:a", (1, 4, 4), "TOP,LEFT,BOTTOM,RIGHT"),
        ("box:0,0,4,4", (1, 4, 4), "nothing to go by"),
        ("none.npy", (1, 4, 4), "cannot be read"),
        ("none.png", (1, 4, 4), "cannot be read"),
    ],
)
def test_wrong_regions(words: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(UserError, match="--missing") as raised:
        missing_region(words, shape, rows=2)
    assert said in str(raised.value)


def test_regions_of_files(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    region = np.zeros((4, 4), dtype=np.uint8)
    region[1, 2] = 1
    np.save(tmp_path / "a.npy", region)
    imsave(tmp_path / "a.png", region, cmap="gray")
    for name in ("a.npy", "a.png"):
        found = missing_region(str(tmp_path / name), (1, 4, 4), 2)
        assert found.nonzero().tolist() == [[0, 0, 1, 2], [1, 0, 1, 2]], name
    np.save(tmp_path / "b.npy", np.ones((3, 5)))
    with pytest.raises(UserError, match=r"has shape \(3, 5\), which does not fit"):
        missing_region(str(tmp_path / "b.npy"), (1, 4, 4), 2)


# Commands


def test_pictures_and_arrays(run: Path, tmp_path: Path) -> None:
    png, npz, npy = (tmp_path / f"a.{kind}" for kind in ("png", "npz", "npy"))
    everything = ["--out", str(png), str(npz), str(npy)]
    for words, keys, shape in (
        (["interpolate", "-n", "3", "--steps", "4"], {"x", "z"}, (3, 4, 1, 8, 8)),
        (["traverse", "--steps", "5"], {"x", "latents"}, (2, 5, 1, 8, 8)),
        (["traverse", "--latents", "1", "--from-prior"], {"x", "latents"}, (1, 9, 1, 8, 8)),
        (["manifold", "--size", "3"], {"x", "z"}, (9, 1, 8, 8)),
    ):
        command, *options = words
        assert main([command, str(run), *options, *everything]) == 0
        assert png.read_bytes()[:4] == b"\x89PNG"
        arrays = np.load(npz)
        assert set(arrays) == keys, command
        assert arrays["x"].shape == np.load(npy).shape == shape, command
        assert np.array_equal(arrays["x"], np.load(npy))
    assert main(["traverse", str(run)]) == 0
    assert (run / "traversal.png").exists()


def test_repairs_and_their_errors(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, npz = tmp_path / "a.png", tmp_path / "a.npz"
    common = ["-n", "20", "--json", "--out", str(png), str(npz)]
    for words, last, baseline in (
        (["inpaint", "--steps", "6"], "filled", "mean of the training data"),
        (
            ["inpaint", "--missing", "random:0.5", "--chains", "1"],
            "filled",
            "mean of the training data",
        ),
        (["denoise", "--corruption", "gaussian", "--level", "0.3"], "denoised", "noisy data"),
        (["super-resolve", "--factor", "2"], "fine", "bicubic"),
    ):
        command, *options = words
        capsys.readouterr()
        assert main([command, str(run), *options, *common]) == 0
        said = json.loads(capsys.readouterr().out.splitlines()[0])
        arrays = np.load(npz)
        assert said["rows"] == 20 == len(arrays[last])
        where = arrays["missing"] if "missing" in arrays else np.ones_like(arrays["x"], bool)
        error = np.sqrt(np.square(arrays[last] - arrays["x"])[where].mean())
        assert said["rmse"]["model"] == pytest.approx(error, rel=1e-5)
        assert baseline in said["rmse"]
        assert png.read_bytes()[:4] == b"\x89PNG"
    assert main(["inpaint", str(run), "-n", "5"]) == 0
    assert "root mean squared error" in capsys.readouterr().out


def test_a_model_trained_on_few_pixels_brings_them_back(tmp_path: Path) -> None:
    out = tmp_path / "run"
    few = ["--objective", "denoising", "--objective-args", "corruption=downsample", "level=2"]
    more = ["--steps", "300", "--latent-dim", "20", "--binarize", "none", "--eval-samples", "0"]
    more += ["--lr", "3e-3"]
    assert main(["train", "--out", str(out), "--quiet", *few, *more]) == 0
    npz = tmp_path / "a.npz"
    assert main(["super-resolve", str(out), "-n", "180", "--out", str(npz)]) == 0
    arrays = np.load(npz)
    error = {name: np.square(arrays[name] - arrays["x"]).mean() for name in ("coarse", "fine")}
    assert error["fine"] < 0.8 * error["coarse"]
    blocks = arrays["coarse"].reshape(-1, 4, 2, 4, 2)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    means = arrays["x"].reshape(-1, 4, 2, 4, 2).mean((2, 4))
    assert np.allclose(blocks[:, :, 0, :, 0], means, atol=1e-6)


def test_restoring_is_the_mean_of_the_mean() -> None:
    torch.manual_seed(0)
    model, x = VAE((1, 8, 8), 3), torch.rand(5, 1, 8, 8)
    assert torch.allclose(restore(model, x), model.decode(model.encode(x).mean).mean, atol=1e-6)
    flat = torch.full((2, 1, 9, 7), 0.25)
    assert torch.allclose(bicubic(flat, 2), flat)


def test_data_that_are_no_images(table: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    here, npz = str(table), str(tmp_path / "a.npz")
    assert main(["traverse", here, "--out", npz]) == 0
    assert np.load(npz)["x"].shape == (2, 9, 2)
    assert main(["inpaint", here, "--missing", "random:0.5", "--out", npz, "--steps", "4"]) == 0
    assert main(["interpolate", here, "--out", npz]) == 0
    assert "are no images; give --out FILE.npz" in refused("traverse", here)
    assert "is a part of an image" in refused("inpaint", here, "--out", npz)
    assert "are no images" in refused("super-resolve", here, "--out", npz)


def test_what_is_refused(run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    here, files = str(run), sorted(run.iterdir())
    assert "was not trained on noise" in refused("denoise", here)
    assert "say how many times fewer" in refused("super-resolve", here)
    one = ["super-resolve", here, "--factor", "1"]
    assert "a whole number of 2 or more, got 1" in refused(*one)
    loud = ["denoise", here, "--corruption", "masking", "--level", "2"]
    assert "the level of masking must be from 0 to 1" in refused(*loud)
    assert "from 0 to 1" in refused("traverse", here, "--latents", "5")
    assert "must end in .png, .npy or .npz" in refused("manifold", here, "--out", "a.jpg")
    assert "steps be 2 or more" in refused("interpolate", here, "--steps", "1")
    bad = ["--objective", "denoising", "--objective-args", "corruption=downsample"]
    said = refused("train", "--out", str(tmp_path / "r"), *SMALL, *bad)
    assert "the level of downsample must be a whole number of 2 or more, got 0.25" in said
    flat = [*bad, "level=2", "--dataset", "toy2d", "--likelihood", "gaussian"]
    said = refused("train", "--out", str(tmp_path / "r"), *SMALL, *flat)
    assert "downsample is for signals, images and volumes" in said
    assert sorted(run.iterdir()) == files
    other = tmp_path / "wide"
    assert main(["train", "--out", str(other), *SMALL, "--latent-dim", "3"]) == 0
    assert "must have 2 latents, got 3" in refused("manifold", str(other))


@pytest.mark.parametrize("width", ["0", "-1", "nan", "inf"])
def test_a_width_that_is_none_is_refused(
    width: str, run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    out = tmp_path / "x.png"
    said = refused("traverse", str(run), "--width", width, "--out", str(out))
    assert "the width must be a positive number" in said
    assert not out.exists()


def test_a_factor_beyond_the_sides_is_refused(run: Path, refused: Callable[..., str]) -> None:
    assert "at most 8, the shortest side" in refused("super-resolve", str(run), "--factor", "9")
    options = ["--objective", "denoising", "--objective-args", "corruption=downsample", "level=9"]
    assert "at most 8" in refused("train", "--out", str(run.parent / "coarse"), *SMALL, *options)
    assert not (run.parent / "coarse").exists()


def test_what_is_no_array_is_refused(
    run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    """Without numpy's advice to unpickle it."""
    junk = tmp_path / "junk.npy"
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for content in (b"", b"abc", (tmp_path / "objects.npy").read_bytes()):
        junk.write_bytes(content)
        for said in (
            refused("inpaint", str(run), "--missing", str(junk)),
            refused("decode", str(run), "--z", str(junk), "--out", str(tmp_path / "x.npy")),
        ):
            assert said.endswith("it is damaged, or not a .npy file of numbers\n")


def test_a_target_that_is_a_folder_is_refused(
    run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    for name in ("x.png", "x.npy", "x.csv"):
        (tmp_path / name).mkdir()
    for target, *command in [
        ("x.png", "sample", str(run)),
        ("x.npy", "traverse", str(run)),
        ("x.csv", "encode", str(run)),
        ("x.png", "compare", str(run)),
        ("x.png", "data", "digits"),
    ]:
        said = refused(*command, "--out", str(tmp_path / target))
        assert said.endswith("it is a folder\n")


def test_numbers_that_are_none_are_named(run: Path, refused: Callable[..., str]) -> None:
    for option in ("--steps", "--seed", "-n"):
        said = refused("interpolate", str(run), option, "many")
        assert "must be a whole number, got 'many'" in said


def test_factors_are_asked_for_by_the_option_that_wants_them(
    run: Path, refused: Callable[..., str]
) -> None:
    assert ": --factors needs" in refused("plot", str(run), "--factors")
    assert ": --disentanglement needs" in refused("evaluate", str(run), "--disentanglement")


def test_settings_that_lack_another_are_refused(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    said = refused("train", "--out", str(out), "--lr-schedule", "step", *SMALL)
    assert "needs --lr-milestones" in said
    for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    said = refused("train", "--out", str(out), "--num-nodes", "2", *SMALL)
    assert "has no NODE_RANK, MASTER_ADDR, MASTER_PORT" in said
    assert not out.exists()
