"""Decoders that explain a datum element by element, alone and in a VAE."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from pyvae import VAE, registry
from pyvae.decoders import AutoregressiveDecoder
from pyvae.likelihoods import PoissonLikelihood
from pyvae.models import AutoregressiveModel
from pyvae.networks import positions_of
from pyvae.objectives import ELBO

SMALL = {
    "made": ("made", {"hidden": [16, 16]}),
    "fully visible belief network": ("made", {"hidden": []}),
    "pixelcnn": ("pixelcnn", {"channels": 8, "blocks": 2, "first_size": 5}),
    "gated_pixelcnn": (
        "gated_pixelcnn",
        {"channels": 6, "layers": 3, "first_size": 5, "size": 3},
    ),
    "pixelrnn, row": ("pixelrnn", {"lstm": "row", "hidden": 4, "layers": 2, "first_size": 3}),
    "pixelrnn, diagonal": (
        "pixelrnn",
        {"lstm": "diagonal", "hidden": 4, "layers": 2, "first_size": 3},
    ),
    "pixelcnn_pp": ("pixelcnn_pp", {"channels": 4, "layers": 1, "sizes": 3}),
    "transformer": ("transformer", {"width": 8, "heads": 2, "layers": 2}),
}
for name in registry.decoders.names():  # one that is registered and stands not above
    kind = registry.decoders.get(name)
    if issubclass(kind, AutoregressiveDecoder) and name not in {of for of, _ in SMALL.values()}:
        SMALL[name] = (name, {})
OF_IMAGES = [name for name, (kind, _) in SMALL.items() if kind != "made"]
every_decoder = pytest.mark.parametrize("decoder", SMALL)


def make(decoder, shape=(1, 3, 3), likelihood="bernoulli", **options):
    torch.manual_seed(0)
    name, small = SMALL[decoder]
    model = AutoregressiveModel(
        shape, name, likelihood, decoder_args=small, likelihood_args=options
    )
    with torch.no_grad():
        for p in model.parameters():  # far from where nothing depends on anything
            p.add_(0.2 * torch.randn_like(p))
    return model.eval()


@every_decoder
def test_the_probabilities_of_all_images_sum_to_one(decoder):
    bits = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9))).reshape(-1, 1, 3, 3)
    log_prob = make(decoder).log_prob(bits)
    assert_close(log_prob.exp().sum(), torch.tensor(1.0))
    assert log_prob.exp().std() > 1e-4  # they differ


CASES = [
    ("made", (1, 5, 4), "bernoulli", {}),
    ("fully visible belief network", (5,), "bernoulli", {}),
    ("made", (5,), "bernoulli", {}),
    ("made", (4,), "gaussian", {"variance": "per_pixel"}),
    ("made", (4,), "categorical", {"levels": 3}),
    *[
        (decoder, (channels, 5, 4), likelihood, options)
        for decoder in OF_IMAGES
        for channels, likelihood, options in [
            (1, "bernoulli", {}),
            (3, "discretized_logistic_mixture", {"num_mixtures": 2}),
            (2, "categorical", {"levels": 3}),
            (2, "gaussian", {"variance": "per_pixel"}),
        ]
    ],
]


@pytest.mark.parametrize(("decoder", "shape", "likelihood", "options"), CASES)
def test_no_position_sees_itself_or_a_later_one(decoder, shape, likelihood, options):
    model = make(decoder, shape, likelihood, **options)
    at, of_params = positions_of(shape), model.likelihood.positions
    assert of_params.shape == model.likelihood.param_shape
    x = torch.randn(1, *shape, requires_grad=True)
    params = model.decoder(torch.zeros(1, 0), x)[0]
    sees = 0
    for position in range(int(at.max()) + 1):
        (grad,) = torch.autograd.grad(params[of_params == position].sum(), x, retain_graph=True)
        assert not grad[0][at >= position].any()
        sees += int(grad[0][at < position].any())
    assert sees > 0.6 * int(at.max())  # but most see some that came before


@pytest.mark.parametrize(("decoder", "shape", "likelihood", "options"), CASES)
def test_parameters_belong_to_the_position_that_the_likelihood_says(
    decoder, shape, likelihood, options
):
    """log p of the data changes at a position's parameters alone if those of others are held."""
    model = make(decoder, shape, likelihood, **options)
    of_params, at = model.likelihood.positions, positions_of(shape)
    if likelihood == "discretized_logistic_mixture":
        pytest.skip("its mean is that of the whole pixel, in another form")
    params = torch.randn(1, *model.likelihood.param_shape, requires_grad=True)
    mean = model.likelihood(params).mean[0]
    for position in range(int(at.max()) + 1):
        (grad,) = torch.autograd.grad(mean[at == position].sum(), params, retain_graph=True)
        assert not grad[0][of_params != position].any()


