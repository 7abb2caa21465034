"""How much of the data a model takes at a time follows from its widest layer."""

import pytest
import torch
from torch import Tensor, nn

from pyvae import VAE
from pyvae.metrics import evaluate
from pyvae.models import AutoregressiveModel
from pyvae.models.capacity import capacity


class Widest(nn.Module):
    """The largest number of numbers that a module's output held."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.seen = 0
        for module in model.modules():
            module.register_forward_hook(self.look)

    def look(self, module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            self.seen = max(self.seen, output.numel())


@pytest.mark.parametrize("decoder", ["mlp", "conv", "gated_pixelcnn"])
def test_no_layer_is_wider_than_the_budget(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions of 64 channels are 64 times as wide as the image."""
    budget = 2**16
    monkeypatch.setattr("pyvae.models.capacity.BUDGET", budget)
    few = {"layers": 2} if decoder == "gated_pixelcnn" else {}
    model = VAE((1, 12, 12), 3, encoder="mlp", decoder=decoder, decoder_args=few).eval()
    widest = Widest(model)
    found = model.log_marginal(torch.zeros(8, 1, 12, 12), 60)
    assert found.shape == (8,)
    assert budget / 3 < widest.seen <= budget


def test_measuring_leaves_no_trace() -> None:
    model = VAE((1, 4, 4), 3, encoder="resnet", decoder="resnet").train()
    model.encoder.eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    capacity(model, torch.zeros(5, 1, 4, 4), {})
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_latents_is_asked_once() -> None:
    """Its log p(x) is exact: 1000 samples of nothing would be 1000 times the same pass."""
    model = AutoregressiveModel((1, 4, 4), "made", decoder_args={"hidden": [8]}).eval()
    x = torch.rand(6, 1, 4, 4).round()
    with torch.no_grad():
        exact = model.log_prob(x)
    passes: list[int] = []
    model.decoder.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    figures = evaluate(model, iter([(x, {})]), num_samples=1000)
    assert figures.num_samples == 1
    assert figures.log_likelihood == pytest.approx(float(exact.mean()), rel=1e-6)
    assert sum(passes) <= 2 * len(x) + 1  # the ELBO's, log p(x)'s and the first datum's
