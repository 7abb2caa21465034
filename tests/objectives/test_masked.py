"""Every objective takes data of which a part is missing, whatever stands there."""

import pytest
import torch

from pyvae import VAE, registry
from pyvae.objectives import Batch

NAMES = [n for n in registry.objectives.names() if registry.objectives.origin(n) == "pyvae"]
OTHERS = {"semi_supervised", "contrastive_divergence"}  # for models of their own, without masks


def steps(name, batch):
    """Loss and gradients of each phase of an objective that begins anew."""
    torch.manual_seed(0)
    model = VAE((1, 4, 4), 2, masked=True)
    objective = registry.objectives.create(name)
    objective.data_size = 100
    objective.bind(model)
    objective.step_begin(0, 0)
    found = []
    for phase in objective.phases(model):
        loss = objective(model, batch, phase=phase.name).loss
        grads = torch.autograd.grad(loss, phase.parameters, allow_unused=True)
        found += [loss.detach(), *(g for g in grads if g is not None)]
    return found


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OTHERS])
def test_what_is_missing_moves_nothing(name):
    x, mask = torch.rand(6, 1, 4, 4), torch.rand(6, 1, 4, 4) < 0.6
    odd = x.masked_fill(~mask, torch.nan)
    clean, other = (steps(name, Batch(v, torch.zeros(6), {"mask": mask})) for v in (x, odd))
    assert all(values.isfinite().all() for values in clean)
    torch.testing.assert_close(other, clean)


@pytest.mark.parametrize("name", ["elbo", "iwae"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "mixed"])
def test_one_graph(name, likelihood):
    options = {"parts": ["gaussian:2", "categorical:1:3"]} if likelihood == "mixed" else {}
    model = VAE((3,), 2, masked=True, likelihood=likelihood, likelihood_args=options)
    objective = registry.objectives.create(name)
    x, mask = torch.randint(0, 2, (6, 3)).float(), torch.rand(6, 3) < 0.6

    def loss(x, mask):
        return objective(model, Batch(x, extras={"mask": mask})).loss

    torch._dynamo.reset()
    found = []
    for function in (torch.compile(loss, fullgraph=True, backend="aot_eager"), loss):
        torch.manual_seed(3)
        found.append(function(x, mask))
    assert found[0].isfinite()
    torch.autograd.grad(found[0], list(model.parameters()))
    torch.testing.assert_close(*found)  # of the same noise
