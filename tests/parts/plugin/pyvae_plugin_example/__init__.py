"""Parts for pyvae: an encoder, a posterior, a prior and an objective."""

import math

import torch
from torch import nn
from torch.distributions import Independent, Laplace

from pyvae.encoders import Encoder
from pyvae.objectives import ELBO, Result
from pyvae.posteriors import Posterior
from pyvae.priors import Prior


class RandomProjection(Encoder):
    """Features that are fixed random projections of the datum."""

    def __init__(self, data_shape, features=16):
        super().__init__(data_shape)
        size = math.prod(data_shape)
        self.register_buffer("weight", torch.randn(size, features) / size**0.5)
        self.out_features = features

    def forward(self, x):
        return x.flatten(1) @ self.weight


class LaplacePosterior(Posterior):
    """q(z|x) = Laplace(m(x), exp(s(x)))."""

    def __init__(self, in_features, latent_dim):
        super().__init__(in_features, latent_dim)
        self.linear = nn.Linear(in_features, 2 * latent_dim)

    def forward(self, features):
        loc, log_scale = self.linear(features).chunk(2, dim=-1)
        return Independent(Laplace(loc, log_scale.exp(), validate_args=False), 1)


class WideLaplace(Prior):
    """p(z) = Laplace(0, scale)."""

    def __init__(self, latent_dim, scale=2.0):
        super().__init__(latent_dim)
        self.register_buffer("scale", torch.full((latent_dim,), float(scale)))

    def forward(self):
        return Independent(Laplace(torch.zeros_like(self.scale), self.scale), 1)


class PenalizedELBO(ELBO):
    """The ELBO with an L2 penalty on the model's weights."""

    def __init__(self, weight=1e-3, **options):
        super().__init__(**options)
        self.weight = weight

    def forward(self, model, batch, *, phase=None):
        result = super().forward(model, batch, phase=phase)
        penalty = sum(p.square().sum() for p in model.parameters())
        loss = result.loss + self.weight * penalty
        return Result(loss, {**result.terms, "penalty": penalty.detach()})
