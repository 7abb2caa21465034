"""Every op x size x {forward, forward + backward} x {eager, torch.compile, pyvae}.

Run with ``pytest bench --benchmark-group-by=group --benchmark-columns=median,iqr,rounds``; choose
with ``-k``. Each variant is checked against the float64 reference before it is timed. The variants
run one after the other here: for ratios use ``bench/run.py``, which shuffles them call by call.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from pyvae.benchmarking import Contest, Work, bench_sizes, compile_problem
from pyvae.testing import CASES

WORKS = [
    pytest.param(Work(case.name, sizes, backward=backward), id=f"{case.name}-{size}-{mode}")
    for case in CASES.values()
    for size, sizes in bench_sizes(case).items()
    for mode, backward in (("forward", False), ("forward_backward", True))
]


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def compiler() -> str | None:
    return compile_problem()


@pytest.mark.parametrize("name", ["eager", "compile", "pyvae"])
@pytest.mark.parametrize("work", WORKS)
def test_op(benchmark, compiler, work, name):
    if name == "compile" and compiler is not None:
        pytest.skip(compiler)
    torch._dynamo.reset()
    contest = Contest(work)
    variant = contest.variant(name)
    traffic = CASES[work.op].bytes_moved(*work.sizes)
    benchmark.group = f"{work.name} {'forward + backward' if work.backward else 'forward'}"
    inputs = variant.prepare()
    benchmark(variant.run, inputs)
    moved = traffic.forward_backward if work.backward else traffic.forward
    benchmark.extra_info["GB/s"] = moved / benchmark.stats.stats.median / 1e9
    benchmark.extra_info["extra bytes"] = contest.memory(name).extra
