"""CUDA graphs of training steps, over a stand-in for the device that does again what it is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from pyvae.config import TrainConfig
from pyvae.errors import UserError
from pyvae.models.base import Model
from pyvae.objectives import ELBO, IWAE, Denoising
from pyvae.training.build import build
from pyvae.training.loop import Trainer
from pyvae.training.optimization import engine, graphs
from pyvae.training.signals import StopRequest

SMALL: dict[str, Any] = {
    "encoder_args": {"hidden": [8]},
    "decoder_args": {"hidden": [8]},
    "steps": 14,
    "batch_size": 500,  # three batches in an epoch, of which the last is shorter
    "eval_samples": 0,
}
FACTOR = {"objective": "factor_vae", "objective_args": {"hidden": [8]}}


class Stream:
    """Stands for one of the device."""

    def wait_stream(self, other: Stream) -> None:
        """There is nothing to wait for."""


class Recorder:
    """Stands for :func:`pyvae.training.optimization.graphs.record`.

    What is recorded is not run: its tensors hold nothing until the first replay, and then and ever
    after results are put where the recorded ones were.
    """

    def __init__(self) -> None:
        self.model: torch.nn.Module = torch.nn.Module()
        self.recorded = self.replayed = 0

    def __call__(
        self, work: Callable[[], list[tuple[str, Tensor]]], stream: object
    ) -> tuple[Callable[[], None], list[tuple[str, Tensor]]]:
        self.recorded += 1
        tensors = [*self.model.buffers()]
        kept, state = [t.clone() for t in tensors], torch.get_rng_state()
        terms = [(name, value.clone()) for name, value in work()]
        torch.set_rng_state(state)
        for tensor, before in zip(tensors, kept, strict=True):
            tensor.copy_(before)
        weights = [w for w in self.model.parameters() if w.grad is not None]
        places = [w.grad for w in weights if w.grad is not None]
        for place in (*places, *(value for _, value in terms)):
            place.fill_(torch.nan)

        def replay() -> None:
            self.replayed += 1
            for weight in self.model.parameters():
                weight.grad = None
            for (_, there), (_, new) in zip(terms, work(), strict=True):
                there.copy_(new)
            for weight, place in zip(weights, places, strict=True):
                assert weight.grad is not None
                place.copy_(weight.grad)
            for weight in self.model.parameters():
                weight.grad = None

        return replay, terms


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(engine, "check_graphs", lambda *_: None)
    monkeypatch.setattr(graphs, "record", made)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    return made


def trained(recorder: Recorder, **settings: Any) -> Trainer:
    config = TrainConfig(**{**SMALL, **settings})
    trainer = Trainer(config, build(config), None, quiet=True)
    recorder.model = trainer.engine.losses
    trainer.fit(StopRequest())
    return trainer


@pytest.mark.parametrize(
    ("settings", "phases"),
    [
        ({}, 1),
        ({**FACTOR, "clip_grad_norm": 1.0, "ema": 0.9}, 2),
        ({"objective": "iwae", "max_skipped": 1, "optimizer": "sgd"}, 1),
        ({"prior": "conditional_gaussian", "condition": ["label"]}, 1),
    ],
)
def test_a_run_of_graphs_has_the_numbers_of_one_without(
    settings: dict[str, Any], phases: int, recorder: Recorder
) -> None:
    plain = trained(recorder, **settings)
    assert recorder.recorded == 0
    graphed = trained(recorder, cuda_graphs=True, **settings)
    for (name, one), other in zip(
        graphed.outcome.state_dict().items(), plain.outcome.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    # whole batches come ten times and the short ones four times, each three times as usual first
    assert recorder.recorded == 2 * phases
    assert recorder.replayed == (7 + 1) * phases


def test_what_a_graph_cannot_hold_is_a_sentence(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(graphs, "record", refused)
    with pytest.raises(UserError, match=r"ELBO does what .* is capturing\); train without it"):
        trained(recorder, cuda_graphs=True)


def test_where_graphs_do_not_fit() -> None:
    cuda = torch.device("cuda")
    graphs.check_graphs(cuda, ELBO(beta=2.0))
    graphs.check_graphs(cuda, IWAE())
    with pytest.raises(UserError, match="needs a CUDA device, and this run is on cpu"):
        graphs.check_graphs(torch.device("cpu"), ELBO())
    for objective in (ELBO(warm_up_steps=5), Denoising(objective=ELBO(warm_up_epochs=2))):
        with pytest.raises(UserError, match="changes with the step here"):
            graphs.check_graphs(cuda, objective)
    with pytest.raises(UserError, match="--accumulate 1, got batches of 2 parts"):
        TrainConfig(cuda_graphs=True, accumulate=2)
    with pytest.raises(UserError, match="bf16, got 16"):
        TrainConfig(cuda_graphs=True, precision="16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("settings", [{}, {"objective": "iwae"}, FACTOR])
def test_on_a_device(settings: dict[str, Any]) -> None:
    models: list[Model] = []
    for use in (False, True):
        config = TrainConfig(**SMALL, **settings, device="cuda", cuda_graphs=use)
        trainer = Trainer(config, build(config), None, quiet=True)
        trainer.fit(StopRequest())
        models.append(trainer.outcome)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other)
