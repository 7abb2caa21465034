"""One row per op: what the tests sweep over and the benchmarks race.

A row knows how to make inputs, call the op and its specification, and count bytes. Adding an op
is one row of ``CASES``, in the file of its kind; no test or benchmark file changes.

Example:
    >>> import torch
    >>> case = CASES["bernoulli_log_prob"]
    >>> inputs = case.inputs(4, 784, requires_grad=case.learned)
    >>> torch.allclose(case(inputs), case.specification(inputs), rtol=1e-5)
    True
"""

from __future__ import annotations

from collections.abc import Mapping

from . import bernoulli, continuous_bernoulli, counts, elbo, gaussian, laplace, logistic
from .case import (
    TOLERANCE,
    Bytes,
    Inputs,
    OpCase,
    Result,
    Tolerance,
    differentiate,
    in_float64,
    outputs,
)

__all__ = [
    "CASES",
    "TOLERANCE",
    "Bytes",
    "Inputs",
    "OpCase",
    "Result",
    "Tolerance",
    "differentiate",
    "in_float64",
    "outputs",
]

CASES: Mapping[str, OpCase] = {
    case.name: case
    for rows in (
        gaussian.ROWS,
        bernoulli.ROWS,
        continuous_bernoulli.ROWS,
        laplace.ROWS,
        logistic.ROWS,
        counts.ROWS,
        elbo.ROWS,
    )
    for case in rows
}
