"""Variance of the pathwise and the score-function gradient on one model with a known gradient.

    python bench/experiments/gradient_variance.py [--samples N]

p(z) = N(0, I), p(x|z) = N(W z, I), q(z|x) = N(m, exp(v)), all in closed form: the gradient of the
ELBO to m is W'(x - W m) - m. Both estimators are unbiased; their variances differ by orders of
magnitude, and a leave-one-out baseline closes a part of the gap. Means over random W and x; the
largest error of a mean, in its standard errors, over all components and problems.
"""

from __future__ import annotations

import statistics

import torch
from figures import panels, save
from runs import parser, write
from torch import Tensor

from pyvae.benchmarking import markdown
from pyvae.distributions import DiagonalGaussian

SIZES = (1, 2, 5, 10, 20, 50, 100)
PROBLEMS = 20  # random W and x for each number of latents


def log_joint(x: Tensor, w: Tensor, z: Tensor) -> Tensor:
    """log p(x, z) up to a constant, for z (N, d)."""
    return -0.5 * (x - z @ w.T).square().sum(-1) - 0.5 * z.square().sum(-1)


def gradients(d: int, samples: int, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """One gradient to the mean for each sample (N, d), by estimator, and the true one."""
    torch.manual_seed(seed)
    w, x = torch.randn(d, d).double() / d**0.5, torch.randn(d).double()
    mean = torch.zeros(samples, d, dtype=torch.float64, requires_grad=True)
    logvar = torch.full((samples, d), -1.0, dtype=torch.float64)
    q = DiagonalGaussian(mean, logvar)
    z = q.rsample()
    pathwise = torch.autograd.grad((log_joint(x, w, z) - q.log_prob(z)).sum(), mean)[0]
    fixed = z.detach()
    log_q = q.log_prob(fixed)
    reward = (log_joint(x, w, fixed) - log_q).detach()
    score = torch.autograd.grad(log_q.sum(), mean)[0]
    others = (reward.roll(1) + reward.roll(2) + reward.roll(3)) / 3
    truth = x @ w  # at mean 0
    return {
        "pathwise": (pathwise, truth),
        "score function": (reward.unsqueeze(-1) * score, truth),
        "score function, leave-one-out of 4": ((reward - others).unsqueeze(-1) * score, truth),
    }


def main() -> None:
    options = parser(__doc__ or "", samples=10_000).parse_args()
    variance: dict[str, list[float]] = {}
    bias: dict[str, list[float]] = {}
    for d in SIZES:
        spreads: dict[str, list[float]] = {}
        errors: dict[str, list[float]] = {}
        for problem in range(PROBLEMS):
            for name, (g, truth) in gradients(d, options.samples, problem).items():
                error = (g.mean(0) - truth) / (g.std(0) / len(g) ** 0.5)
                spreads.setdefault(name, []).append(float(g.var(0).mean()))
                errors.setdefault(name, []).append(float(error.abs().max()))
        for name in spreads:
            variance.setdefault(name, []).append(statistics.mean(spreads[name]))
            bias.setdefault(name, []).append(max(errors[name]))
    figure, axes = panels(["variance of one gradient component"], width=5)
    for name, values in variance.items():
        axes[0].plot(SIZES, values, marker="o", label=name)
    axes[0].set_xscale("log"), axes[0].set_yscale("log")
    axes[0].set_xlabel("latents"), axes[0].legend(fontsize=8)
    save(figure, options.images / "gradient_variance.png")
    rows = [[name, *(f"{v:.3g}" for v in values)] for name, values in variance.items()]
    print(markdown(["variance", *(f"{d} latents" for d in SIZES)], rows))
    rows = [[name, *(f"{v:.1f}" for v in values)] for name, values in bias.items()]
    print(markdown(["largest error, in standard errors", *map(str, SIZES)], rows))
    write(options, "gradient_variance", {"latents": SIZES, "variance": variance, "bias": bias})


if __name__ == "__main__":
    main()
