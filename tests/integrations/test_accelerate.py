"""Accelerate needs nothing of ours: models and objectives are modules."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

pytestmark = [pytest.mark.integrations, pytest.mark.filterwarnings("ignore")]

pytest.importorskip("accelerate")
from accelerate import Accelerator  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402

import pyvae  # noqa: E402


@pytest.fixture(autouse=True)
def fresh():
    """Its settings hold for a whole process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


class Loss(nn.Module):
    """Model and objective as the one module that a wrapper's forward goes through."""

    def __init__(self, model, objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x):
        return self.objective(self.model, x).loss


def made():
    torch.manual_seed(0)
    loss = Loss(pyvae.VAE((1, 4, 4), latent_dim=2), pyvae.objectives.ELBO())
    return loss, torch.optim.Adam(loss.parameters(), lr=1e-3)


def batches():
    x = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(1)).round()
    return DataLoader(TensorDataset(x), batch_size=16)


def train(loss, optimizer, loader, backward):
    for step, (x,) in enumerate(loader):
        torch.manual_seed(step)
        optimizer.zero_grad()
        backward(loss(x))
        optimizer.step()


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_prepared_loop_is_a_plain_loop(precision):
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    loss, optimizer = made()
    prepared = accelerator.prepare(loss, optimizer, batches())
    train(*prepared, accelerator.backward)
    plain, plain_optimizer = made()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
    train(autocast(plain), plain_optimizer, batches(), torch.Tensor.backward)
    mine = accelerator.unwrap_model(prepared[0]).parameters()
    assert all(torch.equal(a, b) for a, b in zip(mine, plain.parameters(), strict=True))


def test_a_state_that_is_saved_and_loaded_goes_on(tmp_path):
    accelerator = Accelerator(cpu=True)
    loss, optimizer, loader = accelerator.prepare(*made(), batches())
    train(loss, optimizer, loader, accelerator.backward)
    accelerator.save_state(str(tmp_path))
    train(loss, optimizer, loader, accelerator.backward)
    whole = [p.clone() for p in loss.parameters()]
    accelerator.load_state(str(tmp_path))
    train(loss, optimizer, loader, accelerator.backward)
    assert all(torch.equal(a, b) for a, b in zip(loss.parameters(), whole, strict=True))
