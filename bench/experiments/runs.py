"""Training runs that experiments compare: each is one ``pyvae train``, kept in a folder and not
repeated."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pyvae.cli import main

RESULTS = Path(__file__).parents[1] / "results"
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: its run folder
        arguments: of ``pyvae train``
    """

    folder: Path
    arguments: tuple[str, ...] = field(repr=False)

    @cached_property
    def results(self) -> dict[str, Any]:
        """The figures of the test split."""
        found: dict[str, Any] = json.loads((self.folder / "results.json").read_text())
        return found

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Samples seen, and the column ``name`` of the log."""
        with (self.folder / "metrics.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(name)]
        return [float(row["samples"]) for row in rows], [float(row[name]) for row in rows]


def train(label: str, arguments: Sequence[str], options: argparse.Namespace) -> Run:
    """Train, or take the run of that label and those arguments that is there already."""
    folder = options.runs / label
    run = Run(folder, tuple(arguments))
    written = folder / "arguments.json"
    done = (folder / "results.json").is_file() and written.is_file()
    if done and json.loads(written.read_text()) == list(arguments):
        return run
    print(f"{label}: pyvae train {' '.join(arguments)}", file=sys.stderr, flush=True)
    torch.set_num_threads(options.threads)
    with redirect_stdout(io.StringIO()):
        code = main(["train", "--out", str(folder), "--overwrite", "--quiet", *arguments])
    if code:
        raise SystemExit(code)
    written.write_text(json.dumps(list(arguments)))
    return run


def parser(description: str, **defaults: int) -> argparse.ArgumentParser:
    """Options that all experiments have; ``defaults``: further numbers, such as epochs."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--runs", type=Path, default=Path("runs/experiments"), help="run folders")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    made.add_argument("--images", type=Path, default=IMAGES, help="folder for the figure")
    for name, default in defaults.items():
        made.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    return made


def write(options: argparse.Namespace, name: str, content: Any) -> None:
    """The figures of an experiment, as JSON in ``--out``."""
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