@every_decoder
def test_every_parameter_learns(decoder):
    shape, (name, small) = (1, 5, 4), SMALL[decoder]
    torch.manual_seed(0)
    net = registry.decoders.create(
        name,
        latent_dim=2,
        out_shape=shape,
        data_shape=shape,
        positions=positions_of(shape),
        **small,
    ).double()
    out = net(torch.randn(6, 2).double(), torch.randn(6, *shape).double())
    assert out.dtype == torch.float64
    for parameter, grad in zip(
        net.parameters(), torch.autograd.grad(out.square().sum(), [*net.parameters()]), strict=True
    ):
        assert grad.isfinite().all() and (grad.any() or not parameter.numel())


@every_decoder
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (2, 6, 1), (1, 7, 3), (1, 4, 6)])
def test_a_step_gives_the_parameters_of_a_pass(decoder, shape):
    """For images of any size, with latents, whatever stands at the positions that come later."""
    torch.manual_seed(0)
    name, small = SMALL[decoder]
    at = positions_of(shape)
    net = registry.decoders.create(
        name, latent_dim=2, out_shape=shape, data_shape=shape, positions=at, **small
    ).eval()
    z, x = torch.randn(3, 2), torch.randn(3, *shape)
    with torch.no_grad():
        params, step = net(z, x), net.stepper(z)
        for position in range(int(at.max()) + 1):
            so_far = torch.where(at < position, x, torch.randn(()))
            assert_close(step(so_far, position), params[:, at == position], msg=str(position))
        assert_close(net(z[1:2], x[1:2])[0], params[1])  # each datum for itself
        assert net(z[:0], x[:0]).shape == (0, *shape)


@pytest.mark.parametrize(("decoder", "shape", "likelihood", "options"), CASES)
def test_samples_that_keep_activations_are_those_that_do_not(decoder, shape, likelihood, options):
    model = make(decoder, shape, likelihood, **options)
    slow = AutoregressiveDecoder.stepper
    torch.manual_seed(5)
    kept = model.sample(7, mean=False)
    model.decoder.stepper = lambda z: slow(model.decoder, z)
    torch.manual_seed(5)
    assert_close(kept, model.sample(7, mean=False))
    assert kept.shape == (7, *shape) and kept.float().std() > 0


