"""The ops against eager and compiled PyTorch, forward and backward, with their targets."""

from __future__ import annotations

import sys

from common import Options, Section

from pyvae.benchmarking import WORKS, Result, Work, op_table, run_contest

# vs eager, vs torch.compile, in the order of WORKS; 0: only told
_RATIOS = (
    (5, 2.2),
    (2.8, 2.8),
    (8, 3),
    (4, 1.4),
    (5, 12),
    (2.5, 3),
    (5, 8),
    (8, 3.5),
    (8, 3),  # zero-inflated negative binomial
    (10, 10),  # mixture of logistics
    (40, 7),  # mixtures of Gaussians
    (15, 4),
    (4, 0),  # rank-1
    (0, 0),  # categorical
    (0, 0),
    (2, 0),  # by element
    (2, 0),
    (2, 0),
    (1, 0),  # short rows
    (1, 0),
)
TARGETS = {
    work.name: {
        name: float(ratio)
        for name, ratio in zip(("eager", "compile"), ratios, strict=True)
        if ratio
    }
    for work, ratios in zip(WORKS, _RATIOS, strict=True)
}

#: Beyond the table: gradients that the op cannot have ready, because each row has its weight.
FURTHER = (
    Work("bernoulli_log_prob", (4096, 784), weighted=True),
    Work("bernoulli_log_prob", (128, 784), weighted=True),
    Work("gaussian_log_prob", (1024, 784), weighted=True),
    Work("elbo_loss", (100, 784, 20)),
)


def missed(result: Result) -> list[str]:
    """The targets that a result does not meet."""
    wanted = TARGETS.get(result.work.name, {})
    ratios = {name: result.ratio(name) for name in wanted}
    return [name for name, ratio in ratios.items() if ratio is not None and ratio < wanted[name]]


def run(how: Options) -> Section:
    results = []
    for work in (*WORKS, *FURTHER):
        print(f"{work.name} ...", file=sys.stderr, flush=True)
        results.append(run_contest(work, seconds=how.seconds, leave_out=how.leave_out))
    data = [
        {**result.to_dict(), "targets": TARGETS.get(result.work.name, {}), "missed": missed(result)}
        for result in results
    ]
    text = op_table(results, TARGETS) + (
        "\n\nRatios of medians; GB/s of the bytes that must move, beside a plain copy of as many; "
        "extra memory: bytes at the peak beyond results and gradients, for eager, compile and "
        "pyvae; noise: pyvae against itself. In place: fresh logits are made before the clock "
        "starts, for every variant."
    )
    return Section("ops", "Ops, forward and backward", text, data)
