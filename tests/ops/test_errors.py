"""Bad input is refused by a message that names op, argument, what was expected and what came."""

import pytest
import torch

from pyvae import functional as F
from pyvae.testing import CASES

zeros = torch.zeros
M, S = zeros(4, 5), torch.tensor(0)
IMAGE, CHANNEL = zeros(4, 28, 28), zeros(4, 1, 28, 28)

SHAPES = {
    "images without a channel": (
        lambda: F.bernoulli_log_prob(IMAGE, CHANNEL),
        ("bernoulli_log_prob", "event shape", "[4, 28, 28]", "[4, 1, 28, 28]"),
    ),
    "channel too many": (
        lambda: F.gaussian_log_prob(CHANNEL, IMAGE),
        ("gaussian_log_prob", "event shape", "[4, 28, 28]", "[4, 1, 28, 28]"),
    ),
    "event": (
        lambda: F.bernoulli_log_prob(M, zeros(4, 6)),
        ("bernoulli_log_prob", "logits", "[4, 6]", "[4, 5]"),
    ),
    "event of one": (
        lambda: F.bernoulli_log_prob(M, zeros(4, 1)),
        ("bernoulli_log_prob", "logits", "[4, 1]", "[5]"),
    ),
    "data of one": (
        lambda: F.gaussian_log_prob(zeros(4, 1), M),
        ("gaussian_log_prob", "x", "[4, 1]", "[5]"),
    ),
    "batch": (
        lambda: F.gaussian_log_prob(M, zeros(3, 5)),
        ("gaussian_log_prob", "mean", "[3, 5]", "[4, 5]"),
    ),
    "logvar": (lambda: F.gaussian_log_prob(M, M, zeros(4)), ("gaussian_log_prob", "logvar", "[4]")),
    "logvar of kl": (lambda: F.gaussian_kl(M, zeros(3, 5)), ("gaussian_kl", "logvar", "[3, 5]")),
    "mean of kl": (
        lambda: F.gaussian_kl(zeros(5), M, batch_ndim=0),
        ("gaussian_kl", "mean", "[5]", "[4, 5]"),
    ),
    "prior mean": (lambda: F.gaussian_kl(M, M, zeros(6)), ("gaussian_kl", "prior_mean", "[6]")),
    "prior logvar": (
        lambda: F.gaussian_kl(M, M, None, zeros(6)),
        ("gaussian_kl", "prior_logvar", "[6]"),
    ),
    "wider logvar": (
        lambda: F.gaussian_rsample(zeros(5), M),
        ("gaussian_rsample", "logvar", "[4, 5]", "[5]"),
    ),
    "wider logvar of a pair": (
        lambda: F.gaussian_rsample_kl(zeros(5), M),
        ("gaussian_rsample_kl", "logvar"),
    ),
    "two batch sizes": (
        lambda: F.elbo_loss(M, M, zeros(3, 2), zeros(3, 2)),
        ("elbo_loss", "[4]", "[3]"),
    ),
    "batch_ndim too large": (
        lambda: F.gaussian_kl(M, M, batch_ndim=3),
        ("gaussian_kl", "batch_ndim", "2", "3"),
    ),
    "batch_ndim negative": (
        lambda: F.bernoulli_log_prob(M, M, batch_ndim=-1),
        ("bernoulli_log_prob", "batch_ndim", "-1"),
    ),
    "batch_ndim of a sample": (
        lambda: F.gaussian_rsample_kl(M, M, batch_ndim=3),
        ("gaussian_rsample_kl", "batch_ndim", "3"),
    ),
    "seed of two dimensions": (
        lambda: F.gaussian_rsample(M, M, seed=zeros(1, 1).long()),
        ("gaussian_rsample", "seed", "[1, 1]"),
    ),
    "streams": (
        lambda: F.gaussian_rsample(M, M, seed=torch.arange(3)),
        ("gaussian_rsample", "seed", "[3]", "[4, 5]"),
    ),
    "beta of many": (lambda: F.elbo_loss(M, M, M, M, beta=zeros(4)), ("elbo_loss", "beta", "[4]")),
    "beta of many, summed later": (
        lambda: F.elbo_loss(M, M, M, M, beta=zeros(2, 4), reduction="none"),
        ("elbo_loss", "beta", "[2, 4]"),
    ),
    "KL of more rows": (
        lambda: F.negative_elbo(zeros(2, 4), zeros(4, 2)),
        ("negative_elbo", "kl", "log_prob", "[2, 4]", "[4, 2]"),
    ),
    "beta of a loss for each row": (
        lambda: F.negative_elbo(zeros(4), zeros(4), zeros(4)),
        ("negative_elbo", "beta", "[4]"),
    ),
}
TYPES = {
    "log-likelihoods that are whole numbers": (
        lambda: F.negative_elbo(zeros(4).long(), zeros(4)),
        ("negative_elbo", "log_prob", "float32", "Long"),
    ),
    "complex data": (
        lambda: F.bernoulli_log_prob(M.to(torch.complex64), M),
        ("bernoulli_log_prob", "x", "bool or an integer", "ComplexFloat"),
    ),
    "integer logits": (
        lambda: F.bernoulli_log_prob(M, M.int()),
        ("bernoulli_log_prob", "logits", "float32", "Int"),
    ),
    "bool mean": (lambda: F.gaussian_log_prob(M, M.bool()), ("gaussian_log_prob", "mean", "Bool")),
    "complex": (
        lambda: F.gaussian_kl(M.to(torch.complex64), M),
        ("gaussian_kl", "mean", "Complex"),
    ),
    "integer logvar": (
        lambda: F.gaussian_rsample(M, M.long()),
        ("gaussian_rsample", "logvar", "Long"),
    ),
    "int32 seed": (
        lambda: F.gaussian_rsample(M, M, seed=S.int()),
        ("gaussian_rsample", "seed", "int64", "Int"),
    ),
    "float seed": (
        lambda: F.gaussian_rsample_kl(M, M, seed=S.float()),
        ("gaussian_rsample_kl", "seed", "int64", "Float"),
    ),
    "a number as seed": (
        lambda: F.gaussian_rsample(M, M, seed=3),
        ("gaussian_rsample", "seed", "int64 tensor", "int"),
    ),
    "a pair of logits": (
        lambda: F.elbo_loss(M, (M, M), M, M),
        ("elbo_loss", "decoded", "logits", "tuple"),
    ),
    "three of a pair": (
        lambda: F.elbo_loss(M, (M, M, M), M, M, likelihood="gaussian"),
        ("elbo_loss", "decoded", "(mean, logvar)"),
    ),
}
VALUES = {
    "reduction": (
        lambda: F.elbo_loss(M, M, M, M, reduction="avg"),
        ("elbo_loss", "reduction", "'mean'", "'avg'"),
    ),
    "likelihood": (
        lambda: F.elbo_loss(M, M, M, M, likelihood="poisson"),
        ("elbo_loss", "likelihood", "'gaussian'", "'poisson'"),
    ),
    "two sources of noise": (
        lambda: F.gaussian_rsample(M, M, generator=torch.Generator(), seed=S),
        ("gaussian_rsample", "generator", "seed"),
    ),
    "two sources for a pair": (
        lambda: F.gaussian_rsample_kl(M, M, generator=torch.Generator(), seed=S),
        ("gaussian_rsample_kl", "generator", "seed"),
    ),
}


