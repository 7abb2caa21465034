"""Code for an instruction set lies in the namespace of that set, and the kernels show little else.

The same template compiled twice outside of one would be one weak symbol with two bodies, of which
the linker keeps either; on the wrong processor that is an illegal instruction.
"""

import platform
import re
import shutil
import subprocess

import pytest

from pyvae import _build, _native

REGISTERS = {
    "%zmm": ("pyvae::avx512::",),
    "%ymm": ("pyvae::avx512::", "pyvae::avx2::"),
}


KERNELS = _native.path.parent / "libpyvae_kernels.so"
GLUE = [next(_native.path.parent.glob(f"{module}.*")) for module in _build.modules.values()]


def said(tool, *arguments):
    if not KERNELS.is_file():
        pytest.skip("reads what Linux has")
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool} (binutils)")
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


def functions(library):
    """Registers of each function of a library, by demangled name."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the namespaces are those of x86")
    listing = said("objdump", "-d", "-C", "--no-show-raw-insn", str(library))
    used, name = {}, ""
    for line in listing.splitlines():
        if heading := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            name = heading.group(1)
            used.setdefault(name, set())
        else:
            used[name] = used.get(name, set()) | set(re.findall(r"%[xyz]mm", line))
    return used


@pytest.fixture(scope="module")
def kernels():
    if ".symtab" not in said("readelf", "-SW", str(KERNELS)):
        pytest.skip("the names of its functions are stripped")
    return functions(KERNELS)


@pytest.mark.parametrize("register", REGISTERS)
def test_wide_registers_stay_in_their_namespace(kernels, register):
    users = [name for name, registers in kernels.items() if register in registers]
    assert users, f"nothing uses {register}: the listing is not understood"
    assert not [name for name in users if not any(home in name for home in REGISTERS[register])]


@pytest.mark.parametrize("library", GLUE, ids=lambda path: path.name)
def test_the_glue_is_for_any_processor(library):
    wide = [name for name, registers in functions(library).items() if registers & set(REGISTERS)]
    assert not wide


def test_the_kernels_need_no_torch_and_no_python():
    needed = re.findall(r"NEEDED.*\[(.*)\]", said("readelf", "-d", str(KERNELS)))
    assert needed and not [name for name in needed if re.search(r"torch|c10|python", name)]


def test_the_kernels_show_their_tables_alone():
    names = said("nm", "-DC", "--defined-only", str(KERNELS)).splitlines()
    shown = {line.split(maxsplit=2)[2] for line in names}
    assert "pyvae_densities" in shown and "pyvae::tasks::mmd_rbf" in shown
    known = re.compile(r"pyvae_densities|pyvae::(tasks|cuda)::|((vtable|typeinfo).* )?std::")
    assert not [name for name in shown if not known.match(name)]


@pytest.mark.parametrize("library", GLUE, ids=lambda path: path.name)
def test_the_glue_finds_the_kernels_beside_it(library):
    entries = said("readelf", "-d", str(library))
    assert "[libpyvae_kernels.so]" in entries
    assert "$ORIGIN" in re.findall(r"R(?:UN)?PATH.*\[(.*)\]", entries)[0].split(":")
