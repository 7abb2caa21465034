"""Eleven ops in float32 and four in bfloat16 against eager and compiled PyTorch.

    python -m lease.races [--device cuda] [--scale N] [--seconds S] [--warm --share I/N]

With ``--warm`` the compiled baselines are made and checked, so that a later process finds them in
the cache, and nothing is timed.
"""

from __future__ import annotations

import argparse
import gc
import sys

import gpu_ops
import torch
from common import Options

from lease.entries import already, tell
from pyvae.benchmarking import Contest, Work, WrongResultError, compile_problem

FLOAT32 = (
    "bernoulli_log_prob",
    "gaussian_log_prob",
    "elbo_loss",
    "gaussian_rsample_kl",
    "gaussian_rsample_log_ratio",
    "zero_inflated_negative_binomial_log_prob",
    "discretized_logistic_log_prob",
    "categorical_log_prob",
    "discretized_logistic_mixture_log_prob",
    "gaussian_mixture_log_prob",
    "rank1_gaussian_rsample_kl",
)
BFLOAT16 = ("bernoulli_log_prob", "gaussian_log_prob", "elbo_loss", "gaussian_rsample_kl")


def works(device: str, scale: int, ops: list[str]) -> list[Work]:
    """In the order of interest: a session may end early."""
    both = [(name, "float32") for name in FLOAT32] + [(name, "bfloat16") for name in BFLOAT16]
    both.sort(key=lambda pair: FLOAT32.index(pair[0]))
    return [
        work
        for op, dtype in both
        if not ops or op in ops
        for work in gpu_ops.works(device, scale, [op], [dtype])
    ]


def warm(todo: list[Work]) -> int:
    """Compile what the races compile."""
    for work in todo:
        torch._dynamo.reset()
        try:
            Contest(work).check("compile")
            tell(work.name)
        except WrongResultError as error:  # of too few bits: the race leaves it out
            tell(work.name, left_out=str(error)[:300])
    return 0


def race(work: Work, how: Options) -> bool:
    """Whether its results were right."""
    try:
        result = gpu_ops.contest(work, how)
    except (WrongResultError, RuntimeError, ValueError) as error:  # the other ops go on
        tell(work.name, failed=f"{type(error).__name__}: {error}"[:700])
        return False
    of_copy = result.times["copy"].median / result.times["pyvae"].median
    tell(work.name, **result.to_dict(), of_copy=of_copy)
    return True


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--device", default="cuda")
    made.add_argument("--scale", type=int, default=1, help="divide the batches, for a try")
    made.add_argument("--seconds", type=float, default=0.3, help="per race")
    made.add_argument("--ops", nargs="+", default=[], choices=FLOAT32, metavar="OP")
    made.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    made.add_argument("--warm", action="store_true", help="compile alone")
    made.add_argument("--share", default="0/1", metavar="I/N", help="every N-th, from the I-th on")
    return made


def main(argv: list[str] | None = None) -> int:
    a = parser().parse_args(argv)
    first, step = map(int, a.share.split("/"))
    todo = works(a.device, a.scale, a.ops)[first::step]
    if a.warm:
        return warm(todo)
    problem = "left out" if a.no_compile else compile_problem(a.device)
    how = Options(a.seconds, leave_out={} if problem is None else {"compile": problem})
    known, good = already(), True
    for work in todo:
        if work.name in known:
            continue
        good &= race(work, how)
        gc.collect()
        if a.device.startswith("cuda"):
            torch.cuda.empty_cache()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
