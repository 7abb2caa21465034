"""Gradients of first and second order by finite differences, and torch's own checks of the ops."""

import pytest
import torch
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES
from pyvae.testing.sweep.gradients import *  # noqa: F403
from pyvae.testing.sweep.gradients import check_gradients, tiny

F64 = torch.float64


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["elbo_loss", "elbo_loss_gaussian"])
def test_every_reduction(name, reduction):
    case = CASES[name]
    inputs = {**tiny(case), "reduction": reduction}
    check_gradients(case, inputs, case.differentiable)
    check_gradients(case, inputs, case.learned, second=False)


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (3,)], ids=str)
@pytest.mark.parametrize("swap", [False, True])
def test_data_and_parameters_broadcast_over_batch_dimensions(shape, swap):
    few = torch.rand(shape, dtype=F64)
    many = torch.randn(2, 2, 3, dtype=F64)
    x, parameter = (many.sigmoid(), few) if swap else (few, many)
    for function, inputs in [
        (F.bernoulli_log_prob, {"x": x, "logits": parameter}),
        (F.gaussian_log_prob, {"x": x, "mean": parameter, "logvar": torch.randn(3, dtype=F64)}),
    ]:
        check_gradients(lambda i, f=function: f(**i, batch_ndim=2), inputs, tuple(inputs))
        expanded = {k: v.expand(2, 2, 3) for k, v in inputs.items()}
        assert_close(function(**inputs, batch_ndim=2), function(**expanded, batch_ndim=2))


@pytest.mark.parametrize(
    "given", [("prior_mean",), ("prior_logvar",), ("prior_mean", "prior_logvar")]
)
@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (2, 3), (4, 1, 3)], ids=str)
def test_priors(given, shape):
    case = CASES["gaussian_kl_prior"]
    inputs = {name: tiny(case)[name] for name in ("mean", "logvar")}
    for name in given:
        inputs[name] = torch.randn(shape, dtype=F64)
    check_gradients(lambda i: F.gaussian_kl(**i), inputs, tuple(inputs))
