"""One row per op: what the tests sweep over and the benchmarks race.

A row knows how to make inputs, call the op and its specification, and count bytes. Adding an op
is one row, in the file of its kind in ``pyvae/testing/cases``; no test or benchmark file changes.
A density of another package is a row by :func:`density_case`, and ``pyvae.testing.sweep`` holds
the tests.

Example:
    >>> import torch
    >>> case = CASES["bernoulli_log_prob"]
    >>> inputs = case.inputs(4, 784, requires_grad=case.learned)
    >>> torch.allclose(case(inputs), case.specification(inputs), rtol=1e-5)
    True
"""

from __future__ import annotations

from . import draw
from .agreement import disagreement
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
from .cases import CASES
from .density import density_case

__all__ = [
    "CASES",
    "TOLERANCE",
    "Bytes",
    "Inputs",
    "OpCase",
    "Result",
    "Tolerance",
    "density_case",
    "differentiate",
    "disagreement",
    "draw",
    "in_float64",
    "outputs",
]
