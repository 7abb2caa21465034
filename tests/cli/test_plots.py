"""Pictures: their pixels, not only that they exist."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.distributions import Normal

from pyvae import VAE, plots
from pyvae.analysis import manifold, manifold_latents


def test_grid_places_each_image() -> None:
    images = torch.arange(5).view(5, 1, 1, 1).expand(5, 1, 2, 3) / 10
    grid = plots.image_grid(images, columns=3)
    assert grid.shape == (1, 2 * 2 + 1, 3 * 3 + 2)
    assert grid[0, 0].tolist() == pytest.approx([0, 0, 0, 1, 0.1, 0.1, 0.1, 1, 0.2, 0.2, 0.2])
    assert grid[0, 3, :7].tolist() == pytest.approx([0.3, 0.3, 0.3, 1, 0.4, 0.4, 0.4])
    assert (grid[0, 2] == 1).all()
    assert (grid[0, 3:, 8:] == 1).all()  # no sixth image
    levels = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert (plots.image_grid(levels, 1) == 1).all()
    with pytest.raises(ValueError, match="images must be"):
        plots.image_grid(torch.zeros(2, 2, 5, 5), 1)


def test_pairs_put_data_above_their_reconstruction() -> None:
    x, y = torch.full((12, 1, 1, 1), 0.25), torch.full((12, 1, 1, 1), 0.75)
    sheet = plots.pairs(x, y)[0, ::2, ::2]
    assert sheet.shape == (4, 10)
    assert (sheet[0] == 0.25).all()
    assert (sheet[1] == 0.75).all()
    assert sheet[2].tolist() == [0.25] * 2 + [1.0] * 8
    assert sheet[3].tolist() == [0.75] * 2 + [1.0] * 8


def test_saved_pixels_are_the_images(tmp_path: Path) -> None:
    from matplotlib.image import imread

    image = torch.rand(1, 5, 4, generator=torch.Generator().manual_seed(0))
    plots.save_image(tmp_path / "a.png", image, width=12)
    pixels = torch.from_numpy(imread(tmp_path / "a.png"))
    assert pixels.shape[:2] == (15, 12)
    assert (pixels[::3, ::3, 0] - image[0]).abs().max() <= 0.5 / 255 + 1e-6
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_manifold_latents_are_quantiles_of_the_prior() -> None:
    size = 10
    z = manifold_latents(size).view(size, size, 2)
    shares = Normal(0.0, 1.0).cdf(z)
    steps = (torch.arange(size) + 0.5) / size
    assert torch.allclose(shares[0, :, 0], steps, atol=1e-6)  # to the right
    assert torch.allclose(shares[:, 0, 1], steps.flip(0), atol=1e-6)  # upwards


def test_manifold_is_the_decoder_over_the_plane() -> None:
    torch.manual_seed(0)
    vae = VAE((1, 8, 8), latent_dim=2)
    images = manifold(vae, 4)
    assert images.shape == (16, 1, 8, 8)
    z = manifold_latents(4)
    assert torch.equal(images, vae.decode(z).mean)
    with pytest.raises(ValueError, match="must have 2 latents, got 3"):
        manifold(VAE((1, 8, 8), latent_dim=3))


def test_pictures_of_latents_are_written(tmp_path: Path) -> None:
    points, labels = torch.randn(40, 2), torch.arange(40) % 4
    plots.scatter(tmp_path / "a.png", points, labels, ("one", "two", "three", "four"))
    plots.scatter(tmp_path / "b.png", points)
    plots.kl_bars(tmp_path / "c.png", torch.tensor([0.1, 3.0]), torch.tensor([False, True]))
    plots.factor_map(tmp_path / "d.png", torch.rand(3, 6), ("shape", "x", "y"))
    plots.rate_distortion(tmp_path / "e.png", {"1": (20.0, 80.0), "4": (10.0, 95.0)})
    for path in tmp_path.iterdir():
        assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 3000
    assert len(list(tmp_path.iterdir())) == 5


def test_curve_of_a_run(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(
        "step,samples,train/elbo,valid/elbo\n1,100,-200,\n2,200,-150,-160\n3,300,-120,\n"
    )
    plots.curve(tmp_path / "curve.png", metrics)
    assert (tmp_path / "curve.png").stat().st_size > 5000
