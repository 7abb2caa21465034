"""What mixtures of discretized logistics say of wrong arguments."""

import pytest
import torch

from pyvae import functional as F
from pyvae.functional import discretized_logistic_mixture_log_prob as log_prob
from pyvae.functional import discretized_logistic_mixture_sample as sample

X, P = torch.zeros(2, 3, 4, 5, dtype=torch.uint8), torch.zeros(2, 20, 4, 5)
NAME = "discretized_logistic_mixture_log_prob"
SHAPES = {
    "no components": (lambda: log_prob(X, P, 0), ("num_mixtures", "between 1 and 100", "got 0")),
    "too many": (lambda: log_prob(X, P, 101), ("num_mixtures", "100", "101")),
    "planes": (lambda: log_prob(X, P, 3), ("params", "30", "[2, 20, 4, 5]")),
    "planes of grey": (lambda: log_prob(X[:, :1], P, 2), ("params", "6", "one channel")),
    "channels": (lambda: log_prob(X[:, :2], P, 2), ("x must have shape", "[2, 2, 4, 5]")),
    "no image": (lambda: log_prob(X[0, 0], P, 2), ("x must have shape", "[4, 5]")),
    "no planes": (lambda: log_prob(X, P[0, 0], 2), ("params must have shape", "[4, 5]")),
    "height": (lambda: log_prob(X, P[:, :, :3], 2), ("params", "[2, 20, 3, 5]", "[2, 3, 4, 5]")),
    "width": (lambda: log_prob(X, P[..., :1], 2), ("params", "[2, 20, 4, 1]")),
    "batch": (lambda: log_prob(X, P[:1].expand(3, -1, -1, -1), 2), ("broadcast", "[3, 20, 4, 5]")),
    "batch_ndim": (lambda: log_prob(X, P, 2, batch_ndim=2), ("batch_ndim", "0 and 1", "got 2")),
}


@pytest.mark.parametrize("bad", SHAPES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shapes_are_named(bad, device, monkeypatch):
    call, words = SHAPES[bad]
    monkeypatch.setitem(globals(), "X", X.to(device))
    monkeypatch.setitem(globals(), "P", P.to(device))
    with pytest.raises(ValueError) as caught:
        call()
    for word in (NAME, *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "x, params, words",
    [
        (X.bool(), P, ("x", "integers", "Bool")),
        (X, P.long(), ("params", "float32", "Long")),
        (X, P.to(torch.complex64), ("params", "float32", "ComplexFloat")),
    ],
)
def test_dtypes_are_named(x, params, words):
    with pytest.raises(TypeError) as caught:
        log_prob(x, params, 2)
    for word in (NAME, *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("params, components", [(P, 3), (P, 0), (P[0, 0], 2), (P[..., :0, :], 3)])
def test_samples_name_their_errors(params, components):
    with pytest.raises(ValueError, match=r"mixture_sample: params must .*10 M.*got shape"):
        sample(params, components)


def test_samples_name_a_wrong_dtype():
    with pytest.raises(TypeError, match=r"mixture_sample: params must be floating-point.*int64"):
        sample(P.long(), 2)


def test_the_ops_are_public():
    assert {NAME, "discretized_logistic_mixture_sample"} <= set(F.__all__)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_levels_in_any_integers(dtype):
    x = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    params = torch.randn(2, 20, 4, 5)
    log_prob = F.discretized_logistic_mixture_log_prob
    assert torch.equal(log_prob(x.to(dtype), params, 2), log_prob(x, params, 2))
