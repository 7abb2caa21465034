"""Samples as differentiable functions of noise, in three ways.

Kingma & Welling 2014, section 2.4. A family is a :class:`Reparameterization`: noise whose
distribution has no parameters, and the function g that makes of it, with the parameters, a
sample. Its gradients are pathwise.

=================  =================================================================================
inverse CDF        ``exponential``, ``cauchy``, ``logistic``, ``rayleigh``, ``pareto``, ``weibull``,
                   ``reciprocal``, ``gompertz``, ``gumbel``, ``gamma``
location and scale ``gaussian``, ``laplace``, ``student_t(df)``, ``logistic``, ``uniform``,
                   ``triangular``
composition        ``lognormal``, ``erlang(shape)``, ``chi_squared``, ``beta``, ``dirichlet``,
                   ``fisher_snedecor``
=================  =================================================================================

>>> import torch
>>> rate = torch.tensor([0.5, 2.0], requires_grad=True)
>>> z = exponential(rate, sample_shape=(1000,))
>>> z.shape
torch.Size([1000, 2])
>>> slope, = torch.autograd.grad(z.mean(0).sum(), rate)  # d E[z] / d rate = -1 / rate^2
>>> bool(torch.allclose(slope, -z.mean(0) / rate))
True
"""

from pyvae.distributions.reparameterize.base import Reparameterization
from pyvae.distributions.reparameterize.composition import (
    beta,
    chi_squared,
    dirichlet,
    erlang,
    fisher_snedecor,
    lognormal,
)
from pyvae.distributions.reparameterize.gamma import gamma
from pyvae.distributions.reparameterize.inverse_cdf import (
    cauchy,
    exponential,
    gompertz,
    gumbel,
    logistic,
    pareto,
    rayleigh,
    reciprocal,
    weibull,
)
from pyvae.distributions.reparameterize.location_scale import (
    gaussian,
    laplace,
    student_t,
    triangular,
    uniform,
)

__all__ = [
    "Reparameterization",
    "beta",
    "cauchy",
    "chi_squared",
    "dirichlet",
    "erlang",
    "exponential",
    "fisher_snedecor",
    "gamma",
    "gaussian",
    "gompertz",
    "gumbel",
    "laplace",
    "logistic",
    "lognormal",
    "pareto",
    "rayleigh",
    "reciprocal",
    "student_t",
    "triangular",
    "uniform",
    "weibull",
]
