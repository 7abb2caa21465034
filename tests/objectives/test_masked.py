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
