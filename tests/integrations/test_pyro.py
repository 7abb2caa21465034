"""The distributions in models and guides of Pyro, under its ELBOs."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.distributions import kl_divergence

pytestmark = pytest.mark.integrations

pyro = pytest.importorskip("pyro")
import pyro.distributions as dist  # noqa: E402
from pyro import infer, poutine  # noqa: E402

from pyvae import distributions  # noqa: E402
from pyvae.integrations import pyro as ours  # noqa: E402

B, D, L = 6, 10, 3


class Ours:
    """What the tests need, in the classes of one side."""

    def prior(self, rows):
        return ours.StandardNormal((L,)).expand([rows])

    def posterior(self, mean, logvar):
        return ours.DiagonalGaussian(mean, logvar, event_ndim=1)

    def pixels(self, logits):
        return ours.Bernoulli(logits=logits, event_ndim=1)

    def bit(self, logits):
        return ours.Bernoulli(logits=logits, event_ndim=0)

    def choice(self, logits):
        return ours.Categorical(logits=logits, event_ndim=0)


class Theirs:
    def prior(self, rows):
        return dist.Normal(torch.zeros(rows, L), 1.0).to_event(1)

    def posterior(self, mean, logvar):
        return dist.Normal(mean, (logvar / 2).exp()).to_event(1)

    def pixels(self, logits):
        return dist.Bernoulli(logits=logits, validate_args=False).to_event(1)

    def bit(self, logits):
        return dist.Bernoulli(logits=logits)

    def choice(self, logits):
        return dist.Categorical(logits=logits)


class VAE(nn.Module):
    """The example of Pyro's documentation, in the classes of either side."""

    def __init__(self, side):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.side = side
        self.encoder, self.decoder = nn.Linear(D, 2 * L), nn.Linear(L, D)
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator) / 3

    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", self.side.prior(len(x)))
            pyro.sample("x", self.side.pixels(self.decoder(z)), obs=x)

    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", len(x)):
            pyro.sample("z", self.side.posterior(*self.encoder(x).chunk(2, -1)))


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    pyro.clear_param_store()
    with pyro.validation_enabled(True):
        yield


@pytest.fixture
def x():
    return torch.rand(B, D, generator=torch.Generator().manual_seed(1)).round()


ELBOS = {
    "Trace": infer.Trace_ELBO,
    "TraceMeanField": infer.TraceMeanField_ELBO,
    "TraceGraph": infer.TraceGraph_ELBO,
    "TraceEnum": infer.TraceEnum_ELBO,
}
elbos = pytest.mark.parametrize("name", ELBOS)


def mean_and_error(values):
    values = torch.tensor(values)
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()


@elbos
def test_the_vae_of_the_example_has_the_loss_of_pyros_own_classes(name, x):
    """In expectation; the standard error of 150 losses decides."""
    elbo = ELBOS[name](max_plate_nesting=1)
    means = []
    for side in (Ours(), Theirs()):
        pyro.clear_param_store()
        vae = VAE(side)
        means.append(mean_and_error([elbo.loss(vae.model, vae.guide, x) for _ in range(150)]))
    (mine, error), (theirs, other) = means
    assert abs(mine - theirs) < 4 * math.hypot(error, other)


@elbos
def test_the_vae_of_the_example_learns(name, x):
    vae = VAE(Ours())
    elbo = ELBOS[name](max_plate_nesting=1)
    svi = infer.SVI(vae.model, vae.guide, pyro.optim.Adam({"lr": 0.03}), elbo)
    losses = [svi.step(x) for _ in range(150)]
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])


def test_the_same_latents_have_the_same_density_at_every_site(x):
    vae = VAE(Ours())
    guide = poutine.trace(vae.guide).get_trace(x)
    sites = []
    for side in (Ours(), Theirs()):
        vae.side = side
        trace = poutine.trace(poutine.replay(vae.model, trace=guide)).get_trace(x)
        trace.compute_log_prob()
        again = poutine.trace(poutine.replay(vae.guide, trace=guide)).get_trace(x)
        again.compute_log_prob()
        sites.append([trace.nodes["z"], trace.nodes["x"], again.nodes["z"]])
    for mine, theirs in zip(*sites, strict=True):
        assert mine["log_prob"].shape == (B,)
        torch.testing.assert_close(mine["log_prob"], theirs["log_prob"], rtol=1e-5, atol=1e-5)


