"""Which data a likelihood can explain, and what is said of those that it cannot."""

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Independent

from pyvae import registry
from pyvae.config import TrainConfig
from pyvae.data import DataSplits, Split
from pyvae.errors import UserError
from pyvae.likelihoods import BITS, BYTES, COUNTS, REAL, UNIT, DataRange, Likelihood
from pyvae.training import build
from pyvae.training.fit import check_fit, fitting_likelihoods

OWN = [n for n in registry.likelihoods.names() if not registry.likelihoods.is_plugin(n)]
NAMES = [n for n in OWN if n != "mixed"]  # which is made of columns: test_mixed.py


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def create(name, shape, **options):
    return registry.likelihoods.create(name, data_shape=shape, **options)


def counts(**extras):
    x = torch.poisson(torch.full((20, 6), 2.0))
    return DataSplits("cells", *[Split(x, None, {k: x.sum(1) for k in extras})] * 3)


def images(levels=255, channels=1):
    x = torch.randint(0, levels + 1, (20, channels, 4, 4), dtype=torch.uint8)
    return DataSplits("images", *[Split(x)] * 3, levels=levels)


def test_which_likelihoods_fit():
    reals = DataSplits("reals", *[Split(torch.randn(20, 3))] * 3)
    assert set(fitting_likelihoods(reals)) >= {"gaussian", "laplace"}
    assert not {"poisson", "bernoulli", "categorical"} & set(fitting_likelihoods(reals))
    known = set(fitting_likelihoods(counts(library=True)))
    assert known >= {"poisson", "negative_binomial", "zero_inflated_negative_binomial"}
    assert "negative_binomial" not in fitting_likelihoods(counts())
    assert {"discretized_logistic_mixture", "categorical", "bernoulli", "poisson"} <= set(
        fitting_likelihoods(images())
    )
    assert "categorical" not in fitting_likelihoods(images(16))
    check_fit(images(16), "categorical", {"levels": 17})


@pytest.mark.parametrize(
    ("data", "name", "options", "said"),
    [
        (images(), "discretized_logistic_mixture", {"channels": 3}, r"channels=1 fits them"),
        (
            images(3),
            "discretized_logistic",
            {},
            r"levels from 0 to 3; .* from 0 to 255\. ",
        ),
        (counts(), "discretized_logistic_mixture", {}, r"cells.*: .*gaussian, laplace, poisson"),
        (counts(), "negative_binomial", {}, r"needs library with the data, which cells does not"),
        (counts(), "bernoulli", {}, r"x must be in \[0, 1\].*Likelihoods that fit cells: "),
        (images(channels=2), "discretized_logistic_mixture", {}, r"categorical take levels of any"),
    ],
)
def test_what_does_not_fit_is_said_with_what_does(data, name, options, said):
    with pytest.raises(ValueError, match=said):
        check_fit(data, name, options)


@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("poisson", -1.0, "whole numbers of at least 0, got values from -1 to 1"),
        ("negative_binomial", 0.5, "of at least 0, got values from 0.5 to 1, not all of them"),
        ("discretized_logistic", 256.0, "whole numbers from 0 to 255, got values from 1 to 256"),
        ("categorical", 0.5, "from 0 to 255, got values from 0.5 to 1, not all of them whole"),
        ("discretized_logistic_mixture", -1.0, "from 0 to 255, got values from -1 to 1"),
        ("continuous_bernoulli", 1.5, r"in \[0, 1\], got values from 1 to 1.5"),
        ("laplace", float("nan"), "must be real"),
    ],
)
def test_bad_values_are_named(name, bad, said):
    x = torch.ones(3, 1, 2, 2)
    create(name, (1, 2, 2)).check(x)
    x[1, 0, 1, 1] = bad
    with pytest.raises(ValueError, match=said):
        create(name, (1, 2, 2)).check(x)


def test_data_out_of_range_raise():
    likelihood = create("bernoulli", (1, 2, 2))
    likelihood.check(torch.rand(3, 1, 2, 2))
    likelihood.check(torch.ones(3, 1, 2, 2, dtype=torch.bool))
    likelihood.check(torch.zeros(0, 1, 2, 2))
    with pytest.raises(ValueError, match=r"x must be in \[0, 1\], got values from 0 to 255"):
        likelihood.check(torch.tensor([[[[0, 255], [1, 1]]]], dtype=torch.uint8))


def test_a_range_says_what_lies_within():
    x = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 255.0, 256.0, float("nan"), float("inf")])
    inside = {
        REAL: [1, 1, 1, 1, 1, 1, 1, 0, 0],
        UNIT: [0, 1, 1, 1, 0, 0, 0, 0, 0],
        BITS: [0, 1, 0, 1, 0, 0, 0, 0, 0],
        BYTES: [0, 1, 0, 1, 1, 1, 0, 0, 0],
        COUNTS: [0, 1, 0, 1, 1, 1, 1, 0, 0],
        DataRange(low=0): [0, 1, 1, 1, 1, 1, 1, 0, 0],
        DataRange(high=0): [1, 1, 0, 0, 0, 0, 0, 0, 0],
    }
    for data_range, expected in inside.items():
        assert data_range.contains(x).tolist() == [bool(e) for e in expected], str(data_range)
    assert len({str(data_range) for data_range in inside}) == len(inside)
    assert BYTES.contains(torch.tensor([0, 255], dtype=torch.uint8)).all()
    assert UNIT.contains(torch.tensor([False, True])).all()
    assert DataRange(0, 1, whole=True) == BITS and BITS.unit and not BYTES.unit
    with pytest.raises(ValueError, match="low must be below high, got 1 and 0"):
        DataRange(1, 0)


def test_a_range_that_is_no_range_is_refused_with_the_class():
    with pytest.raises(TypeError, match="Old: data_range must be a pyvae"):

        class Old(Likelihood):
            data_range = "in [0, 1]"


class Pixels(Likelihood):
    """Zeros and ones by a torch distribution, as another package may write it."""

    data_range = BITS
    discrete = True

    def forward(self, params, **side):
        n = len(self.data_shape)
        return Independent(TorchBernoulli(logits=params, validate_args=False), n)


def test_anyones_likelihood_of_zeros_and_ones_gets_dynamic_binarization(monkeypatch):
    monkeypatch.setitem(registry.likelihoods._parts, "test_pixels", Pixels)
    monkeypatch.setitem(registry.likelihoods._origins, "test_pixels", "tests")
    assert Pixels.binary and create("bernoulli", (1,)).binary
    assert not any(create(name, (1, 2, 2)).binary for name in NAMES if name != "bernoulli")
    grey = images(levels=16)
    assert "test_pixels" in fitting_likelihoods(grey)
    assert "test_pixels" not in fitting_likelihoods(counts())
    shown = build(TrainConfig(likelihood="test_pixels", latent_dim=2)).view
    assert (shown.train_mode, shown.held_out_mode) == ("drawn", "stored")
    x = shown.train_values(shown.data.train.x[:50], torch.Generator().manual_seed(0))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    with pytest.raises(UserError, match="needs whole numbers from 0 to 1"):
        build(TrainConfig(likelihood="test_pixels", binarize="none"))
