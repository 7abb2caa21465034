"""Code for an instruction set lies in the namespace of that set and nowhere else.

The same template compiled twice outside of one would be one weak symbol with two bodies, of which
the linker keeps either; on the wrong processor that is an illegal instruction.
"""

import platform
import re
import shutil
import subprocess

import pytest

from pyvae import _C

REGISTERS = {
    "%zmm": ("pyvae::avx512::",),
    "%ymm": ("pyvae::avx512::", "pyvae::avx2::"),
}


@pytest.fixture(scope="module")
def functions():
    """Registers of each function of the installed library, by demangled name."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the namespaces are those of x86")
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump (binutils)")
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", _C.__file__]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used, name = {}, ""
    for line in listing.splitlines():
        if heading := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            name = heading.group(1)
            used.setdefault(name, set())
        else:
            used[name] = used.get(name, set()) | set(re.findall(r"%[xyz]mm", line))
    return used


@pytest.mark.parametrize("register", REGISTERS)
def test_wide_registers_stay_in_their_namespace(functions, register):
    users = [name for name, registers in functions.items() if register in registers]
    assert users, f"nothing uses {register}: the listing is not understood"
    assert not [name for name in users if not any(home in name for home in REGISTERS[register])]