def test_the_kl_of_a_mean_field_is_exact(x):
    """Without the decoder the loss has no noise at all."""
    vae = VAE(Ours())

    def model(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", Ours().prior(len(x)))

    loss = infer.TraceMeanField_ELBO().loss(model, vae.guide, x)
    q = Theirs().posterior(*vae.encoder(x).chunk(2, -1))
    expected = kl_divergence(q, Theirs().prior(B)).sum()
    assert loss == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["Trace", "TraceMeanField", "TraceEnum"])
def test_vectorized_particles_are_particles(name, x):
    vae = VAE(Ours())

    def loss(particles, vectorize):
        elbo = ELBOS[name](
            num_particles=particles, vectorize_particles=vectorize, max_plate_nesting=1
        )
        return elbo.loss(vae.model, vae.guide, x)

    mean, error = mean_and_error([loss(1, False) for _ in range(150)])
    assert abs(loss(2000, True) - mean) < 5 * error


def test_subsampling_scales_and_masks_leave_out(x):
    vae = VAE(Ours())
    weights = torch.tensor([True, False] * 3)

    def masked(part):
        def run(x):
            with pyro.plate("data", 2 * B, subsample=torch.arange(B)), poutine.mask(mask=weights):
                part(x)

        return run

    def part_model(x):
        z = pyro.sample("z", Ours().prior(B))
        pyro.sample("x", Ours().pixels(vae.decoder(z)), obs=x)

    def part_guide(x):
        pyro.sample("z", Ours().posterior(*vae.encoder(x).chunk(2, -1)))

    elbo = infer.TraceMeanField_ELBO()
    torch.manual_seed(2)
    whole = elbo.loss(masked(part_model), masked(part_guide), x)
    torch.manual_seed(2)
    with torch.no_grad():
        q = part_posterior = Ours().posterior(*vae.encoder(x).chunk(2, -1))
        z = part_posterior.rsample()
        each = kl_divergence(q, Ours().prior(B)) - Ours().pixels(vae.decoder(z)).log_prob(x)
    assert whole == pytest.approx(2 * each[weights].sum().item(), rel=1e-5)


def mixture(side, logits, means, data):
    """A discrete latent for each datum, of two or more classes."""

    def model():
        with pyro.plate("data", len(data)):
            kind = side.bit if logits.ndim == 0 else side.choice
            z = pyro.sample("z", kind(logits), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(means[z.long()], 1.0), obs=data)

    return model


@pytest.mark.parametrize("classes", [2, 4])
def test_enumeration_gives_the_exact_marginal(classes):
    data, means = torch.randn(8), torch.randn(classes).requires_grad_()
    logits = (torch.randn(()) if classes == 2 else torch.randn(classes)).requires_grad_()
    elbo = infer.TraceEnum_ELBO(max_plate_nesting=1)
    losses = []
    for side in (Ours(), Theirs()):
        loss = elbo.differentiable_loss(mixture(side, logits, means, data), lambda: None)
        losses.append([loss, *torch.autograd.grad(loss, [logits, means])])
    log_p = (
        nn.functional.logsigmoid(torch.stack([-logits, logits]))
        if classes == 2
        else logits.log_softmax(0)
    )
    exact = -(log_p + dist.Normal(means, 1.0).log_prob(data[:, None])).logsumexp(1).sum()
    losses.append([exact, *torch.autograd.grad(exact, [logits, means])])
    for mine, theirs, true in zip(*losses, strict=True):
        torch.testing.assert_close(mine, true)
        torch.testing.assert_close(theirs, true)


def discrete_pair(side, q, p):
    """A guide and a model of one bit for each row, with a reward for it."""

    def guide():
        with pyro.plate("data", len(q)):
            return pyro.sample("z", side.bit(q), infer={"enumerate": "parallel"})

    def model():
        with pyro.plate("data", len(p)):
            z = pyro.sample("z", side.bit(p))
            pyro.sample("x", dist.Normal(2 * z, 1.0), obs=torch.ones(len(p)))

    return model, guide


