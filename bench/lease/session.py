"""The whole session, within its limit: each stage in turn, then a summary with the failures first.

    bench/lease/run.sh [--limit S] [--stages NAME ...] [--out DIR] [--wheels DIR]

What is found is written to OUT/entries.jsonl as it is found, and all that was said to OUT/log.txt.
A session that begins beside such a file goes on where the last one ended: it runs what is left, and
``--stages`` runs the named ones anew. Needs nothing but Python until the package is installed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lease import jobs
from lease.entries import Book
from lease.stages import SECONDS, defaults, stages
from lease.summary import left, summary

SUMMARY = 4.0  # seconds that are kept for the end


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--limit", type=float, default=470, help="seconds in all (default: 470)")
    made.add_argument("--stages", nargs="+", choices=list(SECONDS), help="run these, and anew")
    made.add_argument(
        "--out", type=Path, default=defaults("results"), help="folder of what is found"
    )
    made.add_argument("--wheels", type=Path, default=defaults("wheels"), help="what is installed")
    made.add_argument("--device", default="cuda", help="default: cuda")
    made.add_argument("--scale", type=int, default=1, help="divide the batches, for a try")
    made.add_argument("--seconds", type=float, default=0.3, help="per race (default: 0.3)")
    made.add_argument("--ops", nargs="+", default=[], metavar="OP", help="default: all")
    made.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    return made


def main(argv: list[str] | None = None) -> int:
    begun = time.monotonic()
    arguments = parser().parse_args(argv)
    arguments.out, arguments.wheels = arguments.out.resolve(), arguments.wheels.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    book = Book(arguments.out / "entries.jsonl")
    todo = stages(arguments)
    if arguments.stages:
        book.forget(arguments.stages)
    waiting = left(book, todo)
    with (arguments.out / "log.txt").open("a") as log:
        for stage in todo:
            if not stage.always and stage.name not in (arguments.stages or waiting):
                continue
            time_left = arguments.limit - SUMMARY - (time.monotonic() - begun)
            if time_left < 1:
                break
            seconds = min(stage.seconds, time_left)
            print(f"{stage.name}: at most {seconds:.0f} s ...", file=sys.stderr, flush=True)
            jobs.run(stage, seconds, book, log)
    text, good = summary(book, todo, seconds=time.monotonic() - begun)
    print(text, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
