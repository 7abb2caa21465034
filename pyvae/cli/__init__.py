"""The command line: ``pyvae COMMAND``. One file per command; each is imported when it runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pyvae.errors import UserError

__all__ = ["main"]

#: name -> (module with ``add_arguments`` and ``run``, what it does)
COMMANDS = {
    "train": ("train", "train a model and write a run folder"),
    "evaluate": ("evaluate", "the figures of a run: bounds, log p(x), active units"),
    "sample": ("sample", "draw samples of a run's model"),
    "reconstruct": ("reconstruct", "draw test data above their reconstructions"),
    "plot": ("plot", "draw all pictures of a run again"),
    "list": ("list_parts", "every part that is registered, plugins too"),
    "info": ("info", "versions, instruction set, CUDA"),
    "bench": ("bench", "race the ops against eager and compiled PyTorch on this machine"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code.

    0: done. 2: something the user can put right, said in one sentence on standard error.
    128 + signal: interrupted (130 for Ctrl-C), with the state saved.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(prog="pyvae", description="Variational autoencoders.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    parsers = {name: commands.add_parser(name, help=told) for name, (_, told) in COMMANDS.items()}
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    try:
        if chosen not in COMMANDS:
            parser.parse_args(arguments)
            parser.print_help()
            return 0
        module = importlib.import_module(f"pyvae.cli.{COMMANDS[chosen][0]}")
        module.add_arguments(parsers[chosen])
        return int(module.run(parser.parse_args(arguments)))
    except UserError as error:
        text = " ".join(str(error).split())
        print(f"pyvae: error: {text}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pyvae: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone
        sys.stderr.close()
        return 141


class _Parser(argparse.ArgumentParser):
    """argparse, with its errors in the form that all others have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")
