"""Evaluate a model on a split: which rows, in which batches, under which seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from pyvae.data import Split, View
from pyvae.errors import UserError
from pyvae.metrics import Evaluation, Moments, ais_log_likelihood, evaluate, seeded
from pyvae.models.base import Model
from pyvae.models.capacity import capacity
from pyvae.training.meter import meter

__all__ = ["AGGREGATE", "annealed_split", "check_shape", "evaluate_split", "is_discrete"]

ROWS = 250  # data at a time, at most: part of what fixes the noise
SEED = 2**31 - 1  # of every evaluation, whatever the run's
AGGREGATE = 1000  # samples at which a final evaluation looks at the aggregated posterior


def check_shape(model: Model, data_shape: tuple[int, ...], name: str) -> None:
    """Whether a data set fits a model.

    Raises:
        UserError: its images have another size.
    """
    if tuple(model.data_shape) != tuple(data_shape):
        raise UserError(
            f"{name} has data of shape {data_shape}, the model takes {tuple(model.data_shape)}"
        )


def is_discrete(model: Model, split: Split) -> bool:
    """Whether log p(x) is a probability's: whole numbers under a discrete likelihood."""
    if not model.likelihood.discrete or not split.x.is_floating_point():
        return model.likelihood.discrete
    return all(bool((block.x == block.x.round()).all()) for block in split.blocks(ROWS))


def evaluate_split(
    model: Model,
    view: View,
    split: Split,
    *,
    num_samples: int,
    rows: int = 0,
    aggregate: int = 0,
    tick: Callable[[], None] = lambda: None,
    quiet: bool = True,
) -> Evaluation:
    """The figures of a model on held-out data, the same for the same model and data.

    Torch's own random state is left as it was.

    Args:
        model: in any mode; evaluated in eval mode
        view: how the likelihood sees the data
        split: held-out data, on the model's device
        num_samples: importance samples for log p(x); 0: none
        rows: a random subset of so many rows; 0: all
        aggregate: at how many samples to look at the aggregated posterior; 0: not at all
        tick: called between small pieces of the work; what it raises ends the evaluation
        quiet: whether not to tell how far a longer evaluation is
    """
    split = split.subset(rows) if rows else split
    training = model.training
    num_samples = num_samples if model.latent_dim else min(num_samples, 1)

    whole = "mask" not in split.extras  # bits are counted for each dimension of a datum
    discrete = whole and is_discrete(model, split) and view.held_out_mode == "stored"
    model.eval()
    try:
        with (
            seeded(SEED, split.device),
            meter(_work(split, num_samples), len(split) * (1 + num_samples), quiet=quiet) as done,
        ):

            def both(data: int) -> None:
                tick()
                done(data)

            return evaluate(
                model,
                _batches(model, view, split),
                num_samples=num_samples,
                discrete=discrete,
                aggregate=aggregate,
                tick=both,
            )
    finally:
        model.train(training)


def _work(split: Split, num_samples: int) -> str:
    each = f" with {num_samples} samples each" if num_samples > 1 else ""
    return f"evaluating {len(split)} data{each}"


def annealed_split(
    model: Model,
    view: View,
    split: Split,
    *,
    steps: int,
    chains: int,
    rows: int = 0,
    quiet: bool = True,
) -> tuple[float, float]:
    """log p(x) by annealed importance sampling over the latents, and its standard error, in nats.

    The same for the same model and data, as :func:`evaluate_split`, whose arguments these are.

    Raises:
        UserError: latents that are no real numbers.
    """
    found = Moments()
    split = split.subset(rows) if rows else split
    work = f"annealing {chains} chains for each of {len(split)} data"
    with seeded(SEED, split.device), meter(work, len(split) * steps, quiet=quiet) as tick:
        for x, side in _batches(model, view, split):
            try:
                each = ais_log_likelihood(
                    model, x, steps=steps, chains=chains, side=side, tick=tick
                )
            except TypeError as error:
                raise UserError(f"--ais: {error}") from error
            found.add(each)
    return float(found.mean), found.error


def _batches(
    model: Model, view: View, split: Split
) -> Iterator[tuple[Tensor, Mapping[str, Tensor]]]:
    """Data with their side inputs, as many at a time as there is room for in the widest layer."""
    size = 0
    for part in split.blocks(ROWS):
        label = {} if part.y is None else {"label": part.y}
        x, side = view.held_out_values(part.x), {**part.extras, **label}
        size = size or min(ROWS, capacity(model, x, side))
        for start in range(0, len(x), size):
            few = slice(start, start + size)
            yield x[few], {name: value[few] for name, value in side.items()}


def default_device(name: str) -> torch.device:
    """The device of a name; "auto" is CUDA where there is one.

    Raises:
        UserError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}: expected auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this machine, or this build of torch, has no CUDA")
    return device
