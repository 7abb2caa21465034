"""Compiles the CUDA sources for the host, with the executor in CUDA's place, into one library.

Objects are kept between runs, outside of the source tree (PYVAE_EXECUTOR_CACHE), and made again
when a file that they include has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EXECUTOR = ["executor.cpp", "fiber.cpp"]
FLAGS = [
    *("-x", "c++", "-std=c++20", "-fPIC", "-ftls-model=global-dynamic"),
    *("-DPYVAE_EXECUTOR", "-DPYVAE_ISA=device", "-DPYVAE_CUDA", "-DPYVAE_NO_CPU"),
    *(f"-I{HERE}", f"-I{ROOT / 'csrc'}"),
    # As nvcc sees it: types are punned, arithmetic is neither reordered nor trapped.
    *("-fno-strict-aliasing", "-fno-math-errno", "-ffp-contract=fast"),
    *(
        "-Wall",
        "-Wno-unknown-pragmas",
        "-Wno-maybe-uninitialized",
        "-Wno-psabi",
        "-Wno-sign-compare",
    ),
]
PLAIN = ["-O1"]
#: What kernels can get wrong; all of UBSan on code that is inlined this much takes minutes a file.
CHECKS = (
    "address,alignment,bounds,shift,signed-integer-overflow,integer-divide-by-zero,"
    "float-cast-overflow,bool,enum"
)
SANITIZE = ["-O0", "-g1", f"-fsanitize={CHECKS}", "-fno-sanitize-recover=all"]


def compiler() -> str | None:
    """The C++ compiler: CXX, or the first of g++ and c++."""
    for name in (os.environ.get("CXX"), "g++", "c++"):
        if name and (found := shutil.which(name)):
            return found
    return None


def units(folder: Path, root: Path = ROOT) -> list[Path]:
    """A source for each header of densities, as CMake makes them, and one that names them all."""
    headers = sorted((root / "csrc/densities").glob("*.h"))
    includes = {header: f'#include "{header}"\n' for header in headers}
    texts = {
        f"{header.stem}.cu": f'#include "units/cuda.cuh"\n\n{include}'
        for header, include in includes.items()
    }
    every = "".join(includes.values())
    texts["library.cpp"] = f'#include "units/library.h"\n\n{every}\nPYVAE_LIBRARY\n'
    folder = folder / "units"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        if not (folder / name).exists() or (folder / name).read_text() != text:
            (folder / name).write_text(text)
    return [folder / name for name in texts]


def sources(folder: Path) -> list[Path]:
    """The kernels, what names them, and the executor."""
    return [
        *units(folder),
        *sorted((ROOT / "csrc/cuda").glob("*.cu")),
        ROOT / "csrc/ops/tasks.cpp",
        ROOT / "csrc/cuda/run.cpp",
        HERE / "register.cpp",
        *(HERE / name for name in EXECUTOR),
    ]


def _torch_flags() -> tuple[list[str], list[str]]:
    import torch

    base = Path(torch.__file__).parent
    return (
        ["-isystem", f"{base}/include", "-isystem", f"{base}/include/torch/csrc/api/include"],
        # The records of densities are this library's own, not those of pyvae's.
        ["-Wl,-Bsymbolic", f"-L{base}/lib", "-ltorch_cpu", "-lc10"],
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compile(source: Path, folder: Path, command: list[str]) -> Path:
    """The object of one source, compiled unless all that it was made of is unchanged."""
    target = folder / f"{source.parent.name}-{source.name}.o"
    record = target.with_suffix(".json")
    key = [a.replace(str(ROOT), ".") for a in command]
    try:
        made = json.loads(record.read_text())
        fresh = made["key"] == key and all(
            _digest(ROOT / name) == digest for name, digest in made["files"].items()
        )
    except (OSError, ValueError, KeyError):
        fresh = False
    if fresh and target.exists():
        return target
    rules = target.with_suffix(f".{os.getpid()}.d")
    new = target.with_suffix(f".{os.getpid()}.new")
    done = subprocess.run(
        [*command, "-MMD", "-MF", str(rules), "-c", str(source), "-o", str(new)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{source} does not compile:\n{done.stderr[-6000:]}")
    words = rules.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    files = {Path(w).resolve() for w in words}
    own = {str(f.relative_to(ROOT)): _digest(f) for f in sorted(files) if f.is_relative_to(ROOT)}
    new.replace(target)
    record.write_text(json.dumps({"key": key, "files": own}))
    rules.unlink()
    return target


def _objects(files: list[Path], flags: list[str], folder: Path) -> list[Path]:
    found = compiler()
    if found is None:
        raise RuntimeError("no C++ compiler")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = int(os.environ.get("PYVAE_EXECUTOR_JOBS") or len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda f: _compile(f, folder, [found, *flags]), files))


def _link(objects: list[Path], target: Path, flags: list[str]) -> Path:
    if target.exists() and all(o.stat().st_mtime < target.stat().st_mtime for o in objects):
        return target
    new = target.with_suffix(f".{os.getpid()}.new")
    command = [compiler() or "c++", *map(str, objects), "-o", str(new), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{target.name} does not link:\n{done.stderr[-6000:]}")
    new.replace(target)
    return target


def cache(sanitize: bool) -> Path:
    """Where the objects are kept."""
    base = os.environ.get("PYVAE_EXECUTOR_CACHE")
    folder = Path(base) if base else Path(tempfile.gettempdir()) / f"pyvae-executor-{os.getuid()}"
    return folder / ("sanitized" if sanitize else "plain")


def library(sanitize: bool = False) -> Path:
    """The library that holds every CUDA kernel and ``pyvae_executor_use``."""
    extra = SANITIZE if sanitize else PLAIN
    headers, libraries = _torch_flags()
    objects = _objects(sources(cache(sanitize)), [*FLAGS, *extra, *headers], cache(sanitize))
    return _link(objects, cache(sanitize) / "executor.so", ["-shared", *extra, *libraries])


def selftest(sanitize: bool = False) -> Path:
    """The program that tests the executor itself."""
    extra = SANITIZE if sanitize else PLAIN
    files = [HERE / name for name in (*EXECUTOR, "selftest.cpp")]
    objects = _objects(files, [*FLAGS, *extra], cache(sanitize))
    return _link(objects, cache(sanitize) / "selftest", extra)


def runtime() -> str:
    """Address sanitizer's library, to be preloaded into a Python that is built without it."""
    command = [compiler() or "c++", "-print-file-name=libasan.so"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).is_file():
        raise FileNotFoundError("the compiler comes without address sanitizer")
    return path


if __name__ == "__main__":
    import sys

    print(library("sanitize" in sys.argv[1:]))
