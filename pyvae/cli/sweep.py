"""``pyvae sweep``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pyvae.cli.memory import keep_big_buffers
from pyvae.cli.run_arguments import positive
from pyvae.cli.say import tell
from pyvae.cli.settings import absolute_paths, add_settings, given_settings
from pyvae.cli.train import NEEDED
from pyvae.errors import optional

if TYPE_CHECKING:
    from pyvae.fitting.sweep import Trial

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command, one for each setting of a run among them."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="YAML or JSON: settings of all runs, and under search: those to search among, as "
        "lists of values or ranges such as {low: 1e-4, high: 1e-2, log: true}",
    )
    parser.add_argument(
        "--trials", type=positive, default=20, metavar="N", help="runs in all (default: 20)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder (default: sweeps/NAME_OF_CONFIG)")
    parser.add_argument(
        "--metric",
        default="valid/elbo",
        metavar="NAME",
        help="the column of metrics.csv whose last value counts (default: valid/elbo)",
    )
    parser.add_argument("--minimize", action="store_true", help="the least is the best")
    parser.add_argument("--quiet", action="store_true", help="say nothing of each trial")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, and show what was found; a study that is there already goes on."""
    given = given_settings(arguments)
    for module in NEEDED:
        optional(module)
    optional("optuna", "sweep")
    keep_big_buffers()
    from pyvae.config_files import overlaid, read_mapping
    from pyvae.fitting.space import read_space
    from pyvae.fitting.sweep import Sweep
    from pyvae.training import Interrupted, StopRequest

    file = Path(arguments.config)
    fixed, space = read_space(read_mapping(file), file)
    out = Path("sweeps") / file.stem if arguments.out is None else Path(arguments.out)
    sweep = Sweep(
        out,
        overlaid(absolute_paths(fixed), given),
        space,
        metric=arguments.metric,
        minimize=arguments.minimize,
        say=(lambda text: None) if arguments.quiet else tell,
    )
    try:
        with StopRequest() as stop:
            sweep.run(arguments.trials, stop)
    except Interrupted as stopped:
        tell(f"stopped; the same command goes on with {out}")
        return 128 + stopped.number
    print(_table(sweep.trials(), sweep.metric))
    return 0


def _table(trials: list[Trial], metric: str) -> str:
    """Trials, the best first."""
    from pyvae.fitting.sweep import told

    lines = [("trial", metric, "settings")]
    for trial in trials:
        value = "failed" if trial.value is None else f"{trial.value:.6g}"
        lines.append((str(trial.folder), value, told(trial.settings)))
    widths = [max(len(line[i]) for line in lines) for i in range(2)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c}" for a, b, c in lines)
