"""One contract for networks and objectives, and every registered one keeps it."""

import pytest
import torch

from pyvae import VAE, registry
from pyvae.decoders import AutoregressiveDecoder, Decoder
from pyvae.encoders import Encoder
from pyvae.models import HelmholtzMachine
from pyvae.objectives import Batch, Objective

IMAGES = [(1, 8, 8), (3, 7, 5), (2, 1, 1)]
GRIDS = [*IMAGES, (2, 9), (1, 1), (1, 5, 4, 3)]
D = 3


def own_names(kind):
    parts = registry.registries[kind]
    return [name for name in parts.names() if not parts.is_plugin(name)]


def sweep(argument, kind):
    return pytest.mark.parametrize(argument, own_names(kind))


grids = pytest.mark.parametrize("shape", GRIDS, ids=str)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def create(kind, name, **options):
    return registry.registries[kind].create(name, **options)


def check_module(module, forward):
    """What holds for every part: all parameters learn, float64 works, the state is complete."""
    out = forward(module)
    parameters = list(module.parameters())
    if parameters:
        grads = torch.autograd.grad(out.square().sum(), parameters)
        assert all(g.isfinite().all() for g in grads)
        assert all(g.abs().sum() > 0 for g in grads)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(state)
    torch.manual_seed(1)
    first = forward(module)
    torch.manual_seed(1)
    assert torch.equal(first, forward(module))
    module.double()
    assert forward(module).dtype == torch.float64


def weights(module):
    return next((p.dtype for p in module.parameters()), torch.get_default_dtype())


@sweep("name", "encoders")
@grids
def test_encoder(name, shape):
    encoder = create("encoders", name, data_shape=shape)
    assert isinstance(encoder, Encoder) and encoder.data_shape == shape
    x = torch.randn(4, *shape)
    features = encoder(x)
    assert features.shape == (4, encoder.out_features)
    torch.testing.assert_close(encoder(x[1:2])[0], features[1])  # each row for itself
    assert encoder(x[:0]).shape == (0, encoder.out_features)
    check_module(encoder, lambda m: m(x.to(weights(m))))


@sweep("name", "decoders")
@grids
def test_decoder(name, shape):
    if issubclass(registry.decoders.get(name), AutoregressiveDecoder):
        pytest.skip("it sees data, too: see test_autoregressive.py")
    decoder = create("decoders", name, latent_dim=D, out_shape=shape)
    assert isinstance(decoder, Decoder) and decoder.out_shape == shape
    z = torch.randn(2, 5, D)
    out = decoder(z)
    assert out.shape == (2, 5, *shape)
    for batch in [(), (4,), (0,), (2, 0), (2, 2, 2)]:
        assert decoder(torch.randn(*batch, D)).shape == (*batch, *shape)
    torch.testing.assert_close(decoder(z[1, 3]), out[1, 3])
    torch.testing.assert_close(decoder(z.transpose(0, 1)), out.transpose(0, 1))
    check_module(decoder, lambda m: m(z.to(weights(m))))
    decoder.init_output(torch.zeros(shape, dtype=torch.float64))


def create_for(objective):
    return registry.models.create(objective.models[0], data_shape=(1, 4, 4), latent_dim=D)


@sweep("name", "objectives")
def test_objective(name):
    objective = create("objectives", name)
    assert isinstance(objective, Objective)
    model = VAE((1, 4, 4), D) if objective.models is None else create_for(objective)
    objective.data_size = 100
    objective.bind(model)
    x = torch.rand(6, 1, 4, 4)
    objective.step_begin(0, 0)
    phases = objective.phases(model)
    trained = set()
    for phase in phases:
        result = objective(model, Batch(x, torch.zeros(6)), phase=phase.name)
        assert result.loss.shape == () and result.loss.isfinite()
        assert all(t.shape == () and not t.requires_grad for t in result.terms.values())
        in_turn = name == "aggressive_inference"  # whose first step moves q(z|x) alone
        grads = torch.autograd.grad(result.loss, phase.parameters, allow_unused=in_turn)
        assert all(g.isfinite().all() for g in grads if g is not None)
        trained |= set(phase.parameters)
    assert trained == {*model.parameters(), *objective.parameters()}
    assert len({phase.name for phase in phases}) == len(phases) >= 1


class Point(torch.nn.Module):
    """A deterministic posterior: samples and a mean, no density."""

    def forward(self, features):
        class Delta(torch.distributions.Distribution):
            has_rsample = True
            mean = features

            def rsample(self, sample_shape=()):
                return features.expand(*sample_shape, *features.shape)

        return Delta(features.shape[:1], features.shape[1:], validate_args=False)


@sweep("name", "objectives")
@pytest.mark.parametrize("kind", ["binary layers", "a point"])
def test_objectives_fit_other_posteriors_or_say_so(name, kind):
    if kind == "binary layers":
        model = HelmholtzMachine((1, 4, 4), (4, 3))
    else:
        model = VAE((1, 4, 4), D, posterior=Point(), encoder_args={"hidden": (D,)})
    objective = create("objectives", name)
    objective.data_size = 100
    objective.bind(model)
    x = (torch.rand(6, 1, 4, 4) < 0.5).float()
    fits = {
        "binary layers": {"wake_sleep"},
        "a point": {"aae", "autoencoder", "denoising", "mmd_vae"},
    }
    for phase in objective.phases(model):
        if name in fits[kind]:
            assert objective(model, x, phase=phase.name).loss.isfinite()
            continue
        with pytest.raises(TypeError) as raised:
            objective(model, x, phase=phase.name)
        said = str(raised.value)
        if objective.models is not None:
            assert all(name in said for name in objective.models)
            continue
        assert "posterior" in said or "estimator='sampled'" in said
        break


@pytest.mark.parametrize("kind", ["encoders", "decoders"])
def test_conv_takes_only_grids(kind):
    fit = {"data_shape": (7,)} if kind == "encoders" else {"latent_dim": 2, "out_shape": (7,)}
    with pytest.raises(ValueError, match=r"takes signals .* images .* volumes .*, got \(7,\)"):
        create(kind, "conv", **fit)


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4, 5)])
def test_mlp_takes_any_shape(shape):
    model = VAE(shape, 2, likelihood="gaussian", likelihood_args={"variance": "per_pixel"})
    x = torch.randn(4, *shape)
    assert model.reconstruct(x).shape == x.shape
    assert model.sample(3, mean=False).shape == (3, *shape)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (13, 7), (28, 20)])
def test_conv_sizes_mirror(size, depth):
    channels = (4,) * depth
    encoder = create("encoders", "conv", data_shape=(2, *size), channels=channels, hidden=(8,))
    decoder = create("decoders", "conv", latent_dim=8, out_shape=(3, *size), channels=channels)
    assert decoder(encoder(torch.zeros(2, 2, *size))).shape == (2, 3, *size)


@pytest.mark.parametrize("kind", ["encoders", "decoders"])
def test_activations(kind):
    fit = {"data_shape": (4,)} if kind == "encoders" else {"latent_dim": 4, "out_shape": (4,)}
    with pytest.raises(ValueError, match=r"unknown activation 'tanhh'\. Choices: relu"):
        create(kind, "mlp", **fit, activation="tanhh")
    tanh = create(kind, "mlp", **fit, activation="tanh", hidden=(5,))
    layer = tanh.layers[0]
    x = torch.randn(3, 4)
    torch.testing.assert_close(tanh.layers(x), torch.tanh(x @ layer.weight.T + layer.bias))
