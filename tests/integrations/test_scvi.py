"""Models of scvi-tools with their count densities computed by the ops."""

import warnings

import pytest
import torch

pytestmark = pytest.mark.integrations

scvi = pytest.importorskip("scvi")
from scvi import distributions  # noqa: E402

from pyvae.integrations import scvi as ours  # noqa: E402

CLASSES = {
    "Poisson": lambda mu, theta, zi: distributions.Poisson(mu),
    "NegativeBinomial": lambda mu, theta, zi: distributions.NegativeBinomial(mu=mu, theta=theta),
    "ZeroInflatedNegativeBinomial": lambda mu, theta, zi: (
        distributions.ZeroInflatedNegativeBinomial(mu=mu, theta=theta, zi_logits=zi)
    ),
}
by_class = pytest.mark.parametrize("name", CLASSES)


@pytest.fixture(autouse=True)
def unpatched():
    yield
    ours.restore()


def parameters(dtype, cells=5, genes=7):
    mu = torch.rand(cells, genes, dtype=dtype) * 3 + 0.01
    theta = torch.rand(genes, dtype=dtype) + 0.2
    return [t.requires_grad_() for t in (mu, theta, torch.randn(cells, genes, dtype=dtype))]


def value_and_grads(name, leaves, x):
    log_prob = CLASSES[name](*leaves).log_prob(x)
    weights = torch.linspace(0.5, 2, log_prob.numel(), dtype=log_prob.dtype)
    total = (log_prob * weights.reshape(log_prob.shape)).sum()
    return [log_prob, *torch.autograd.grad(total, leaves, allow_unused=True)]


def both(name, leaves, x):
    theirs = value_and_grads(name, leaves, x)
    with ours.patched():
        return value_and_grads(name, leaves, x), theirs


@by_class
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 7), (7,), (4, 5, 7), (4, 1, 7)], ids=str)
def test_each_element_has_the_value_dtype_and_gradient_that_it_had(name, dtype, shape):
    leaves = parameters(dtype)
    x = torch.poisson(torch.full(shape, 2.0, dtype=dtype))
    mine, theirs = both(name, leaves, x)
    for a, b in zip(mine, theirs, strict=True):
        if b is None:
            assert a is None
        else:
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            torch.testing.assert_close(a, b, rtol=2e-5, atol=3e-5 if dtype == b.dtype else 1e-7)


@by_class
def test_the_epsilon_of_a_mean_is_kept_and_that_of_a_dispersion_is_worth_1e_8(name):
    mu, theta, zi = parameters(torch.float64)
    if name != "Poisson":  # whose mean of 0 gives -inf here and there
        mu.data[:2] = 0.0
    theta.data[0] = 1e-4
    x = torch.poisson(torch.full((5, 7), 2.0, dtype=torch.float64))
    x[0], x[1] = 0, 3
    mine, theirs = both(name, [mu, theta, zi], x)
    assert (mine[0] - theirs[0]).abs().max() < 2e-8
    assert mine[0].isfinite().all() and mine[1].isfinite().all()


def test_a_poisson_of_rate_0_is_as_before():
    x = torch.tensor([0.0, 2.0])
    mine, theirs = both(
        "Poisson", [torch.zeros(2, requires_grad=True)] * 1 + parameters(x.dtype)[1:], x
    )
    assert mine[0].tolist() == theirs[0].tolist() == [0.0, -torch.inf]


@by_class
def test_16_bit_parameters_give_the_dtype_that_they_gave(name):
    leaves = [t.detach().bfloat16().requires_grad_() for t in parameters(torch.float32)]
    for x in (torch.ones(5, 7), torch.ones(5, 7, dtype=torch.bfloat16)):
        mine, theirs = both(name, leaves, x)
        assert mine[0].dtype == theirs[0].dtype
        torch.testing.assert_close(mine[0], theirs[0], rtol=0.05, atol=0.1)


@by_class
def test_values_outside_the_support_warn_or_raise_as_before(name):
    p = CLASSES[name](*parameters(torch.float32))

    def told(x):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                p.log_prob(x)
            except ValueError as error:
                return "raises", str(error)
        return "warns", [str(w.message) for w in caught]

    for x in (torch.full((5, 7), 0.5), torch.full((5, 7), -1.0), torch.ones(5, 7)):
        before = told(x)
        with ours.patched():
            assert told(x) == before


def own(name):
    return vars(getattr(distributions, name)).get("log_prob")


def test_restoring_leaves_the_library_as_it_was():
    before = {name: own(name) for name in CLASSES}
    assert before["Poisson"] is None  # it has torch's
    ours.patch()
    ours.patch()
    assert all(own(name) is not before[name] for name in CLASSES)
    with ours.patched():
        pass
    assert own("Poisson") is not None  # as it was before the block
    ours.restore()
    ours.restore()
    assert {name: own(name) for name in CLASSES} == before
    with pytest.raises(KeyError), ours.patched():
        raise KeyError
    assert {name: own(name) for name in CLASSES} == before


def train(likelihood, epochs=3):
    anndata = pytest.importorskip("anndata")
    generator = torch.Generator().manual_seed(0)
    rates = torch.rand(300, 60, generator=generator) * 3
    counts = torch.poisson(rates, generator=generator).numpy()
    scvi.settings.seed = 0
    data = anndata.AnnData(counts)
    scvi.model.SCVI.setup_anndata(data)
    model = scvi.model.SCVI(data, gene_likelihood=likelihood, n_hidden=32, n_latent=4)
    model.train(
        max_epochs=epochs,
        batch_size=64,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
    )
    scvi.settings.seed = 1
    return float(model.get_elbo())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("likelihood", ["zinb", "nb", "poisson"])
def test_scvi_trains_to_the_same_elbo(likelihood, one_thread):
    """In alternating runs from one seed; float32 rounding is all that tells them apart."""
    elbos = []
    for _ in range(2):
        theirs = train(likelihood)
        with ours.patched():
            elbos.append((theirs, train(likelihood)))
    assert elbos[0] == elbos[1]
    assert elbos[0][1] == pytest.approx(elbos[0][0], rel=1e-4)
