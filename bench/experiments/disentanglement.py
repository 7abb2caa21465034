"""Single latents for single factors: beta-VAE, beta-TCVAE and FactorVAE on sprites.

    python bench/experiments/disentanglement.py [--steps N] [--seeds N]

The weights of the three penalties are such that reconstructions come out about equal, at which the
papers compare scores (Higgins et al. 2017; Chen et al. 2018; Kim and Mnih 2018).
"""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Sequence
from contextlib import redirect_stdout

from figures import panels, save
from runs import Run, parser, train, write

from pyvae.benchmarking import markdown
from pyvae.cli import main as pyvae
from pyvae.cli.latents.figures import SCORES

SYSTEMS = {
    "beta-VAE": "elbo --objective-args beta=2",
    "beta-TCVAE": "tc_vae --objective-args beta=2.5",
    "FactorVAE": "factor_vae --objective-args gamma=20 hidden=128,128",
}
MODEL = (
    "--dataset sprites --latent-dim 6 --encoder-args hidden=128,128 --decoder-args hidden=128,128 "
    "--batch-size 64 --lr 2e-3 --eval-every 1000000 --eval-samples 0"
)


def scores(run: Run) -> dict[str, float]:
    """All scores of a run, which it keeps, and its distortion."""
    path = run.folder / "scores.json"
    if not path.is_file() or path.stat().st_mtime < (run.folder / "results.json").stat().st_mtime:
        given = [str(run.folder), "--samples", "0", "--disentanglement", "--json"]
        with redirect_stdout(io.StringIO()) as said:
            code = pyvae(["evaluate", *given])
        if code:
            raise SystemExit(code)
        path.write_text(said.getvalue())
    found = json.loads(path.read_text())
    return {**found["disentanglement"], "distortion": found["distortion"]}


def cell(values: Sequence[float], digits: int = 2) -> str:
    """Mean and, of several, standard deviation."""
    spread = f" +- {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def main() -> None:
    options = parser(__doc__ or "", steps=3000, seeds=3).parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SYSTEMS}
    for seed in range(options.seeds):
        for name, objective in SYSTEMS.items():
            more = ["--objective", *objective.split(), "--steps", str(options.steps)]
            given = [*MODEL.split(), *more, "--seed", str(seed)]
            found[name].append(scores(train(f"disentanglement-{name}-{seed}", given, options)))
    figure, axes = panels(["MIG", "DCI disentanglement", "FactorVAE score"], width=2.8)
    for plot, key in zip(axes, ("mig", "disentanglement", "factor_vae"), strict=True):
        for name, of_seeds in found.items():
            plot.scatter(
                [one["distortion"] for one in of_seeds], [one[key] for one in of_seeds], label=name
            )
        plot.set_xlabel("distortion, nats")
    axes[0].legend(fontsize=8)
    save(figure, options.images / "disentanglement.png")
    rows = [
        [
            name,
            cell([one["distortion"] for one in of_seeds], 1),
            *(cell([one[key] for one in of_seeds]) for key in SCORES),
        ]
        for name, of_seeds in found.items()
    ]
    print(markdown(["objective", "distortion, nats", *SCORES.values()], rows))
    write(options, "disentanglement", {"steps": options.steps, "runs": found})


if __name__ == "__main__":
    main()
