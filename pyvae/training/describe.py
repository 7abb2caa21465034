"""What is known of data and model before training: scale, statistics, fingerprint, size."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pyvae.data import DataSplits, View
from pyvae.data.encoding import Encoding
from pyvae.data.stored import StoredBatch
from pyvae.data.survey import moments as observed_moments
from pyvae.data.survey import survey
from pyvae.errors import UserError
from pyvae.likelihoods import REAL, Likelihood
from pyvae.storage import digest

__all__ = ["check_data", "check_size", "describe", "fingerprint", "moments", "scale_advice"]

SMALL, LARGE = 0.01, 30.0  # beyond, root mean squares are far from what networks start at


def fingerprint(data: DataSplits) -> str:
    """A checksum of all splits: values, labels, side inputs."""
    tensors = {}
    for name, split in (("train", data.train), ("valid", data.valid), ("test", data.test)):
        if split.y is not None:
            tensors[f"{name}/y"] = split.y
        if isinstance(split, StoredBatch):
            tensors[f"{name}/rows"] = survey(split).checksums
            continue
        tensors[f"{name}/x"] = split.x
        tensors |= {f"{name}/extras/{key}": value for key, value in split.extras.items()}
    return digest(tensors)


def describe(data: DataSplits, shown: View) -> dict[str, Any]:
    """What ``train.json`` keeps of the data, fit for JSON."""
    return {
        "name": data.name,
        "rows": [len(data.train), len(data.valid), len(data.test)],
        "shape": list(data.data_shape),
        "levels": data.levels,
        "white": shown.white,
        "fingerprint": fingerprint(data),
        "streaming": isinstance(data.train, StoredBatch),
        **Encoding.of(data).to_dict(),
    }


def check_data(run: Path, before: object, now: Mapping[str, Any]) -> None:
    """Whether data are those that a run recorded, as far as it recorded any.

    Args:
        run: its folder, for the message
        before: what its ``train.json`` keeps of the data
        now: what :func:`describe` says of the data that are here

    Raises:
        UserError: they are others.
    """
    if not isinstance(before, dict) or "fingerprint" not in before:
        return
    if before["fingerprint"] != now["fingerprint"]:
        if before.get("streaming", False) != now["streaming"]:
            stayed = bool(before.get("streaming"))
            where = "stayed in their file" if stayed else "were held in memory"
            raise UserError(
                f"the data {now['name']} {where} when {run} was trained, and now they are not, "
                f"which is another order of rows: take them with streaming={str(stayed).lower()}"
            )
        rows, rows_now = before.get("rows"), now["rows"]
        how = f": {rows} rows then, {rows_now} now" if rows != rows_now else " in their values"
        raise UserError(
            f"the data {now['name']} are not those that {run} was trained on{how}; "
            f"bring those back, or take these with --ignore-fingerprints"
        )


def moments(shown: View) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the training data (*data_shape) as the likelihood sees them.

    Of data that are drawn anew for each minibatch, those of the grey levels; of data with missing
    values, those of what was observed.
    """
    mean, std = observed_moments(shown.data.train)
    unit = 1 if shown.train_mode == "stored" else shown.data.levels or 1
    return (mean / unit).float(), (std / unit).float()


def scale_advice(likelihood: Likelihood, mean: Tensor, std: Tensor) -> str:
    """What to do about real data on a scale far from that of networks; empty where it is near."""
    if likelihood.data_range != REAL:
        return ""
    if getattr(likelihood, "shift", None) is not None:  # it standardizes them
        return ""
    size = float((mean.double().square() + std.double().square()).mean().sqrt())
    if size == 0 or SMALL <= size <= LARGE:
        return ""
    offered = "standardize" in inspect.signature(type(likelihood)).parameters
    return (
        f"the training data have a mean of {float(mean.double().mean()):.3g} and a root mean "
        f"square of {size:.3g}, far from the scale of 1 that networks start at; "
        + ("--likelihood-args standardize=true" if offered else "standardized data")
        + " would suit them"
    )


def check_size(build: Callable[[], nn.Module]) -> None:
    """Whether a model, with its gradients and the optimizer's state, can fit into memory.

    Raises:
        UserError: it has more parameters than that.
    """
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            number = sum(parameter.numel() for parameter in build().parameters())
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except Exception:  # parts that cannot be built without memory, or another system
        return
    needed = 4 * 4 * number  # float32 weights, gradients, and two moments
    if needed > memory:
        raise UserError(
            f"the model would have {number:,} parameters, which take {needed / 2**30:,.0f} GiB "
            f"with gradients and the optimizer's state; this machine has "
            f"{memory / 2**30:,.0f} GiB of memory"
        )
