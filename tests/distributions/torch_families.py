"""The families of torch.distributions that are ours too, by torch's arguments."""

import math

import pytest
import torch
from torch import distributions as td
from torch.testing import assert_close

from pyvae import distributions as d

F64 = torch.float64

#: What of torch's does not hold for ours, and why: the last test shows each.
DIFFERENCES = {
    "fractions": "grey levels are values of a Bernoulli: its log-density is linear in them",
    "moments": "torch gives NaN for those of Categorical, ours those of the classes as numbers",
    "lims": "no interval about 1/2 needs a series in ContinuousBernoulli: the density is exact",
    "clamps": "torch keeps probabilities 1e-7 away from 0 and 1; what has none is -inf in ours",
    "expand": "torch refuses subclasses with a constructor of their own, ours expands them",
    "numbers": "torch refuses a number as a value where it validates, ours takes it",
}
#: What torch's own do not hold of it: the law, the family, and what happens.
TORCHS_FAULTS = {
    ("no samples", "Categorical"): "sample((0,)) raises",
    ("no samples", "OneHotCategorical"): "sample((0,)) raises",
    ("repr", "OneHotCategorical"): "repr shows no parameter",
    ("bad probs", "ContinuousBernoulli"): "they are clamped before they are looked at",
    ("unchecked", "ContinuousBernoulli"): "validate_args=False is not heeded",
    ("unchecked", "OneHotCategorical"): "validate_args=False is not heeded",
    ("bfloat16", "NegativeBinomial"): "no gamma variables in bfloat16",
}


class OneHotCategorical(d.OneHot):
    """A single group, by torch's arguments."""

    def __init__(self, probs=None, logits=None, validate_args=None):
        given = {"probs": probs, "logits": logits}
        given = {k: t if t is None else t.unsqueeze(-2) for k, t in given.items()}
        super().__init__(**given, validate_args=validate_args)


class Normal(d.DiagonalGaussian):
    """Single variables, by torch's arguments."""

    def __init__(self, loc, scale, validate_args=None):
        super().__init__(loc=loc, scale=scale, event_ndim=0, validate_args=validate_args)


def randn(*shape, seed=0):
    return torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def positive(*shape, seed=0):
    return randn(*shape, seed=seed).exp()


def share(*shape, seed=0):
    return randn(*shape, seed=seed).sigmoid()


def shares(*shape, seed=0):
    return randn(*shape, seed=seed).softmax(-1)


nan, inf = math.nan, math.inf
BINARY_BAD = [{"probs": -0.1}, {"probs": 1.1}, {"probs": nan}, {"logits": nan}]
CLASSES_BAD = [
    {"probs": torch.tensor([0.5, -0.5, 1.0])},
    {"probs": torch.tensor([0.0, 0.0, 0.0])},
    {"probs": torch.tensor([0.5, nan, 0.5])},
    {"logits": torch.tensor([0.0, nan, 1.0])},
]
SPREAD_BAD = [
    {"loc": 0.0, "scale": 0.0},
    {"loc": 0.0, "scale": -1.0},
    {"loc": nan, "scale": 1.0},
    {"loc": 0.0, "scale": nan},
]
# name: arguments that are taken, arguments that are not, values out of the support
FAMILIES = {
    "Bernoulli": (
        [{"probs": share(3, 2)}, {"logits": randn(3)}, {"probs": 0.3}, {"logits": -1.0}],
        BINARY_BAD,
        [-1.0, 2.0, nan],
    ),
    "ContinuousBernoulli": (
        [{"probs": share(3, 2)}, {"logits": 3 * randn(3)}, {"probs": 0.3}, {"logits": -1.0}],
        BINARY_BAD,
        [-0.1, 1.1, nan],
    ),
    "Categorical": (
        [{"probs": shares(2, 4)}, {"logits": randn(3, 2, 3)}, {"probs": torch.tensor([1.0, 3.0])}],
        CLASSES_BAD,
        [-1.0, 0.5, 9.0, nan],
    ),
    "OneHotCategorical": (
        [{"probs": shares(2, 4)}, {"logits": randn(3, 2, 3)}, {"probs": torch.tensor([1.0, 3.0])}],
        CLASSES_BAD,
        [2.0, -1.0, nan],
    ),
    "Laplace": (
        [
            {"loc": randn(3, 2), "scale": positive(3, 2, seed=1)},
            {"loc": randn(3, 1), "scale": positive(2)},
            {"loc": 0.5, "scale": 2.0},
            {"loc": randn(2), "scale": 0.1},
            {"loc": 1.0, "scale": positive(3)},
        ],
        SPREAD_BAD,
        [nan],
    ),
    "Normal": (
        [
            {"loc": randn(3, 2), "scale": positive(3, 2, seed=1)},
            {"loc": randn(3, 1), "scale": positive(2)},
            {"loc": 0.5, "scale": 2.0},
            {"loc": randn(2), "scale": 0.1},
            {"loc": 1.0, "scale": positive(3)},
        ],
        SPREAD_BAD,
        [nan],
    ),
    "Poisson": (
        [{"rate": positive(3, 2)}, {"rate": positive(1)}, {"rate": 3.0}, {"rate": 0.0}],
        [{"rate": -0.1}, {"rate": nan}],
        [-1.0, 0.5, nan],
    ),
    "NegativeBinomial": (
        [
            {"total_count": positive(3, 2), "probs": share(3, 2)},
            {"total_count": positive(3, 1), "logits": randn(2)},
            {"total_count": 10, "probs": share(2)},
            {"total_count": torch.tensor([10]), "probs": share(2)},
            {"total_count": 2.5, "probs": 0.4},
            {"total_count": torch.tensor(0.0), "probs": share(2)},
        ],
        [
            {"total_count": -1.0, "probs": 0.5},
            {"total_count": 1.0, "probs": 1.0},
            {"total_count": 1.0, "probs": -0.1},
            {"total_count": 1.0, "logits": nan},
        ],
        [-1.0, 0.5, nan],
    ),
}
OURS = {"OneHotCategorical": OneHotCategorical, "Normal": Normal}
EXAMPLES = [(name, k) for name, (good, _, _) in FAMILIES.items() for k in range(len(good))]
both = pytest.mark.parametrize("whose", ["ours", "torch"])
every = pytest.mark.parametrize("name", FAMILIES)
every_example = pytest.mark.parametrize(("name", "k"), EXAMPLES)


def family(name, whose):
    return getattr(td, name) if whose == "torch" else OURS.get(name) or getattr(d, name)


def made(name, k, whose, **options):
    """A distribution with leaves as parameters, and the leaves."""
    given = dict(FAMILIES[name][0][k])
    for key, t in given.items():
        if isinstance(t, torch.Tensor) and t.is_floating_point():
            given[key] = t.clone().requires_grad_()
    leaves = [t for t in given.values() if isinstance(t, torch.Tensor) and t.requires_grad]
    return family(name, whose)(**given, **options), leaves


def expect_fault(law, name, whose):
    if whose == "torch" and (law, name) in TORCHS_FAULTS:
        pytest.xfail(TORCHS_FAULTS[law, name])


def close(a, b, **tolerances):
    assert_close(a, b, **{"rtol": 1e-5, "atol": 1e-6, "check_dtype": False, **tolerances})


def attempt(function):
    try:
        return function()
    except NotImplementedError:
        return None
