"""``pyvae evaluate``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pyvae.cli.latents.figures import check_wanted, latent_figures, latent_rows
from pyvae.cli.run_arguments import add_run_arguments, nonnegative, open_run, positive
from pyvae.cli.say import note
from pyvae.cli.show import listing, table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_run_arguments(parser)
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument(
        "--samples", type=nonnegative, metavar="N", help="importance samples (default: the run's)"
    )
    parser.add_argument(
        "--subset", type=nonnegative, default=0, metavar="N", help="random rows; 0: all"
    )
    parser.add_argument(
        "--ais",
        type=nonnegative,
        default=0,
        metavar="N",
        help="log p(x) by annealed importance sampling over N temperatures, too; some thousand "
        "times the work of a bound, so best with --subset (default: 0, none)",
    )
    parser.add_argument(
        "--ais-chains", type=positive, default=16, metavar="N", help="its chains for each datum"
    )
    parser.add_argument(
        "--disentanglement",
        action="store_true",
        help="also MIG, SAP, DCI and the FactorVAE score, for data whose factors are known",
    )
    parser.add_argument(
        "--few-labels",
        type=positive,
        metavar="K",
        help="also how well classes are told from the latents, given K labels of each",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print the figures of a run. With the run's own settings they equal its ``results.json``."""
    config, model, view = open_run(arguments)
    from pyvae.training.evaluation import AGGREGATE, annealed_split, evaluate_split
    from pyvae.training.join import said_plainly

    wanted = {"factors": arguments.disentanglement, "per_class": arguments.few_labels}
    check_wanted(view, arguments.split, **wanted)

    if not (Path(arguments.run) / "results.json").is_file():
        note(f"{arguments.run} has not been trained to its end yet")
    samples = config.eval_samples if arguments.samples is None else arguments.samples
    split = view.held_out(arguments.split)
    figures = evaluate_split(
        model,
        view,
        split,
        num_samples=samples,
        rows=arguments.subset,
        aggregate=AGGREGATE,
        quiet=False,
    )
    with said_plainly():
        more = latent_figures(model, view, arguments.split, **wanted)
    annealed = {}
    if arguments.ais:
        steps, chains = arguments.ais, arguments.ais_chains
        nats, error = annealed_split(
            model,
            view,
            split,
            steps=steps,
            chains=chains,
            rows=arguments.subset,
            quiet=False,
        )
        annealed = {"ais_log_likelihood": nats, "ais_error": error}
    if arguments.json:
        content = {"dataset": config.dataset, "split": arguments.split, **figures.to_dict()}
        print(json.dumps({**content, **annealed, **more}, indent=2))
        return 0
    print(table(figures, view.data.name, arguments.split))
    if annealed:
        print(
            f"  log p(x) by annealed importance sampling, {steps} temperatures and {chains} "
            f"chains: {nats:.2f} +- {error:.2f}"
        )
    if more:
        print(listing("latents", latent_rows(more)))
    return 0
