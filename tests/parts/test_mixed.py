"""Rows of a table: likelihoods of groups of columns, side by side."""

from dataclasses import dataclass

import pytest
import torch

from pyvae import VAE
from pyvae.distributions import Bernoulli, Categorical, DiagonalGaussian, Masked, Poisson, Product
from pyvae.likelihoods import MixedLikelihood
from pyvae.models import impute
from pyvae.objectives import ELBO, Batch

PARTS = ["gaussian:1", "categorical:1:3", "bernoulli:1", "gaussian:1", "poisson:1", "laplace:1"]
PARTS += ["categorical:1:3", "categorical:1:2"]
D = len(PARTS)


@pytest.fixture
def mixed():
    torch.manual_seed(0)
    return MixedLikelihood((D,), parts=PARTS)


def table(n):
    """Rows as a table has them, with columns that hang together."""
    z = torch.randn(n)
    return torch.stack(
        [
            50 + 10 * z,
            (z > -0.5).float() + (z > 0.5),
            (z + 0.3 * torch.randn(n) > 0).float(),
            -z + 0.1 * torch.randn(n),
            torch.poisson(z.exp()),
            100 * torch.randn(n),
            torch.randint(3, (n,)).float(),
            (z > 0).float(),
        ],
        -1,
    )


def test_the_density_is_the_sum_of_those_of_the_columns(mixed):
    params = torch.randn(2, 5, *mixed.param_shape, requires_grad=True)
    p, x = mixed(params), table(5)
    found = p.log_prob(x)
    assert isinstance(p, Product) and found.shape == (2, 5)
    total = torch.zeros(2, 5)
    kinds = {0: DiagonalGaussian, 1: Categorical, 2: Bernoulli, 4: Poisson}
    for column in range(D):
        alone = torch.zeros(D, dtype=torch.bool)
        alone[column] = True
        each = p.mask(alone).log_prob(x)
        if column in kinds:
            q = next(q for q, c in zip(p.parts, p.columns, strict=True) if column in c)
            assert type(q) is kinds[column]
        total = total + each
    torch.testing.assert_close(found, total)
    for grad in torch.autograd.grad(found.sum(), [params, *mixed.parameters()]):
        assert grad.isfinite().all() and grad.any()


def test_parameters_belong_to_the_columns_that_positions_says(mixed):
    x = table(5)
    for column in range(D):
        params = torch.randn(5, *mixed.param_shape, requires_grad=True)
        alone = torch.zeros(D, dtype=torch.bool)
        alone[column] = True
        (grad,) = torch.autograd.grad(mixed(params).mask(alone).log_prob(x).sum(), params)
        assert torch.equal(grad.any(0), mixed.positions == column)


def test_samples_have_the_types_of_the_columns(mixed):
    mixed.init_from_statistics(table(1000).mean(0), table(1000).std(0))
    x = mixed(torch.randn(400, *mixed.param_shape)).sample()
    assert x.shape == (400, D)
    for column in (1, 2, 4, 6, 7):
        assert torch.equal(x[:, column], x[:, column].round()), column
    assert x[:, 1].unique().tolist() == [0, 1, 2] and x[:, 7].unique().tolist() == [0, 1]
    assert (x[:, 0] - 50).abs().max() < 80 and (x[:, 0] != x[:, 0].round()).any()
    mixed.check(x)
    assert mixed(torch.zeros(4, *mixed.param_shape)).mean.shape == (4, D)
    assert mixed(torch.zeros(2, 4, *mixed.param_shape)).expand((3, 2, 4)).sample().shape[0] == 3


def test_the_encoder_sees_categories_one_hot_and_numbers_standardized(mixed):
    x = table(2000)
    mixed.init_from_statistics(x.mean(0), x.std(0))
    seen = mixed.as_input(x, torch.float32)
    assert seen.shape == (2000, *mixed.input_shape) == (2000, 2 + 6 + 1 + 1 + 1 + 2)
    assert seen[:, :2].mean(0).abs().max() < 1e-4 and (seen[:, :2].std(0) - 1).abs().max() < 1e-4
    assert torch.equal(seen[:, 2:5].argmax(-1), x[:, 1].long())
    mask = torch.rand(2000, D) < 0.5
    masked = mixed.as_masked_input(x.masked_fill(~mask, torch.nan), mask, torch.float32)
    assert masked.isfinite().all()
    assert torch.equal(masked[:, 2:5].any(-1), mask[:, 1])  # a category that is missing is no place
    of_seen = torch.cat([mask[:, [0]], mask[:, [3]]], -1)
    torch.testing.assert_close(masked[:, :2], seen[:, :2] * of_seen)


