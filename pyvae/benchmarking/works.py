"""What is raced: the table of the long form, the short form, and sizes for every op."""

from __future__ import annotations

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
)

#: Those that fit into a minute, compiling included.
SHORT = (WORKS[0], WORKS[1], WORKS[3], WORKS[5], WORKS[6], WORKS[7])

_SIZES = {
    "tiny": {"samples": 1, "batch": 8, "event": 16, "latent": 16},
    "small": {"samples": 5, "batch": 128, "event": 784, "latent": 20},
    "large": {"samples": 4, "batch": 4096, "event": 784, "latent": 128},
}


def bench_sizes(case: OpCase) -> dict[str, tuple[int, ...]]:
    """Sizes by name that every op is timed at.

    >>> from pyvae.testing import CASES
    >>> bench_sizes(CASES["elbo_loss"])["small"]
    (128, 784, 20)
    """
    return {name: tuple(size[n] for n in case.sizes) for name, size in _SIZES.items()}
