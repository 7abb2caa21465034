"""What nvcc makes of the CUDA sources: registers, spills and machine code of every kernel.

    python tests/cuda/assembly.py [--root CHECKOUT] [--save FILE] [--against FILE] [PATTERN ...]

prints a table of the kernels whose names match, beside those of another checkout that were saved.
Needs nvcc and nvdisasm, and no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "executor"))
import executor_build  # noqa: E402

ARCH = "sm_90"
FLAGS = ["-std=c++20", "-O3", "-DPYVAE_ISA=device", f"-arch={ARCH}", "-Xptxas", "-v", "-cubin"]


def find_nvcc() -> str | None:
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    places = [shutil.which("nvcc"), *(f"{home}/bin/nvcc" for home in homes if home)]
    return next((place for place in places if place and Path(place).is_file()), None)


def find_disassembler() -> str | None:
    """nvdisasm of the toolkit or of the package nvidia-cuda-nvdisasm."""
    if found := shutil.which("nvdisasm"):
        return found
    spec = find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((str(p) for f in folders for p in Path(f).glob("*/bin/nvdisasm")), None)


@dataclass(frozen=True)
class Kernel:
    """One kernel, as ptxas reports it."""

    source: str
    symbol: str
    name: str
    stack: int
    spills: int
    registers: int


ENTRY = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
    r"(\d+) bytes spill loads.*?Used (\d+) registers",
    re.DOTALL,
)


def demangled(symbols: list[str]) -> list[str]:
    tool = shutil.which("c++filt") or shutil.which("cu++filt")
    if tool is None:
        raise FileNotFoundError("c++filt (binutils)")
    text = "\n".join(symbols)
    said = subprocess.run([tool], input=text, capture_output=True, text=True, check=True).stdout
    return said.splitlines()


def sources(folder: Path, root: Path = executor_build.ROOT) -> list[Path]:
    """Those of the tasks, and one for each header of densities, made in the folder."""
    units = executor_build.units(folder, root)
    return [*sorted((root / "csrc/cuda").glob("*.cu")), *(u for u in units if u.suffix == ".cu")]


def compile_all(
    files: list[Path], folder: Path, root: Path = executor_build.ROOT
) -> tuple[list[Kernel], list[str]]:
    """Cubins of the sources in the folder; the kernels, and the warnings."""
    nvcc = find_nvcc() or "nvcc"

    def compile_one(source: Path) -> tuple[str, str]:
        name = f"{source.parent.name}-{source.stem}"
        command = [nvcc, *FLAGS, f"-I{root / 'csrc'}", "-o", str(folder / f"{name}.cubin")]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True, timeout=1200)
        if done.returncode:
            raise RuntimeError(f"{source.name} does not compile:\n{done.stderr[-4000:]}")
        return name, done.stderr

    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    with ThreadPoolExecutor(jobs) as pool:
        said = list(pool.map(compile_one, files))
    found = [(name, *entry) for name, text in said for entry in ENTRY.findall(text)]
    names = demangled([symbol for _, symbol, *_ in found])
    kernels = [
        Kernel(source, symbol, name, int(stack), int(stores) + int(loads), int(registers))
        for (source, symbol, stack, stores, loads, registers), name in zip(
            found, names, strict=True
        )
    ]
    return kernels, [f"{name}: {text[-2000:]}" for name, text in said if "warning" in text]


def disassemble(folder: Path) -> dict[str, str]:
    """The machine code of each kernel of the folder's cubins, by symbol."""
    tool = find_disassembler()
    if tool is None:
        raise FileNotFoundError("nvdisasm (pip install nvidia-cuda-nvdisasm)")
    found: dict[str, str] = {}
    for cubin in sorted(folder.glob("*.cubin")):
        command = [tool, "-c", str(cubin)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for part in re.split(r"\n//-+ \.text\.", said)[1:]:
            found[part.split(None, 1)[0]] = part
    return found


def instructions(code: str) -> int:
    return len(re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?!NOP)\S", code, re.MULTILINE))


def loops(code: str) -> list[str]:
    """The text between each label and the last branch back to it."""
    lines = code.splitlines()
    labels = {m[1]: i for i, line in enumerate(lines) if (m := re.match(r"(\.L_x_\d+):", line))}
    found = []
    for label, begin in labels.items():
        ends = [
            i for i in range(begin, len(lines)) if "BRA" in lines[i] and f"({label})" in lines[i]
        ]
        if ends and ends[-1] > begin + 2:  # one that does more than branch to itself
            found.append("\n".join(lines[begin : ends[-1] + 1]))
    return found


def main_loop(code: str) -> int:
    """Instructions of the longest loop that has no other in it."""
    found = loops(code)
    inner = [a for a in found if not any(b is not a and b in a for b in found)]
    return max((instructions(loop) for loop in inner), default=0)


def short(name: str) -> str:
    """`kernel<arguments>` without namespaces, casts and parameters."""
    name = re.sub(r"pyvae::(?:\w+::)*|^void ", "", name)
    name = re.sub(r"\((?:Path|Want|RowTeam|ClassTeam)\)", "", name)
    return re.sub(r">\(.*\)$", ">", name)


def measured(root: Path) -> dict[str, tuple[int, int, int]]:
    """Registers, instructions and those of the main loop, of every kernel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kernels, _ = compile_all(sources(folder, root), folder, root)
        code = disassemble(folder)
    return {
        short(k.name): (k.registers, instructions(code[k.symbol]), main_loop(code[k.symbol]))
        for k in kernels
    }


def main() -> None:
    options = argparse.ArgumentParser(description="A table of the CUDA kernels.")
    options.add_argument("patterns", nargs="*", metavar="PATTERN", help="which; none: all")
    options.add_argument("--root", type=Path, default=executor_build.ROOT, help="of the sources")
    options.add_argument("--save", type=Path, help="where the figures go, as JSON")
    options.add_argument("--against", type=Path, help="figures of another checkout")
    given = options.parse_args()
    found = measured(given.root.resolve())
    if given.save:
        given.save.write_text(json.dumps(found, indent=1) + "\n")
    before = json.loads(given.against.read_text()) if given.against else {}
    print("| kernel | registers | instructions | of the main loop |\n|---|---|---|---|")
    for name, figures in found.items():
        if given.patterns and not any(re.search(p, name) for p in given.patterns):
            continue
        old = before.get(name)
        cells = [f"{old[i]} -> {new}" if old else str(new) for i, new in enumerate(figures)]
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
