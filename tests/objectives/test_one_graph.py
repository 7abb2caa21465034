"""A step of training is one graph for torch.compile, whatever the posterior and the batch."""

import pytest
import torch

from pyvae import VAE
from pyvae.objectives import ELBO
from pyvae.registry import posteriors

LATENTS = {
    "bernoulli": {"prior": "uniform_categorical"},
    "categorical": {"prior": "uniform_categorical", "posterior_args": {"classes": 2}},
}


@pytest.mark.parametrize("posterior", posteriors.names())
def test_a_step_is_one_graph_for_every_batch(posterior):
    if posterior in ("iaf", "planar", "spline"):
        pytest.importorskip("zuko")
    options = LATENTS.get(posterior, {})
    if posterior == "categorical":
        options = {**options, "prior_args": {"classes": 2}}
    vae = VAE((6,), latent_dim=4, posterior=posterior, **options)
    objective = ELBO()
    torch._dynamo.reset()

    @torch.compile(dynamic=True, fullgraph=True, backend="aot_eager")
    def loss(x):
        return objective(vae, x).loss

    for batch in (4, 5, 7):
        value = loss(torch.rand(batch, 6).round())
        value.backward()
        assert value.isfinite()


class Torchs(torch.nn.Module):
    """A prior of torch's classes."""

    latent_dim = 4

    def forward(self):
        zero = torch.zeros(self.latent_dim)
        return torch.distributions.Independent(torch.distributions.Normal(zero, zero + 1), 1)


def test_a_prior_of_torchs_is_in_the_graph():
    vae, objective = VAE((6,), latent_dim=4, prior=Torchs()), ELBO(estimator="analytic")
    torch._dynamo.reset()

    @torch.compile(dynamic=True, fullgraph=True, backend="aot_eager")
    def loss(x):
        return objective(vae, x).loss

    for batch in (4, 5, 7):
        assert loss(torch.rand(batch, 6).round()).isfinite()