def test_an_enumerated_guide_equals_pyros_and_a_score_function_agrees_with_it():
    q, p = torch.randn(4).requires_grad_(), torch.randn(4)
    exact = infer.TraceEnum_ELBO(max_plate_nesting=1)
    (mine,), (theirs,) = (
        torch.autograd.grad(exact.differentiable_loss(*discrete_pair(side, q, p)), q)
        for side in (Ours(), Theirs())
    )
    torch.testing.assert_close(mine, theirs)
    q_param = pyro.param("q", q.detach().clone())
    model, guide = discrete_pair(Ours(), q_param, p)
    graph = infer.TraceGraph_ELBO()
    grads = []
    for _ in range(600):
        graph.loss_and_grads(model, guide)
        grads.append(q_param.grad.clone())
        q_param.grad = None
    grads = torch.stack(grads)
    error = grads.std(0) / math.sqrt(len(grads))
    assert ((grads.mean(0) - mine).abs() < 5 * error).all()


def test_classes_that_form_one_event_are_not_enumerated():
    several = ours.Categorical(logits=torch.zeros(3, 2, 4), event_ndim=1)
    assert not several.has_enumerate_support
    with pytest.raises(NotImplementedError, match="only of single variables"):
        several.enumerate_support()
    one = ours.Categorical(logits=torch.zeros(3, 4), event_ndim=0)
    assert one.enumerate_support().tolist() == [[0] * 3, [1] * 3, [2] * 3, [3] * 3]
    assert one.enumerate_support(expand=False).shape == (4, 1)


JIT = {
    "Trace": infer.JitTrace_ELBO,
    "TraceMeanField": infer.JitTraceMeanField_ELBO,
    "TraceGraph": infer.JitTraceGraph_ELBO,
    "TraceEnum": infer.JitTraceEnum_ELBO,
}


@pytest.mark.filterwarnings("ignore")
@elbos
def test_jit_elbos(name, x):
    vae = VAE(Ours())
    losses = []
    for make in (JIT[name](ignore_jit_warnings=True, max_plate_nesting=1), ELBOS[name]()):
        draws = [make.loss_and_grads(vae.model, vae.guide, x) for _ in range(150)]
        losses.append(mean_and_error(draws))
    (mine, error), (theirs, other) = losses
    assert error > 0  # noise is drawn anew in each call
    assert abs(mine - theirs) < 4 * math.hypot(error, other)


def unknown_mean(data):
    """A model whose posterior is known: m ~ N(0, I), each datum ~ N(m, I)."""

    def model():
        m = pyro.sample("m", ours.StandardNormal((2,)))
        with pyro.plate("data", len(data)):
            mean = m.expand(*m.shape[:-2], len(data), 2)
            pyro.sample("x", ours.DiagonalGaussian(mean, 0.0, event_ndim=1), obs=data)

    return model, data.sum(0) / (len(data) + 1), 1 / math.sqrt(len(data) + 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["guide", "nuts", "jit nuts"])
def test_guides_and_samplers_of_pyros_own_find_the_posterior(method):
    model, mean, std = unknown_mean(torch.randn(50, 2) + torch.tensor([1.0, -2.0]))
    pyro.set_rng_seed(0)
    if method == "guide":
        guide = infer.autoguide.AutoNormal(model)
        elbo = infer.Trace_ELBO()
        svi = infer.SVI(model, guide, pyro.optim.ClippedAdam({"lr": 0.05, "lrd": 0.99}), elbo)
        for _ in range(500):
            svi.step()
        draws = torch.stack([guide()["m"] for _ in range(400)])
    else:
        kernel = infer.NUTS(model, jit_compile="jit" in method, ignore_jit_warnings=True)
        chain = infer.MCMC(kernel, num_samples=200, warmup_steps=100, disable_progbar=True)
        chain.run()
        draws = chain.get_samples()["m"]
    assert (draws.mean(0) - mean).abs().max() < std / 2
    assert 0.7 * std < draws.std(0).min() and draws.std(0).max() < 1.4 * std


