"""Accelerate needs nothing of ours: models and objectives are modules."""

from functools import partial

import pytest
import torch
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


def made():
    torch.manual_seed(0)
    vae = pyvae.VAE((1, 4, 4), latent_dim=2)
    return vae, torch.optim.Adam(vae.parameters(), lr=1e-3)


def batches():
    x = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(1)).round()
    return DataLoader(TensorDataset(x), batch_size=16)


def train(model, optimizer, loader, backward, autocast):
    elbo = pyvae.objectives.ELBO()
    for step, (x,) in enumerate(loader):
        torch.manual_seed(step)
        optimizer.zero_grad()
        with autocast():
            loss = elbo(model, x).loss
        backward(loss)
        optimizer.step()


def same(first, second):
    pairs = zip(first.parameters(), second, strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_prepared_loop_is_a_plain_loop(precision):
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    prepared = accelerator.prepare(*made(), batches())
    train(*prepared, accelerator.backward, accelerator.autocast)
    model, optimizer = made()
    half = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bf16")
    train(model, optimizer, batches(), torch.Tensor.backward, half)
    assert same(accelerator.unwrap_model(prepared[0]), list(model.parameters()))
    untrained, _ = made()
    assert not same(untrained, list(model.parameters()))


def test_a_state_that_is_saved_and_loaded_goes_on(tmp_path):
    accelerator = Accelerator(cpu=True)
    model, optimizer, loader = accelerator.prepare(*made(), batches())
    rest = (optimizer, loader, accelerator.backward, accelerator.autocast)
    train(model, *rest)
    accelerator.save_state(str(tmp_path))
    train(model, *rest)
    whole = [p.clone() for p in model.parameters()]
    accelerator.load_state(str(tmp_path))
    assert not same(model, whole)
    train(model, *rest)
    assert same(model, whole)