def refused(kind, call, words):
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"


@pytest.mark.parametrize("bad", SHAPES.values(), ids=SHAPES)
def test_shapes(bad):
    refused(ValueError, *bad)


@pytest.mark.parametrize("bad", TYPES.values(), ids=TYPES)
def test_types(bad):
    refused(TypeError, *bad)


@pytest.mark.parametrize("bad", VALUES.values(), ids=VALUES)
def test_values(bad):
    refused(ValueError, *bad)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_devices(case):
    """One tensor elsewhere, whichever it is, is named with both devices."""
    for name, t in case.inputs().items():
        if not torch.is_tensor(t):
            continue
        inputs = {**case.inputs(), name: t.to("meta")}
        with pytest.raises((ValueError, RuntimeError, NotImplementedError)) as caught:
            case(inputs)
        assert isinstance(caught.value, ValueError), f"{name}: {caught.value!r}"
        assert "meta" in str(caught.value) and "cpu" in str(caught.value)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_gradients_do_not_hide_an_error(case):
    inputs = case.inputs(requires_grad=case.differentiable)
    for name in case.differentiable:
        bad = {**inputs, name: torch.zeros(13, 11, 17).requires_grad_()}
        with pytest.raises(
            ValueError, match="elbo_loss" if "elbo_loss" in case.name else case.native
        ):
            case(bad)


def test_the_same_errors_without_data():
    """Fake tensors, which torch.compile and export run on, are checked alike."""
    with pytest.raises(ValueError, match="must have equal event shapes"):
        F.bernoulli_log_prob(IMAGE.to("meta"), CHANNEL.to("meta"))
    with pytest.raises(TypeError, match="logits must be"):
        F.bernoulli_log_prob(M.to("meta"), M.long().to("meta"))
