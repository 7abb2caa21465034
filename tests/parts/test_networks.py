"""How weights start, and what a run makes of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pyvae import VAE
from pyvae.config import TrainConfig
from pyvae.models import HelmholtzMachine
from pyvae.networks import init_weights, mlp_layers
from pyvae.presets import with_preset
from pyvae.training import build


def layers(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(getattr(m, "weight", None), nn.Parameter)]


def models() -> list[nn.Module]:
    torch.manual_seed(0)
    conv = VAE((1, 28, 28), 50, encoder="conv", decoder="conv")
    return [VAE((1, 28, 28), 50), conv, HelmholtzMachine((1, 28, 28), (200, 50))]


def test_normal_weights_and_biases() -> None:
    for model in models():
        init_weights(model, "normal", 0.05)
        values = torch.cat([p.flatten() for layer in layers(model) for p in layer.parameters()])
        assert values.mean().abs() < 1e-3
        assert values.std().item() == pytest.approx(0.05, rel=0.01)
        for layer in layers(model):
            assert layer.weight.std().item() == pytest.approx(0.05, rel=0.1)  # type: ignore[union-attr]


def test_glorot_weights_lie_within_their_bound_and_biases_are_zero() -> None:
    for model in models():
        init_weights(model, "glorot")
        for layer in layers(model):
            weight = layer.weight
            assert isinstance(weight, nn.Parameter)
            field = weight[0, 0].numel()  # pixels of a convolution, else 1
            bound = math.sqrt(6 / (field * (weight.shape[0] + weight.shape[1])))
            assert 0.95 * bound < weight.abs().max() <= bound
            assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert layer.bias is None or not layer.bias.any()  # type: ignore[operator]


def test_torch_is_what_there_was_and_other_parameters_stay() -> None:
    model = VAE((1, 8, 8), 3, prior="diagonal_gaussian")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    init_weights(model, "torch")
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    init_weights(model, "normal", 0.5)
    same = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert same == {name for name in before if name.startswith("prior.")} != set()


def test_a_run_starts_so() -> None:
    weights = {}
    for init in ("torch", "glorot", "normal"):
        config = TrainConfig(init=init, init_std=0.02)
        parameters = dict(build(config).model.named_parameters())
        weights[init] = parameters["decoder.output.weight"].detach()
    bound = math.sqrt(6 / (256 + 64))
    assert weights["torch"].abs().max() <= 1 / 16 < 0.9 * bound < weights["glorot"].abs().max()
    assert weights["normal"].std().item() == pytest.approx(0.02, rel=0.02)
    start = build(TrainConfig(init="glorot", init_output=True)).model
    assert dict(start.named_parameters())["decoder.output.bias"].abs().min() > 0


@pytest.mark.parametrize(
    ("preset", "init"),
    [("kingma2014", "normal"), ("wake_sleep", "normal"), ("full_vb", "normal"), ("iwae", "glorot")],
)
def test_presets_start_as_their_papers(preset: str, init: str) -> None:
    config = TrainConfig.from_dict(with_preset(preset, {}))
    assert (config.init, config.init_std) == (init, 0.1)  # N(0, 0.01): the variance is 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("zeros",), "init must be one of torch, glorot, normal, got 'zeros'"),
        (("normal", 0.0), "standard deviation must be positive, got 0.0"),
    ],
)
def test_bad_starts_raise(arguments: tuple[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        init_weights(nn.Linear(2, 2), *arguments)


def test_dropout_zeroes_its_share_while_training_alone() -> None:
    torch.manual_seed(0)
    vae = VAE(
        (100,), 50, encoder_args={"dropout": 0.25, "input_dropout": 0.5}, likelihood="gaussian"
    )
    assert isinstance(vae.encoder, nn.Module)
    x = torch.ones(200, 100)
    seen = vae.encoder.input(x)
    assert (seen == 0).double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert seen.mean().item() == pytest.approx(1, abs=0.03)  # the others are scaled up
    after = nn.Sequential(*mlp_layers([100, 50, 50], "sigmoid", 0.25))(x)
    assert (after == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(vae.encoder(x), vae.encoder(x))
    vae.eval()
    assert torch.equal(vae.encoder(x), vae.encoder(x))


@pytest.mark.parametrize("name", ["dropout", "input_dropout"])
@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_dropout_is_a_share(name: str, share: float) -> None:
    with pytest.raises(
        ValueError, match=f"{name} is a share of at least 0 and below 1, got {share}"
    ):
        VAE((4,), 2, encoder_args={name: share})
