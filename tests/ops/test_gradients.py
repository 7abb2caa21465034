"""Gradients of first and second order by finite differences, and torch's own checks of the ops."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, outputs

F64 = torch.float64
TINY = (2, 3, 2)
# Those whose gradients finite differences can show.
EXACT = [case for case in CASES.values() if not case.stops_gradient]
exact_case = pytest.mark.parametrize("case", EXACT, ids=lambda c: c.name)
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def schema(case):
    return [a.name for a in getattr(torch.ops.pyvae, case.native).default._schema.arguments]


def tiny(case, **options):
    return case.inputs(*TINY[: len(case.sizes)], **{"dtype": F64, **options})


def check_gradients(function, inputs, wanted, second=True):
    """Finite differences of ``function(inputs)`` in the arguments ``wanted``."""
    leaves = [inputs[name].detach().clone().requires_grad_() for name in wanted]

    def of(*values):
        return outputs(function({**inputs, **dict(zip(wanted, values, strict=True))}))

    assert gradcheck(of, leaves, fast_mode=not second)
    if second:
        assert gradgradcheck(of, leaves, fast_mode=True)


@exact_case
def test_every_gradient(case):
    check_gradients(case, tiny(case), case.differentiable)
    for name in case.differentiable:  # and one at a time: each has a mask of its own
        check_gradients(case, tiny(case), (name,), second=False)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["elbo_loss", "elbo_loss_gaussian"])
def test_every_reduction(name, reduction):
    case = CASES[name]
    inputs = {**tiny(case), "reduction": reduction}
    check_gradients(case, inputs, case.differentiable)
    check_gradients(case, inputs, case.learned, second=False)


# From a tensor (batch, event) to one that broadcasts back to it.
BROADCASTS = {
    "scalar": lambda t: t[0, 0],
    "one": lambda t: t[0, :1],
    "event": lambda t: t[0],
    "one row": lambda t: t[:1],
    "per sample": lambda t: t[:, :1],
}


@pytest.mark.parametrize("form", BROADCASTS)
@pytest.mark.parametrize(
    "case, name",
    [(c, n) for c in EXACT for n in c.broadcasts],
    ids=lambda v: getattr(v, "name", v),
)
def test_broadcast_operands(case, name, form):
    inputs = tiny(case)
    inputs[name] = BROADCASTS[form](inputs[name].expand(len(inputs["mean"]), -1))
    check_gradients(case, inputs, case.differentiable)
    check_gradients(case, inputs, (name,), second=False)


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


PER_SAMPLE = [case for case in EXACT if "batch_ndim" in schema(case)]


@pytest.mark.parametrize("batch_ndim", [0, 1, 2])
@pytest.mark.parametrize("case", PER_SAMPLE, ids=lambda c: c.name)
def test_gradients_for_every_batch_ndim(case, batch_ndim):
    if case.images and batch_ndim == 2:
        pytest.skip("an image is never split: tests/ops/test_logistic_mixture.py")
    inputs = tiny(case)
    check_gradients(lambda i: case(i, batch_ndim=batch_ndim), inputs, case.differentiable)


def forms(case):
    """Arguments of the native op: as they are, half of them learned, in float32, and broadcast."""
    plain = case.inputs(*TINY[: len(case.sizes)])
    yield {**plain}
    yield case.inputs(*TINY[: len(case.sizes)], dtype=F64, requires_grad=case.differentiable)
    yield {**plain, **case.inputs(*TINY[: len(case.sizes)], requires_grad=case.differentiable[-1:])}
    for name in case.broadcasts:
        yield {**plain, name: plain[name].flatten()[0].clone().requires_grad_()}
    if "beta" in plain:
        yield {**plain, "beta": None}
    if case.native == "gaussian_rsample":
        yield {**plain, "seed": torch.arange(3), "sample_shape": (3,)}
    if case.native.startswith("gaussian_rsample_log_ratio"):
        yield {**plain, "seed": torch.arange(2)}
    if case.native in ("gaussian_rsample_kl", "rank1_gaussian_rsample_kl"):
        yield {**plain, "seed": torch.arange(2)}


CHECKS = (
    "test_schema",
    "test_autograd_registration",
    "test_faketensor",
    "test_aot_dispatch_dynamic",
)


@every_case
def test_opcheck_forward(case):
    op = getattr(torch.ops.pyvae, case.native).default
    for i, inputs in enumerate(forms(case)):
        # Tracing is slow: twice per op, the rest of the forms without.
        opcheck(op, case.arguments(inputs), test_utils=CHECKS if i in (1, 3) else CHECKS[:3])


@every_case
def test_opcheck_backward_and_one_pass(case):
    op = getattr(torch.ops.pyvae, f"{case.native}_backward").default
    one_pass = getattr(torch.ops.pyvae, f"_{case.native}_value_grad", None)
    for i, inputs in enumerate(forms(case)):
        arguments = case.arguments(inputs)
        with torch.no_grad():
            grads = [torch.randn_like(r) for r in outputs(case.specification(inputs))]
        tensors = [a for a in arguments if a is None or torch.is_tensor(a)]
        leaves = [inputs[n] for n in case.differentiable]
        mask = [t is not None and any(t is leaf for leaf in leaves) for t in tensors]
        for some in (mask, [m and k % 2 == 0 for k, m in enumerate(mask)]):
            opcheck(op, (*grads, *arguments, some), test_utils=CHECKS if i == 0 else CHECKS[:3])
        if one_pass is not None and i == 0 and not inputs.get("per_dimension"):
            # ... of operands that are not broadcast
            learned = [
                any(t is inputs[name] for name in case.learned) and t.ndim == tensors[0].ndim
                for t in tensors
            ]
            opcheck(one_pass.default, (*arguments, learned))
