"""The CUDA kernels as nvcc makes them: they compile, keep to registers, move 16 bytes at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(Path(__file__).parent / "executor"))
import executor_build  # noqa: E402

ARCH = "sm_90"
FLAGS = ["-std=c++20", "-O3", "-DPYVAE_ISA=device", f"-arch={ARCH}", "-Xptxas", "-v", "-cubin"]
FLAGS += [f"-I{ROOT / 'csrc'}"]

#: Where a stack is no mistake: pattern of the demangled name -> why.
MAY_USE_STACK = {
    r"<[^<>]*double": "float64: sin, cos, lgamma and digamma of double have slow paths in memory",
}
#: Kernels whose main loop moves packs of 16 bytes, by the pattern of their demangled name.
PACKED = r"(map|reduce_rows|columns)_kernel<.*float, .*\(pyvae::\w+::Path\)0"


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


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_nvcc() is None, reason="needs nvcc"),
]


@dataclass(frozen=True)
class Kernel:
    """What ptxas says of one kernel."""

    source: str
    symbol: str
    name: str
    stack: int
    spills: int
    registers: int


def demangled(symbols: list[str]) -> list[str]:
    tool = shutil.which("c++filt") or shutil.which("cu++filt")
    if tool is None:
        pytest.skip("needs c++filt (binutils)")
    text = "\n".join(symbols)
    said = subprocess.run([tool], input=text, capture_output=True, text=True, check=True).stdout
    return said.splitlines()


ENTRY = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
    r"(\d+) bytes spill loads.*?Used (\d+) registers",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> list[Path]:
    """Those of the tasks, and one for each header of densities."""
    units = executor_build.units(tmp_path_factory.mktemp("densities"))
    return [
        *sorted((ROOT / "csrc/cuda").glob("*.cu")),
        *(unit for unit in units if unit.suffix == ".cu"),
    ]


@pytest.fixture(scope="module")
def compiled(sources, tmp_path_factory) -> tuple[list[Kernel], Path]:
    """Every source for one architecture: what ptxas says, and the folder of the cubins."""
    folder = tmp_path_factory.mktemp("cubins")
    nvcc = find_nvcc() or ""

    def compile_one(source: Path) -> list[tuple[str, ...]]:
        name = f"{source.parent.name}-{source.stem}"
        command = [nvcc, *FLAGS, "-o", str(folder / f"{name}.cubin"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, f"{source.name}:\n{done.stderr[-4000:]}"
        assert "warning" not in done.stderr, f"{source.name}:\n{done.stderr[-4000:]}"
        return [(name, *found) for found in ENTRY.findall(done.stderr)]

    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    with ThreadPoolExecutor(jobs) as pool:
        found = [entry for entries in pool.map(compile_one, sources) for entry in entries]
    names = demangled([symbol for _, symbol, *_ in found])
    kernels = [
        Kernel(source, symbol, name, int(stack), int(stores) + int(loads), int(registers))
        for (source, symbol, stack, stores, loads, registers), name in zip(
            found, names, strict=True
        )
    ]
    return kernels, folder


def test_every_source_compiles_and_has_kernels(sources, compiled):
    kernels, _ = compiled
    assert {k.source for k in kernels} == {f"{s.parent.name}-{s.stem}" for s in sources}
    assert len(kernels) > 100


def test_kernels_keep_to_registers(compiled):
    kernels, _ = compiled
    excused = re.compile("|".join(MAY_USE_STACK))
    bad = [k for k in kernels if (k.stack or k.spills) and not excused.search(k.name)]
    listing = "\n".join(
        f"{k.source}: {k.stack} bytes of stack, {k.spills} of spills, {k.registers} registers: "
        f"{k.name[:300]}"
        for k in bad
    )
    assert not bad, f"{len(bad)} kernels use local memory:\n{listing}"


@pytest.fixture(scope="module")
def assembly(compiled) -> dict[str, str]:
    """The machine code of each kernel, by symbol."""
    tool = find_disassembler()
    if tool is None:
        pytest.skip("needs nvdisasm (pip install nvidia-cuda-nvdisasm)")
    _, folder = compiled
    found: dict[str, str] = {}
    for cubin in sorted(folder.glob("*.cubin")):
        command = [tool, "-c", str(cubin)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for part in re.split(r"\n//-+ \.text\.", said)[1:]:
            found[part.split(None, 1)[0]] = part
    return found


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


def test_main_loops_move_16_bytes_at_once(compiled, assembly):
    kernels, _ = compiled
    packed = [k for k in kernels if re.search(PACKED, k.name)]
    assert len(packed) > 20
    bad = []
    for kernel in packed:
        inner = loops(assembly[kernel.symbol])
        if not any(re.search(r"LDG\.E\.\S*128", loop) for loop in inner):
            bad.append(f"{kernel.source}: no 16-byte load in a loop: {kernel.name[:300]}")
        writes = re.search(r"\(pyvae::Want\)[12]|columns_kernel", kernel.name)
        if writes and not any(re.search(r"STG\.E\.\S*128", loop) for loop in inner):
            bad.append(f"{kernel.source}: no 16-byte store in a loop: {kernel.name[:300]}")
    assert not bad, "\n".join(bad)


def test_no_float64_arithmetic_in_float32_loops(compiled, assembly):
    """Arithmetic in double is 2 to 64 times as slow; sums of partial sums alone may use it."""
    kernels, _ = compiled
    bad = []
    for kernel in kernels:
        if re.search(r"(map|reduce_rows)_kernel<.*float, ", kernel.name):
            count = len(re.findall(r"\bD(?:ADD|MUL|FMA)\b", assembly[kernel.symbol]))
            if count:
                bad.append(f"{kernel.source}: {count} instructions: {kernel.name[:200]}")
    assert not bad, "\n".join(bad)
