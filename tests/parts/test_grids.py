"""Networks on grids: signals, images, volumes, and latents that lie on a grid themselves."""

from __future__ import annotations

import pytest
import torch

from pyvae import VAE
from pyvae.batch import Batch
from pyvae.objectives import ELBO

SMALL = {"encoder_args": {"channels": [8, 16]}, "decoder_args": {"channels": [16, 8]}}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def spatial(shape=(3, 16, 12), latent_shape=(4, 4, 3), **options):
    both = {"encoder": "resnet", "decoder": "resnet", "likelihood": "gaussian"}
    return VAE(shape, latent_shape=latent_shape, **both, **SMALL, **options)


@pytest.mark.parametrize("net", ["conv", "resnet"])
@pytest.mark.parametrize("shape", [(1, 40), (2, 13, 9), (1, 8, 6, 5)], ids=str)
def test_signals_images_and_volumes_are_reconstructed(net, shape):
    """A bump at a place that varies: two latents learn where it is."""
    model = VAE(shape, 2, encoder=net, decoder=net, likelihood="gaussian", **SMALL)
    place = torch.rand(64) * 2 - 1
    along = torch.linspace(-1, 1, shape[-1])
    x = torch.exp(-8 * (along - place[:, None]) ** 2)
    x = x.reshape(64, *[1] * (len(shape) - 1), -1).expand(64, *shape)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    objective = ELBO(beta=0.01)
    for _ in range(80 if net == "conv" else 40):
        optimizer.zero_grad()
        objective(model, x).loss.backward()
        optimizer.step()
    error = (model.reconstruct(x) - x).square().mean()
    assert error < 0.4 * x.var(0).mean()


def test_latents_on_a_grid_see_their_own_place():
    """The features of a corner depend on the image around it, not on the far corner."""
    model = spatial((1, 64, 64), (4, 16, 16))
    assert model.latent_dim == 4 * 16 * 16
    x = torch.zeros(1, 1, 64, 64, requires_grad=True)
    for layer in model.encoder.modules():  # a normalization looks at the whole grid
        if isinstance(layer, torch.nn.GroupNorm):
            layer.forward = lambda h: h
    mean = model.encode(x).mean.reshape(4, 16, 16)
    (slope,) = torch.autograd.grad(mean[:, 0, 0].sum(), x)
    assert slope[0, 0, :8, :8].abs().sum() > 0 and slope[0, 0, 40:, 40:].abs().sum() == 0


def test_spatial_latents_train_and_take_a_condition(tmp_path):
    model = spatial(condition_dim=3)
    x, condition = torch.randn(4, 3, 16, 12), torch.eye(3)[[0, 1, 2, 0]]
    batch = Batch(x, extras={"condition": condition})
    ELBO()(model, batch).loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    z = torch.randn(4, model.latent_dim)
    means = model.decode(z, condition=condition).mean
    assert not torch.equal(means, model.decode(z, condition=condition.roll(1, 0)).mean)
    model.save_pretrained(tmp_path)
    same = VAE.from_pretrained(tmp_path)
    assert torch.equal(same.decode(z, condition=condition).mean, means)


def test_large_images():
    model = VAE(
        (3, 256, 256),
        8,
        encoder="resnet",
        decoder="resnet",
        encoder_args={"channels": [4, 4, 8, 8, 8]},
        decoder_args={"channels": [8, 8, 8, 4, 4]},
    )
    assert model.reconstruct(torch.rand(1, 3, 256, 256)).shape == (1, 3, 256, 256)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match=r"leaves a grid of 4 x 3, .* got \(4, 5, 5\)"):
        spatial(latent_shape=(4, 5, 5))
    with pytest.raises(TypeError, match="'mlp' has no option 'latent_shape'"):
        VAE((3, 16, 12), latent_shape=(4, 4, 3))
    with pytest.raises(ValueError, match="takes signals"):
        VAE((7,), 2, encoder="resnet")
    with pytest.raises(ValueError, match="at least one entry in channels"):
        VAE((1, 8, 8), 2, decoder="resnet", decoder_args={"channels": []})
