"""The ops under torch.func and vmap, and their higher and forward derivatives."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.testing import assert_close

from pyvae import functional as F
from pyvae.testing import CASES, outputs

F64 = torch.float64
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
SMALL = (2, 3, 2)


def scalar(function, inputs, wanted):
    """A scalar of the results as a function of the arguments in ``wanted``, nonlinear in each."""

    def of(*values):
        results = outputs(function({**inputs, **dict(zip(wanted, values, strict=True))}))
        return sum((r * r.detach().cos() + 0.1 * r.square()).sum() for r in results)

    return of


def small(case, dtype=F64):
    inputs = case.inputs(*SMALL[: len(case.sizes)], dtype=dtype)
    return inputs, [inputs[name] for name in case.differentiable]


def both(case):
    inputs, values = small(case)
    return [scalar(f, inputs, case.differentiable) for f in (case, case.specification)], values


@every_case
def test_grad_and_jacobians(case):
    (ours, truth), values = both(case)
    places = tuple(range(len(values)))
    expected = grad(truth, places)(*values)
    assert_close(grad(ours, places)(*values), expected)
    assert_close(jacrev(ours, places)(*values), expected)
    assert_close(jacfwd(ours, places)(*values), expected)


@every_case
def test_jvp(case):
    (ours, truth), values = both(case)
    for place in range(len(values)):  # one tangent, then all: none may be lost
        tangents = [torch.randn_like(v) * (i == place) for i, v in enumerate(values)]
        assert_close(
            jvp(ours, tuple(values), tuple(tangents)), jvp(truth, tuple(values), tuple(tangents))
        )
    tangents = tuple(torch.randn_like(v) for v in values)
    value, slope = jvp(ours, tuple(values), tangents)
    assert_close((value, slope), jvp(truth, tuple(values), tangents))
    assert slope != 0


@every_case
def test_forward_mode_outside_torch_func(case):
    inputs, _ = small(case)
    name = case.differentiable[-1]
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(inputs[name], torch.ones_like(inputs[name]))
        ours, truth = (outputs(f({**inputs, name: dual})) for f in (case, case.specification))
        for a, b in zip(ours, truth, strict=True):
            assert_close(*(torch.autograd.forward_ad.unpack_dual(t).tangent for t in (a, b)))


@every_case
def test_second_derivatives(case):
    (ours, truth), values = both(case)
    places = tuple(range(len(values)))
    expected = hessian(truth, places)(*values)
    assert_close(hessian(ours, places)(*values), expected)
    assert_close(jacrev(jacrev(ours, places), places)(*values), expected)
    assert_close(jacrev(jacfwd(ours, places), places)(*values), expected)


@every_case
def test_grad_of_grad_and_the_third_derivative(case):
    (ours, truth), values = both(case)
    for place in range(len(values)):

        def nested(f, x, place=place):
            for _ in range(3):
                inner = f

                def f(v, inner=inner):
                    return grad(lambda u: inner(u))(v).sum()

            return f(x)

        def at(f, place=place):
            return lambda v: f(*values[:place], v, *values[place + 1 :])

        assert_close(nested(at(ours), values[place]), nested(at(truth), values[place]))


@every_case
def test_create_graph_in_eager(case):
    def third(f):
        inputs, _ = small(case)
        leaves = [inputs[n].clone().requires_grad_() for n in case.differentiable]
        value = scalar(f, inputs, case.differentiable)(*leaves)
        found = [value]
        for _ in range(3):
            grads = torch.autograd.grad(value, leaves, create_graph=True)
            found += grads
            value = sum(g.square().sum() for g in grads)
        return found

    assert_close(third(case), third(case.specification))


@pytest.mark.parametrize("in_dims", ["all", "one"])
@every_case
def test_vmap_equals_a_loop(case, in_dims):
    inputs, _ = small(case)
    names = case.differentiable if in_dims == "all" else case.differentiable[:1]
    stacked = {n: torch.stack([inputs[n], inputs[n] + 0.3, inputs[n] * 0.5], -1) for n in names}

    def of(some):
        return outputs(case({**inputs, **some}))

    def slopes(some):
        return grad(lambda s: sum(r.square().sum() for r in of(s)))(some)

    for f in (of, slopes):
        mapped = vmap(f, in_dims=({n: -1 for n in names},), randomness="same")(stacked)
        loop = [f({n: t.select(-1, i) for n, t in stacked.items()}) for i in range(3)]
        expected = (
            {n: torch.stack([o[n] for o in loop]) for n in names}
            if isinstance(loop[0], dict)
            else tuple(torch.stack(o) for o in zip(*loop, strict=True))
        )
        assert_close(mapped, expected)


@pytest.mark.parametrize("loss", [F.elbo_loss, None], ids=["elbo_loss", "parts"])
def test_gradients_per_sample(loss):
    encoder, decoder = torch.nn.Linear(6, 4).double(), torch.nn.Linear(2, 6).double()
    x, seed = torch.rand(5, 6, dtype=F64), torch.tensor(3)
    weights = {**{f"0.{k}": p.detach() for k, p in encoder.named_parameters()}}
    weights |= {f"1.{k}": p.detach() for k, p in decoder.named_parameters()}
    both = torch.nn.ModuleList([encoder, decoder])

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = both

        def forward(self, x, seed):
            mean, logvar = self.parts[0](x[None]).chunk(2, -1)
            z, kl = F.gaussian_rsample_kl(mean, logvar, seed=seed)
            logits = self.parts[1](z)
            if loss is not None:
                return loss(x[None], logits, mean, logvar)
            return (kl - F.bernoulli_log_prob(x[None], logits)).mean()

    step = Step()
    weights = {f"parts.{k}": v for k, v in weights.items()}
    seeds = torch.arange(5)

    def one(w, x, seed):
        return functional_call(step, w, (x, seed))

    per_sample = vmap(grad(one), in_dims=(None, 0, 0))(weights, x, seeds)
    for i in range(5):
        expected = grad(one)(weights, x[i], seeds[i])
        assert_close({k: v[i] for k, v in per_sample.items()}, expected)
    assert seed.shape == ()


def test_randomness_under_vmap():
    mean, logvar = torch.zeros(4, 3), torch.zeros(4, 3)
    for draw in (
        lambda m: F.gaussian_rsample(m, logvar[0]),
        lambda m: F.gaussian_rsample_kl(m[None], logvar[:1])[0][0],
    ):
        different = vmap(draw, randomness="different")(mean)
        assert different.flatten().unique().numel() == 12
        same = vmap(draw, randomness="same")(mean)
        assert (same == same[0]).all()
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(draw)(mean)


def test_vmap_of_vmap():
    mean, logvar = torch.randn(2, 3, 4, 5, 6, dtype=F64)
    for priors in ((), (logvar,), (logvar, mean)):
        nested = vmap(vmap(F.gaussian_kl))(mean, logvar, *priors)
        assert_close(nested, F.gaussian_kl(mean, logvar, *priors, batch_ndim=3))

    def draw(m, v, s):
        return F.gaussian_rsample(m, v, seed=s)

    def slope(m, v, s):
        return grad(lambda v: draw(m, v, s).square().sum())(v)

    seeds = torch.arange(12).reshape(3, 4)
    for f in (draw, slope):
        expected = torch.stack(
            [
                f(m, v, s)
                for m, v, s in zip(
                    mean.flatten(0, 1), logvar.flatten(0, 1), seeds.flatten(), strict=True
                )
            ]
        )
        assert_close(vmap(vmap(f))(mean, logvar, seeds).flatten(0, 1), expected)
    different = vmap(vmap(F.gaussian_rsample, randomness="different"), randomness="different")
    assert different(torch.zeros(3, 4, 5), torch.zeros(3, 4, 5)).unique().numel() == 60
