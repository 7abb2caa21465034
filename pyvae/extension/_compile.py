"""Where the headers are, and a density compiled from its header alone."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from pyvae import _native

from ._library import load_library

__all__ = ["cmake_dir", "get_include", "load_density"]

_functions: dict[str, Callable[..., Any]] = {}  # by namespace, which says what was compiled


def get_include() -> str:
    """The folder from which ``#include <pyvae/density.h>`` finds its header."""
    return str(_installed("include", "pyvae/density.h"))


def cmake_dir() -> str:
    """The folder in which ``find_package(pyvae)`` finds its package (``-Dpyvae_DIR=...``)."""
    return str(_installed("cmake", "pyvaeConfig.cmake"))


def _installed(folder: str, file: str) -> Path:
    places = [Path(__file__).parents[1], _native.path.parent]  # the latter, if editable
    for package in places:
        if (package / folder / file).is_file():
            return package / folder
    raise FileNotFoundError(f"pyvae was installed without its {folder}/{file}: install it again")


def load_density(
    header: str | PathLike[str], reference: Callable[..., Any], *, verbose: bool = True
) -> Callable[..., Any]:
    """Compile the density of a header, and return it as a function.

    What was compiled once is kept, in ``PYVAE_CACHE`` or the user's cache folder, until the header,
    pyvae or the compiler changes. A header that changed can be loaded again in the same process.

    Args:
        header: a C++ header with one ``PYVAE_DENSITY``.
        reference: its meaning in plain PyTorch, as in :func:`load_library`.
        verbose: say on standard error what is being compiled, and how long it took.

    Returns:
        The function, as :func:`load_library` returns it.

    Raises:
        FileNotFoundError: there is no such header.
        RuntimeError: CMake, ninja or a compiler is missing, or the header does not compile; the
            message holds the compiler's.
        ValueError: the header holds no density, or several.

    Example:
        >>> import pyvae.extension
        >>> pyvae.extension.load_density("no_such.h", lambda x: x)
        Traceback (most recent call last):
        FileNotFoundError: there is no header no_such.h
    """
    file = Path(header)
    if not file.is_file():
        raise FileNotFoundError(f"there is no header {file}")
    text = file.read_text()
    found = re.findall(r"^\s*PYVAE_DENSITY\(\s*(\w+)\s*\)", text, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(
            f"{file} must hold one PYVAE_DENSITY(name), got {len(found)}: build a library of "
            "several with CMake"
        )
    tools = _tools()
    key = [text, str(file.resolve().parent), _compiler(tools), _interface()]
    name = f"pyvae_{hashlib.sha256(chr(0).join(key).encode()).hexdigest()[:16]}"
    if name not in _functions:
        library = _cache() / name / "density.so"
        if not library.is_file():
            _compile(file.resolve(), library, tools, verbose)
        names = _native.density_names(_exported(library), str(library))
        functions = load_library(library, dict.fromkeys(names, reference), namespace=name)
        (_functions[name],) = functions.values()
    return _functions[name]


def _interface() -> str:
    """The headers that a density is compiled with: others compile again."""
    headers = sorted(Path(get_include()).rglob("*.*h"))
    return hashlib.sha256(b"".join(header.read_bytes() for header in headers)).hexdigest()


def _exported(library: Path) -> int:
    return ctypes.cast(ctypes.CDLL(str(library)).pyvae_densities, ctypes.c_void_p).value or 0


def _cache() -> Path:
    if folder := os.environ.get("PYVAE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyvae"


def _tools() -> dict[str, str]:
    """CMake and ninja: those of this environment, else those on the path."""
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get("PATH", "")])
    found = {tool: shutil.which(tool, path=path) for tool in ("cmake", "ninja")}
    missing = [tool for tool, place in found.items() if place is None]
    if missing:
        raise RuntimeError(
            f"compiling a density needs {' and '.join(missing)}: pip install cmake ninja"
        )
    return {tool: place for tool, place in found.items() if place is not None}


def _compiler(tools: dict[str, str]) -> str:
    """What the compiler says of itself: another one compiles again."""
    command = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or "c++"
    try:
        said = subprocess.run([*command.split(), "--version"], capture_output=True, text=True)
    except OSError as error:
        raise RuntimeError(
            f"compiling a density needs a C++20 compiler, and {command} cannot be run ({error}): "
            "install one, or set CXX to it"
        ) from error
    return said.stdout


PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(density LANGUAGES CXX)
include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER AND PYVAE_DENSITY_CUDA)
  set(CMAKE_CUDA_ARCHITECTURES native)
  enable_language(CUDA)
endif()
find_package(pyvae REQUIRED)
add_library(density MODULE)
set_target_properties(density PROPERTIES PREFIX "" SUFFIX ".so")
pyvae_add_densities(density "{header}")
"""


def _compile(header: Path, library: Path, tools: dict[str, str], verbose: bool) -> None:
    """Builds beside the target and moves it there whole: a second process may do the same."""
    import torch

    start = time.monotonic()
    if verbose:
        print(f"pyvae: compiling {header.name} ...", end=" ", file=sys.stderr, flush=True)
    build = library.parent.with_name(f"{library.parent.name}.{os.getpid()}")
    try:
        build.mkdir(parents=True)
        (build / "CMakeLists.txt").write_text(PROJECT.format(header=header.as_posix()))
        configure = [tools["cmake"], "-G", "Ninja", "-S", str(build), "-B", str(build / "build")]
        configure += [f"-DCMAKE_MAKE_PROGRAM={tools['ninja']}", f"-Dpyvae_DIR={cmake_dir()}"]
        configure += [f"-DPYVAE_DENSITY_CUDA={'ON' if torch.cuda.is_available() else 'OFF'}"]
        make = [tools["ninja"], "-C", str(build / "build")]
        for command in ([*configure, "-DCMAKE_BUILD_TYPE=Release"], make):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                said = (done.stdout + done.stderr).strip()
                raise RuntimeError(f"{header} does not compile:\n{_errors(said)}")
        library.parent.mkdir(parents=True, exist_ok=True)
        (build / "build" / "density.so").replace(library)
    finally:
        shutil.rmtree(build, ignore_errors=True)
        if verbose and not library.is_file():
            print("failed", file=sys.stderr)
    if verbose:
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)


def _errors(said: str) -> str:
    """From the compiler's first error on, as much as one reads."""
    lines = said.splitlines()
    first = next((i for i, line in enumerate(lines) if re.search(r"\berror\b", line, re.I)), 0)
    return "\n".join(lines[first : first + 40])
