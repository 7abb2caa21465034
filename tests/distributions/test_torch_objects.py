"""What torch's classes refuse and say of themselves, and where ours differ on purpose."""

import copy
import inspect
import math
import pickle

import pytest
import torch
from torch import distributions as td
from torch.distributions import constraints
from torch_families import (
    FAMILIES,
    Normal,
    both,
    every,
    every_example,
    expect_fault,
    family,
    inf,
    made,
    randn,
    shares,
)

from pyvae import distributions as d

# What is refused


@both
@every
def test_values_out_of_the_support_raise(name, whose):
    p, _ = made(name, 0, whose)
    given = FAMILIES[name][0][0]
    unchecked = family(name, whose)(**given, validate_args=False)
    for bad in FAMILIES[name][2]:
        x = p.sample().double()
        x[..., 0] = bad
        with pytest.raises(ValueError):
            p.log_prob(x)
        if not (name == "Categorical" and whose == "torch"):  # which indexes by it
            unchecked.log_prob(x)
        assert not p.support.check(x).all()


@both
@pytest.mark.parametrize(("name", "bad"), [(n, b) for n, c in FAMILIES.items() for b in c[1]])
def test_bad_parameters_raise(name, bad, whose):
    if "probs" in bad:
        expect_fault("bad probs", name, whose)
    with pytest.raises(ValueError):
        family(name, whose)(**bad)
    with pytest.raises(ValueError):
        family(name, whose)(**bad, validate_args=True)
    expect_fault("unchecked", name, whose)
    family(name, whose)(**bad, validate_args=False)
    td.Distribution.set_default_validate_args(False)
    family(name, whose)(**bad)


@both
@pytest.mark.parametrize("name", [n for n, c in FAMILIES.items() if "probs" in c[0][0]])
def test_one_of_two_parameters(name, whose):
    make = family(name, whose)
    rest = {"total_count": 2.0} if name == "NegativeBinomial" else {}
    with pytest.raises(ValueError):
        make(**rest)
    with pytest.raises(ValueError):
        make(**rest, probs=shares(2), logits=randn(2))


# Classes and objects


@both
@every
def test_what_classes_say(name, whose):
    make, twin = family(name, whose), getattr(td, name)
    assert set(twin.arg_constraints) <= set(make.arg_constraints)
    assert all(isinstance(c, constraints.Constraint) for c in make.arg_constraints.values())
    assert isinstance(make.support, constraints.Constraint)
    assert bool(make.has_enumerate_support) == bool(twin.has_enumerate_support)
    p, _ = made(name, 0, whose)
    twin, _ = made(name, 0, "torch")
    assert p.support.event_dim == twin.support.event_dim == len(p.event_shape)
    if name != "Bernoulli":  # see DIFFERENCES
        assert p.support.is_discrete == twin.support.is_discrete
    x = p.sample((50,))
    assert p.support.check(x).all() and twin.support.check(x).all()


@both
@every_example
def test_arguments_go_in_torchs_order(name, k, whose):
    make, given = family(name, whose), FAMILIES[name][0][k]
    order = list(inspect.signature(getattr(td, name).__init__).parameters)[1:]
    positional = [given.get(key) for key in order[: 1 + max(map(order.index, given))]]
    p, _ = made(name, k, whose)
    x = p.sample()
    assert torch.equal(make(*positional).log_prob(x), p.log_prob(x))


@both
@every_example
def test_repr(name, k, whose):
    expect_fault("repr", name, whose)
    p, _ = made(name, k, whose)
    assert repr(p).startswith(f"{type(p).__name__}(")
    named = {"loc", "mean"} if name == "Normal" else set()
    for key, t in FAMILIES[name][0][k].items():
        assert f"{key}: " in repr(p) or key in named
        if isinstance(t, torch.Tensor) and t.numel() > 1 and name != "OneHotCategorical":
            assert "torch.Size" in repr(p)


@both
@every_example
def test_copies_and_pickles(name, k, whose):
    p = family(name, whose)(**FAMILIES[name][0][k])
    x = p.sample((3,))
    for other in (copy.deepcopy(p), copy.copy(p), pickle.loads(pickle.dumps(p))):
        assert torch.equal(other.log_prob(x), p.log_prob(x))
        assert (type(other), other.batch_shape) == (type(p), p.batch_shape)


@both
@every_example
def test_samples_are_without_a_gradient_and_rsamples_with_one(name, k, whose):
    p, leaves = made(name, k, whose)
    assert not p.sample().requires_grad
    if leaves and p.has_rsample:
        assert p.rsample().requires_grad
    twin, _ = made(name, k, "torch")
    assert p.has_rsample or not twin.has_rsample


@both
@every_example
def test_parameters_that_were_read_without_gradients_have_them_later(name, k, whose):
    p, leaves = made(name, k, whose)
    with torch.no_grad():
        for what in type(p).arg_constraints:
            getattr(p, what)
    if leaves:
        for what in type(p).arg_constraints:
            assert getattr(p, what).requires_grad or len(leaves) < len(FAMILIES[name][0][k])


@both
@every
def test_parameters_in_half_precision(name, whose):
    given = {k: t.bfloat16() for k, t in FAMILIES[name][0][0].items()}
    expect_fault("bfloat16", name, whose)
    p = family(name, whose)(**given, validate_args=False)
    x = p.sample((50,))
    assert x.dtype == (torch.int64 if name == "Categorical" else torch.bfloat16)
    assert p.log_prob(x).isfinite().all()


# Where ours differs


def test_the_differences_are_these():
    half = torch.tensor(0.5)
    assert d.Bernoulli(half).log_prob(half).isfinite()
    with pytest.raises(ValueError):
        td.Bernoulli(half).log_prob(half)
    fair = torch.tensor([0.5, 0.5])
    assert d.Categorical(fair).mean == 0.5 and td.Categorical(fair).mean.isnan()
    assert "lims" not in inspect.signature(d.ContinuousBernoulli).parameters
    assert d.Bernoulli(0.0).log_prob(1.0) == -inf
    assert td.Bernoulli(torch.tensor(0.0)).log_prob(torch.tensor(1.0)) > -20
    with pytest.raises(ValueError):
        td.Laplace(0.0, 1.0).log_prob(0.0)
    assert d.Laplace(0.0, 1.0).log_prob(0.0) == pytest.approx(-math.log(2))
    own = {"__init__": lambda self: td.Normal.__init__(self, 0.0, 1.0)}
    with pytest.raises(NotImplementedError):
        type("Own", (td.Normal,), own)().expand((3,))
    assert Normal(0.0, 1.0).expand((3,)).batch_shape == (3,)
