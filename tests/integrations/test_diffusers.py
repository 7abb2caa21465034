"""The posterior of diffusers' autoencoders, computed by the ops."""

import importlib
import sys

import pytest
import torch

pytestmark = pytest.mark.integrations

diffusers = pytest.importorskip("diffusers")
from diffusers.models.autoencoders import autoencoder_kl, vae  # noqa: E402

from pyvae.integrations import diffusers as ours  # noqa: E402

Theirs, Ours = vae.DiagonalGaussianDistribution, ours.DiagonalGaussianDistribution
IMAGE, VIDEO = (3, 8, 5, 6), (2, 8, 3, 5, 6)
images = pytest.mark.parametrize("shape", [IMAGE, VIDEO], ids=["image", "video"])


@pytest.fixture(autouse=True)
def unpatched():
    yield
    ours.restore()


def parameters(shape=IMAGE, dtype=torch.float64, scale=2.0):
    return (scale * torch.randn(shape, dtype=dtype)).requires_grad_()


def agree(of, *leaves):
    """Value and gradient of a function of either class."""
    results = []
    for kind in (Ours, Theirs):
        value = of(kind)
        weights = torch.linspace(0.5, 2, max(value.numel(), 1), dtype=value.dtype)
        total = (value * weights.reshape(value.shape)).sum()
        results.append([value, *torch.autograd.grad(total, leaves)])
    for mine, theirs in zip(*results, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        torch.testing.assert_close(mine, theirs)


@images
def test_kl_has_their_numbers(shape):
    p, other = parameters(shape), parameters(shape)
    agree(lambda kind: kind(p).kl(), p)
    agree(lambda kind: kind(p).kl(kind(other)), p, other)
    agree(lambda kind: kind(p).kl(Theirs(other)), p, other)


def test_bounds_of_the_log_variance_are_theirs():
    p = parameters(scale=40.0)
    assert p[:, 4:].min() < -30 and p[:, 4:].max() > 20
    agree(lambda kind: kind(p).kl(), p)
    agree(lambda kind: kind(p).nll(torch.zeros(3, 4, 5, 6, dtype=p.dtype)), p)


@pytest.mark.parametrize("dims", [(1, 2, 3), [0, 2], [1], [-1, 1], [0, 1, 2, 3], [], (3,)], ids=str)
def test_nll_sums_over_the_dimensions_that_theirs_sums_over(dims):
    p, x = parameters(), torch.randn(3, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    agree(lambda kind: kind(p).nll(x, dims=dims), p, x)
    row = torch.randn(1, 4, 1, 6, dtype=torch.float64, requires_grad=True)
    agree(lambda kind: kind(p).nll(row, dims=dims), p, row)


def test_a_dimension_that_is_not_there_raises_as_theirs():
    for kind in (Theirs, Ours):
        with pytest.raises(IndexError):
            kind(parameters()).nll(torch.zeros(3, 4, 5, 6, dtype=torch.float64), dims=[1, 4])


def test_moments_and_mode_are_theirs():
    p = parameters()
    for deterministic in (False, True):
        for name in ("mean", "logvar", "std", "var", "deterministic", "parameters"):
            mine, theirs = (
                getattr(k(p, deterministic=deterministic), name) for k in (Ours, Theirs)
            )
            torch.testing.assert_close(mine, theirs)
        assert torch.equal(Ours(p, deterministic).mode(), Theirs(p, deterministic).mode())
    assert isinstance(Ours(p), Theirs)


def test_a_deterministic_one_is_its_mean():
    p = parameters()
    q = Ours(p, deterministic=True)
    z = q.sample()
    assert torch.equal(z, q.mean) and z.data_ptr() != q.mean.data_ptr()
    assert torch.equal(q.kl(), Theirs(p, deterministic=True).kl())
    assert torch.equal(q.nll(z), Theirs(p, deterministic=True).nll(z))
    assert torch.equal(Ours(p).kl(q), torch.full((3,), torch.inf, dtype=p.dtype))


def test_samples_are_normal_with_the_pathwise_gradient():
    p = parameters((40, 8, 32, 32), torch.float64)
    q = Ours(p)
    z = q.sample(torch.Generator().manual_seed(0))
    noise = (z - q.mean) / q.std
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 1) < 0.01
    (grad,) = torch.autograd.grad(z.sum(), p)
    expected = torch.cat([torch.ones_like(z), (z - q.mean) / 2], 1)
    torch.testing.assert_close(grad, expected.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_samples_keep_the_dtype_and_values_are_float32(dtype):
    q = Ours(parameters(dtype=dtype))
    assert q.sample().dtype == dtype
    assert q.kl().dtype == q.nll(q.mode()).dtype == torch.float32


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_a_generator_always_gives_the_same_sample():
    q = Ours(parameters())
    first, again, other = (q.sample(*seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    torch.manual_seed(3)
    default = q.sample()
    torch.manual_seed(3)
    assert torch.equal(default, q.sample())


def test_each_row_of_a_list_of_generators_is_that_of_the_row_alone():
    p = parameters()
    together = Ours(p).sample(seeded(1, 2, 3))
    for row, seed in enumerate((1, 2, 3)):
        assert torch.equal(together[row : row + 1], Ours(p[row : row + 1]).sample(*seeded(seed)))
    assert torch.equal(Ours(p).sample(seeded(7)), Ours(p).sample(*seeded(7)))
    assert torch.equal(Ours(p).sample(seeded(1, 2, 3, 4)), together)
    with pytest.raises(ValueError, match="a generator for each of 3 rows, got 2"):
        Ours(p).sample(seeded(1, 2))


@pytest.mark.parametrize("several", [False, True])
def test_channels_last_is_kept_and_changes_no_number(several):
    p = parameters()
    last = p.detach().to(memory_format=torch.channels_last).requires_grad_()
    generators = [seeded(1, 2, 3) if several else seeded(1)[0] for _ in range(2)]
    z, z_last = Ours(p).sample(generators[0]), Ours(last).sample(generators[1])
    assert z_last.is_contiguous(memory_format=torch.channels_last) and z.is_contiguous()
    assert torch.equal(z, z_last)
    torch.testing.assert_close(Ours(last).kl(), Ours(p).kl())
    (grad,) = torch.autograd.grad(Ours(last).kl().sum() + z_last.sum(), last)
    assert grad.is_contiguous(memory_format=torch.channels_last)


def test_channels_last_of_videos():
    last = parameters(VIDEO).detach().to(memory_format=torch.channels_last_3d)
    assert Ours(last).sample().is_contiguous(memory_format=torch.channels_last_3d)


def autoencoder():
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(block_out_channels=(16,), norm_num_groups=4, latent_channels=3)


def test_a_patched_autoencoder_returns_ours_and_trains_by_the_same_gradient():
    model, x = autoencoder(), torch.randn(2, 3, 16, 16)
    grads = []
    for block in (ours.patched, torch.no_grad):
        with block(), torch.enable_grad():
            q = model.encode(x).latent_dist
            assert type(q) is (Ours if block is ours.patched else Theirs)
            loss = (model.decode(q.mode()).sample - x).square().mean() + 1e-3 * q.kl().mean()
            grads.append([loss, *torch.autograd.grad(loss, list(model.encoder.parameters()))])
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_patched_forward_takes_the_generator():
    model, x = autoencoder(), torch.randn(2, 3, 16, 16)
    with ours.patched(), torch.no_grad():
        first, again = (
            model(x, sample_posterior=True, generator=seeded(5)[0]).sample for _ in range(2)
        )
    assert torch.equal(first, again)


def test_a_distribution_outlives_the_patch():
    with ours.patched():
        q = autoencoder().encode(torch.randn(2, 3, 16, 16)).latent_dist
    assert q.kl().shape == (2,) and q.sample().shape == (2, 3, 16, 16)


def test_restoring_leaves_the_library_as_it_was_and_what_it_imported_meanwhile():
    name = "diffusers.models.autoencoders.autoencoder_kl_wan"
    sys.modules.pop(name, None)
    ours.patch()
    late = importlib.import_module(name)
    ours.patch()
    assert late.DiagonalGaussianDistribution is autoencoder_kl.DiagonalGaussianDistribution is Ours
    ours.restore()
    ours.restore()
    for module in (late, vae, autoencoder_kl):
        assert module.DiagonalGaussianDistribution is Theirs