@every_decoder
def test_samples_have_the_probabilities_that_the_model_gives(decoder):
    model = make(decoder, (1, 2, 2))
    bits = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).reshape(-1, 1, 2, 2)
    expected = model.log_prob(bits).exp()
    torch.manual_seed(1)
    drawn = model.sample(20_000, mean=False)
    index = (drawn.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    found = torch.bincount(index, minlength=16) / len(drawn)
    assert ((found - expected).abs() < 5 * (expected / len(drawn)).sqrt() + 1e-3).all()


@every_decoder
def test_the_bound_of_a_model_without_latents_is_its_density(decoder):
    model = make(decoder)
    x = torch.rand(6, 1, 3, 3).round()
    result = ELBO()(model, x)
    assert_close(result.loss, -model.log_prob(x).mean())
    assert result.terms["kl"] == 0
    assert_close(model.log_marginal(x, 3), model.log_prob(x))


@every_decoder
def test_the_decoder_of_a_vae_sees_latents_too(decoder):
    torch.manual_seed(0)
    name, small = SMALL[decoder]
    vae = VAE((1, 3, 3), latent_dim=2, decoder=name, decoder_args=small).eval()
    z = torch.randn(4, 5, 2, requires_grad=True)
    x = torch.rand(5, 1, 3, 3).round()
    p = vae.decode(z)
    log_prob = p.log_prob(x)
    assert log_prob.shape == (4, 5)
    (grad,) = torch.autograd.grad(log_prob.sum(), z)
    assert (grad != 0).any(-1).all()
    each = torch.stack([vae.decode(z[k]).log_prob(x) for k in range(4)])
    assert_close(log_prob, each)
    assert p.sample((2,)).shape == (2, 4, 5, 1, 3, 3)
    assert vae.reconstruct(x).shape == x.shape and vae.sample(3).shape == (3, 1, 3, 3)
    ELBO()(vae, x).loss.backward()


@every_decoder
def test_saved_and_loaded(decoder, tmp_path):
    model = make(decoder)
    model.save_pretrained(tmp_path)
    again = AutoregressiveModel.from_pretrained(tmp_path).eval()
    x = torch.rand(3, 1, 3, 3).round()
    assert_close(again.log_prob(x), model.log_prob(x))


class Scaled(PoissonLikelihood):
    """Counts whose rates are in units of a side input."""

    side_inputs = ("library",)

    def forward(self, params, **side):
        n = len(self.data_shape)
        return super().forward(params + side["library"].log()[(..., *(None,) * n)])


@pytest.mark.parametrize("shape", [(4,), (2, 3, 3)])
def test_side_inputs_of_a_likelihood_are_those_of_each_position(shape):
    torch.manual_seed(0)
    small = {"hidden": [16]}
    model = AutoregressiveModel(shape, "made", Scaled(shape), decoder_args=small)
    library = torch.tensor([1.0, 1.0, 100.0])
    drawn = model.sample(3, library=library, mean=False).flatten(1).mean(1)
    assert drawn[2] > 10 * drawn[:2].max()
    with pytest.raises(ValueError, match="Scaled needs library, got no side"):
        model.log_prob(torch.ones(3, *shape))


@pytest.mark.parametrize(
    "name", [n for n in registry.likelihoods.names() if not registry.likelihoods.get(n).separable]
)
def test_no_element_is_explained_alone_where_all_share_a_total(name):
    with pytest.raises(ValueError, match=r"MADEDecoder explains .* shares a total out .* poisson"):
        AutoregressiveModel((4,), "made", name)
    VAE((4,), latent_dim=2, likelihood=name)


def test_what_a_wrapper_calls():
    model = make("made")
    x = torch.rand(3, 1, 3, 3).round()
    assert model(x).shape == x.shape  # of which there is no mean in closed form
    with pytest.raises(ValueError, match=r"encode: x must have shape \(B, 1, 3, 3\)"):
        model.encode(torch.zeros(2, 9))
    with pytest.raises(ValueError, match="must hold one or more positive sizes, got"):
        AutoregressiveModel((0, 3, 3))


def test_what_does_not_fit():
    with pytest.raises(TypeError, match="must be autoregressive"):
        AutoregressiveModel((1, 4, 4), decoder="mlp")
    with pytest.raises(ValueError, match="takes images"):
        AutoregressiveModel((5,), decoder="pixelcnn")
    with pytest.raises(ValueError, match="odd sizes"):
        AutoregressiveModel((1, 4, 4), decoder_args={"size": 4})
    with pytest.raises(ValueError, match="lstm must be diagonal or row, got 'column'"):
        AutoregressiveModel((1, 4, 4), "pixelrnn", decoder_args={"lstm": "column"})
    for wrong in ({"hidden": 0}, {"layers": -1}, {"first_size": 4}):
        with pytest.raises(ValueError, match="the pixelrnn decoder takes a width of at least 1"):
            AutoregressiveModel((1, 4, 4), "pixelrnn", decoder_args=wrong)
    for wrong in ({"channels": 0}, {"layers": 0}, {"sizes": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="takes at least one channel, layer and size"):
            AutoregressiveModel((1, 4, 4), "pixelcnn_pp", decoder_args=wrong)