NAMES = [name for name in ours.__all__ if name != "pyro_distribution"]


def test_every_distribution_has_its_class():
    classes = {
        name
        for name in distributions.__all__
        if isinstance(getattr(distributions, name), type)
        and issubclass(getattr(distributions, name), torch.distributions.Distribution)
    }
    made_by_models = {"OpDistribution", "Autoregressive"}  # or abstract: nobody writes them down
    assert classes - made_by_models == set(NAMES)


def instance(name):
    """Of three rows; vectors, where there are events."""
    a, b = torch.zeros(3, 4), torch.ones(3, 4)
    flow = distributions.StandardNormal((4,)).expand([3])
    arguments = {
        "BinaryChain": ((a, [], [4]), {}),
        "Chain": ((flow, [], [4]), {}),
        "Categorical": ((), {"logits": torch.zeros(3, 4, 5), "event_ndim": 1}),
        "DiscretizedLogistic": ((), {"mean": a, "log_scale": b, "event_ndim": 1}),
        "DiscretizedLogisticMixture": ((torch.zeros(3, 30, 2, 2), 10), {}),
        "FlowDistribution": ((flow, []), {}),
        "GaussianMixture": ((torch.zeros(3, 5, 4), torch.zeros(3, 5, 4)), {}),
        "OneHot": ((torch.zeros(3, 2, 2),), {}),
        "Rank1Gaussian": ((a, a, b), {}),
        "RelaxedBernoulli": ((a,), {}),
        "StandardNormal": (((4,),), {}),
        "ZeroInflatedNegativeBinomial": (
            (),
            {"mean": b, "inverse_dispersion": b, "zi_logits": a, "event_ndim": 1},
        ),
        "NegativeBinomial": ((), {"mean": b, "inverse_dispersion": b, "event_ndim": 1}),
        "Laplace": ((), {"mean": a, "log_scale": a, "event_ndim": 1}),
        "DiagonalGaussian": ((a, a), {"event_ndim": 1}),
        "Poisson": ((), {"log_rate": a, "event_ndim": 1}),
    }
    args, options = arguments.get(name, ((), {"logits": a, "event_ndim": 1}))
    made = getattr(ours, name)(*args, **options)
    return made.expand([3]) if name == "StandardNormal" else made


@pytest.mark.parametrize("name", NAMES)
def test_each_class_keeps_its_kind_through_what_pyro_does(name):
    p, kind = instance(name), getattr(ours, name)
    batch = p.batch_shape
    assert isinstance(p, getattr(distributions, name)) and batch[0] == 3
    x = p().detach()
    for other in (p.expand([2, *batch]), p.expand_by([2]), copy.deepcopy(p)):
        assert type(other) is kind
        torch.testing.assert_close(other.log_prob(x).expand(2, *batch)[1], p.log_prob(x))
    assert p.expand_by([2])().shape == p.shape((2,)) == (2, *x.shape)
    rows = torch.tensor([True, False, True]).reshape(3, *(1 for _ in batch[1:])).expand(batch)
    masked = p.mask(rows).log_prob(x)
    assert not masked[1].any() and torch.equal(masked[0], p.log_prob(x)[0])
    torch.testing.assert_close(p.to_event(len(batch)).log_prob(x), p.log_prob(x).sum())
    again = pickle.loads(pickle.dumps(p))
    assert type(again) is kind and torch.equal(again.log_prob(x), p.log_prob(x))


def test_a_class_of_ones_own():
    class Shifted(distributions.Laplace):
        pass

    made = ours.pyro_distribution(Shifted)
    assert made is ours.pyro_distribution(Shifted) is ours.pyro_distribution(made)
    one = made(mean=torch.zeros(3), log_scale=torch.zeros(3), event_ndim=0)
    assert isinstance(one.mask(True), dist.Distribution)
    with pytest.raises(TypeError, match="expected a subclass of"):
        ours.pyro_distribution(nn.Linear)
