"""The CUDA kernels as nvcc makes them: they compile, keep to registers, move 16 bytes at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from assembly import (
    Kernel,
    compile_all,
    disassemble,
    find_disassembler,
    find_nvcc,
    loops,
    sources,
)

#: Where a stack is no mistake: pattern of the demangled name -> why.
MAY_USE_STACK = {
    r"<[^<>]*double": "float64: sin, cos, lgamma and digamma of double have slow paths in memory",
}
#: Kernels whose main loop moves packs of 16 bytes, by the pattern of their demangled name.
PACKED = r"(map|reduce_rows|columns)_kernel<.*float, .*\(pyvae::\w+::Path\)0"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_nvcc() is None, reason="needs nvcc"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    return sources(tmp_path_factory.mktemp("densities"))


@pytest.fixture(scope="module")
def compiled(files, tmp_path_factory) -> tuple[list[Kernel], Path]:
    """Every source for one architecture: what ptxas says, and the folder of the cubins."""
    folder = tmp_path_factory.mktemp("cubins")
    kernels, warnings = compile_all(files, folder)
    assert not warnings, "\n".join(warnings)
    return kernels, folder


@pytest.fixture(scope="module")
def assembly(compiled) -> dict[str, str]:
    """The machine code of each kernel, by symbol."""
    if find_disassembler() is None:
        pytest.skip("needs nvdisasm (pip install nvidia-cuda-nvdisasm)")
    return disassemble(compiled[1])


def test_every_source_compiles_and_has_kernels(files, compiled):
    kernels, _ = compiled
    assert {k.source for k in kernels} == {f"{s.parent.name}-{s.stem}" for s in files}
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