def test_a_masked_table_trains_and_is_imputed():
    torch.manual_seed(0)
    whole, mask = table(600), torch.rand(600, D) < 0.7
    x = whole.masked_fill(~mask, torch.nan)
    model = VAE((D,), 2, likelihood="mixed", likelihood_args={"parts": PARTS}, masked=True)
    seen = torch.where(mask, whole, torch.nan)
    mean = seen.nanmean(0)
    model.likelihood.init_from_statistics(mean, (seen - mean).square().nanmean(0).sqrt())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    objective, losses = ELBO(), []
    for _ in range(100):
        loss = objective(model, Batch(x, extras={"mask": mask})).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert losses[-1] < losses[0] - 2
    filled = impute(model, x, mask, 50)
    assert torch.equal(filled[mask], x[mask])
    missing = ~mask
    assert torch.equal(filled[:, 1], filled[:, 1].round())  # the likeliest category
    right = (filled[:, 1] == whole[:, 1])[missing[:, 1]].float().mean()
    common = (whole[:, 1] == whole[:, 1].mode().values)[missing[:, 1]].float().mean()
    assert right > common + 0.15
    error = (filled[:, 0] - whole[:, 0])[missing[:, 0]].square().mean().sqrt()
    assert error < 0.7 * whole[:, 0].std()
    drawn = impute(model, x, mask, 50, draws=3)
    model.likelihood.check(drawn.flatten(0, 1))


def test_an_autoregressive_decoder_would_see_other_columns_than_it_explains():
    with pytest.raises(ValueError, match="MixedLikelihood shows as 13"):
        VAE((D,), 2, decoder="made", likelihood="mixed", likelihood_args={"parts": PARTS})


@dataclass
class Column:
    kind: str
    categories: tuple[str, ...] = ()


def test_options_for_the_columns_of_a_data_set():
    columns = [Column("real"), Column("categories", ("a", "b", "c")), Column("bits")]
    columns += [Column("counts"), Column("categories", ("only",))]
    options = MixedLikelihood.for_columns(columns)
    expected = ["gaussian:1", "categorical:1:3", "bernoulli:1", "poisson:1", "categorical:1:2"]
    assert options == {"parts": expected}
    MixedLikelihood((5,), **options)


def test_data_that_do_not_fit_are_named_by_their_columns(mixed):
    x = table(4)
    mixed.check(x)
    x[2, 6] = 3.0
    with pytest.raises(ValueError, match=r"mixed likelihood, columns 1, 6: .*from 0 to 2, got"):
        mixed.check(x)
    mask = torch.ones(4, D, dtype=torch.bool)
    mask[2, 6] = False
    mixed.check(x, mask)
    with pytest.raises(ValueError, match=r"x must have shape \(B, 8\), got \(4, 7\)"):
        mixed.check(x[:, :7])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["gaussian:3"], "must name the likelihoods of 4 columns.*got 3 columns"),
        ([], "must name the likelihoods of 4 columns"),
        (["gaussian"], "must be name:columns, or categorical:columns:levels, got 'gaussian'"),
        (["categorical:4"], "categorical:columns:levels, got 'categorical:4'"),
        (["gaussian:4:2"], "categorical:columns:levels, got 'gaussian:4:2'"),
        (["gaussian:0", "bernoulli:4"], "got 'gaussian:0'"),
        (["negative_binomial:4"], "negative_binomial needs library, which columns of a table do"),
        (["discretized_logistic_mixture:4"], "the data must be grey images"),
    ],
)
def test_parts_that_cannot_be(parts, said):
    with pytest.raises(ValueError, match=said):
        MixedLikelihood((4,), parts=parts)


def test_images_are_no_table():
    with pytest.raises(ValueError, match=r"rows of a table \(columns,\), got \(1, 2, 2\)"):
        MixedLikelihood((1, 2, 2), parts=["gaussian:4"])


def test_products_say_what_does_not_fit():
    p = Product(
        [Poisson(torch.ones(3, 2), event_ndim=1), Bernoulli(torch.ones(3, 1), event_ndim=1)]
    )
    assert (p.batch_shape, p.event_shape) == ((3,), (3,))
    with pytest.raises(ValueError, match="one batch shape and be over vectors"):
        Product([Poisson(torch.ones(3, 2), event_ndim=1), Poisson(torch.ones(2, 2), event_ndim=1)])
    with pytest.raises(ValueError, match=r"columns must name \[2\] elements, got \[1\]"):
        Product([Poisson(torch.ones(3, 2), event_ndim=1)], [torch.tensor([0])])
    with pytest.raises(ValueError, match="value must have the event shape"):
        p.log_prob(torch.ones(3, 2))
    masked = p.mask(torch.tensor(True))
    assert isinstance(masked, Masked)
    torch.testing.assert_close(masked.log_prob(torch.ones(3, 3)), p.log_prob(torch.ones(3, 3)))
    assert p.support.check(torch.tensor([1.0, 2.0, 1.0])) and not p.support.check(-torch.ones(3))
