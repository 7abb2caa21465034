"""What is raced: the table of the long form, the short form, and sizes for every op."""

from __future__ import annotations

import math

from pyvae.benchmarking.result import Work
from pyvae.testing import OpCase

__all__ = ["SHORT", "WORKS", "bench_sizes"]

#: The table, forward and backward.
WORKS = (
    Work("bernoulli_log_prob", (4096, 784)),
    Work("bernoulli_log_prob", (128, 784)),
    Work("bernoulli_log_prob", (16384, 784), inplace=True),
    Work("gaussian_log_prob", (1024, 784)),
    Work("gaussian_rsample_kl", (4096, 128)),
    Work("gaussian_rsample_kl", (128, 20)),
    Work("gaussian_rsample_log_ratio", (50, 100, 50)),
    Work("elbo_loss", (4096, 784, 64)),
    Work("zero_inflated_negative_binomial_log_prob", (128, 2000)),
    Work("discretized_logistic_mixture_log_prob", (64, 1024)),
    Work("gaussian_mixture_log_prob", (1024, 1024, 64)),
    Work("gaussian_mixture_log_prob", (500, 128, 40)),
    Work("rank1_gaussian_rsample_kl", (1024, 200)),
    Work("categorical_log_prob", (64, 784, 256)),
    Work("categorical_log_prob", (128, 784, 10)),
    Work("bernoulli_log_prob", (128, 2000), by_element=True),
    Work("gaussian_log_prob", (128, 2000), by_element=True),
    Work("zero_inflated_negative_binomial_log_prob", (128, 2000), by_element=True),
    Work("bernoulli_log_prob", (30_000, 5)),
    Work("gaussian_log_prob", (100_000, 2)),
)

#: Those that fit into a minute, compiling included.
SHORT = (WORKS[0], WORKS[1], WORKS[3], WORKS[5], WORKS[6], WORKS[7])

#: Numbers of all operands together, whose float64 reference fits into an ordinary memory.
_MOST = 2**24

_SIZES = {
    "tiny": {"samples": 1, "batch": 8, "event": 16, "latent": 16, "classes": 4, "components": 4},
    "small": {
        "samples": 5,
        "batch": 128,
        "event": 784,
        "latent": 20,
        "classes": 10,
        "components": 50,
    },
    "large": {
        "samples": 4,
        "batch": 4096,
        "event": 784,
        "latent": 128,
        "classes": 8,
        "components": 64,
    },
}


def bench_sizes(case: OpCase) -> dict[str, tuple[int, ...]]:
    """Sizes by name that every op is timed at.

    >>> from pyvae.testing import CASES
    >>> bench_sizes(CASES["elbo_loss"])["small"]
    (128, 784, 20)
    """
    most = 512 if case.paired else 2**31
    found = {name: tuple(min(size[n], most) for n in case.sizes) for name, size in _SIZES.items()}
    return {name: _fitting(case, sizes) for name, sizes in found.items()}


def _fitting(case: OpCase, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A smaller batch, where the operands have too many numbers."""
    batch = case.sizes.index("batch")
    while sum(math.prod(shape) for shape in case.shapes(*sizes).values()) > _MOST:
        sizes = tuple(n // 2 if i == batch else n for i, n in enumerate(sizes))
    return sizes
