"""The command line: ``pyvae COMMAND``. One file per command; each is imported when it runs."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import pyvae
from pyvae import _command
from pyvae.cli.say import tell
from pyvae.errors import UserError
from pyvae.hints import did_you_mean
from pyvae.registry import BrokenPluginWarning

__all__ = ["main"]

#: name -> (module with ``add_arguments`` and ``run``, what it does)
COMMANDS = {
    "train": ("train", "train a model and write a run folder"),
    "watch": ("watch", "redraw the curves of a run in the terminal while it trains"),
    "sweep": ("sweep", "search the best settings, by many runs"),
    "evaluate": ("evaluate", "the figures of a run: bounds, log p(x), active units"),
    "sample": ("sample", "draw samples of a run's model"),
    "reconstruct": ("reconstruct", "draw test data above their reconstructions"),
    "transfer": ("transfer", "test data as they would be under another condition"),
    "encode": ("latents.encode", "write the latents of data"),
    "decode": ("latents.decode", "write what a run's model makes of latents"),
    "score": ("score", "write log p(x) of each datum, with its standard error"),
    "impute": ("impute", "write data with what was missing filled in"),
    "interpolate": ("latents.interpolate", "draw what lies between the latents of data"),
    "traverse": ("latents.traverse", "draw what each latent changes"),
    "manifold": ("latents.manifold", "draw the plane of two latents"),
    "inpaint": ("repair.inpaint", "fill in missing parts of data"),
    "denoise": ("repair.denoise", "take noise away from data"),
    "super-resolve": (
        "repair.super_resolve",
        "bring back the pixels of smaller images",
    ),
    "rate-distortion": ("rate_distortion", "the curve of rate and distortion over beta"),
    "compare": ("compare", "settings and figures of several runs, side by side"),
    "plot": ("plot", "draw all pictures of a run again"),
    "data": ("data", "what is in your files, before any training, with a picture"),
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
    try:
        with _printable(), _plain_warnings():
            return _run(arguments)
    except UserError as error:
        tell(f"error: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        tell("interrupted")
        return 130
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        sys.stderr.close()  # the reader of a pipe has gone, or the terminal
        return 141


def _run(arguments: list[str]) -> int:
    parser = _Parser(prog="pyvae", description="Variational autoencoders.")
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    parsers = {name: commands.add_parser(name, help=told) for name, (_, told) in COMMANDS.items()}
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    if chosen is not None and chosen not in COMMANDS:
        parser.error(
            f"unknown command {chosen!r}{did_you_mean(chosen, COMMANDS) or '.'} "
            f"Commands: {', '.join(COMMANDS)}"
        )
    if chosen is None:
        parser.parse_args(arguments)
        parser.print_help()
        return 0
    module = importlib.import_module(f"pyvae.cli.{COMMANDS[chosen][0]}")
    module.add_arguments(parsers[chosen])
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        parsers[chosen].unknown(unknown)
    given.command_line = arguments
    for name in pyvae.__all__:  # registers ops and parts, and takes a second
        getattr(pyvae, name)
    _command.started()
    return int(module.run(given))


class _Version(argparse.Action):
    """The version, which is looked up when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, nargs=0)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"pyvae {pyvae.__version__}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """argparse, with its errors in the form that all others have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")

    def unknown(self, words: list[str]) -> NoReturn:
        """Words that are no options of this command, with the option that is nearest."""
        first = next((word for word in words if word.startswith("-")), words[0])
        near = did_you_mean(first.partition("=")[0], self._option_string_actions)
        self.error(f"unrecognized arguments: {' '.join(words)}{near}")


@contextmanager
def _printable() -> Iterator[None]:
    """Names that the terminal cannot show are written with escapes, whatever its encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    yield


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A broken plugin is one line, without the line of the source that looked for it."""
    show = warnings.showwarning

    def plain(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, BrokenPluginWarning):
            tell(f"warning: {message}")
        else:
            show(message, category, *rest, **more)

    warnings.showwarning = plain
    try:
        yield
    finally:
        warnings.showwarning = show
