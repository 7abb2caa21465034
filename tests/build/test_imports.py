"""Imports run one way, in Python and in C++."""

import ast
import re
from pathlib import Path

import pytest

import pyvae

PACKAGE = Path(pyvae.__file__).parent
CSRC = Path(__file__).parents[2] / "csrc"

PARTS = {"encoders", "decoders", "priors", "posteriors", "likelihoods"}
# each layer may import those before it; layers that import nothing of ours come first
LAYERS = [
    {"_build", "_build_check", "_command", "_source_tree", "hints", "storage"},
    {"_native", "batch", "reference", "registry", "networks", "flows"},
    {"_vmap"},
    {"_library"},
    {"functional"},
    {"distributions"},
    PARTS,
    {"models"},
    {"objectives"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ALONE = {"_command", "batch", "hints", "reference", "networks", "flows", "storage"}
TOP = len(LAYERS)  # training, cli, data, ...: whatever is not listed


def imported(path):
    """The modules of ours that a file imports, each as the first name below the package."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ["pyvae", *path.relative_to(PACKAGE).parts][: -node.level] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("pyvae.")}


def own(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_python_imports_run_one_way(path):
    name = own(path)
    level = LEVEL.get(name, TOP)
    for other in imported(path) - {name}:
        assert name not in ALONE, f"{name} imports nothing of ours, but {other}"
        assert level == TOP or LEVEL.get(other, TOP) < level, f"{name} must not import {other}"


def modules_imported(path):
    """The modules of ours that a file imports anywhere, for type checkers too, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("folder", ["models", "objectives", "training", "data", "likelihoods"])
def test_no_two_files_of_a_folder_import_each_other(folder):
    files = [p for p in (PACKAGE / folder).rglob("*.py") if p.name != "__init__.py"]
    name = {p: ".".join(["pyvae", *p.relative_to(PACKAGE).with_suffix("").parts]) for p in files}
    edges = {name[p]: modules_imported(p) & set(name.values()) for p in files}
    while edges:  # take away what imports nothing that is left; a circle stays
        free = [module for module, others in edges.items() if not others & edges.keys()]
        assert free, f"files that import each other: {sorted(edges)}"
        for module in free:
            del edges[module]


def test_functional_is_the_only_way_to_the_ops():
    for path in SOURCES:
        if own(path) in PARTS | {"distributions", "models", "objectives"}:
            source = path.read_text()
            assert "torch.ops" not in source and "reference" not in imported(path), path


def cpp_sources(folder):
    return [
        p for p in sorted((CSRC / folder).rglob("*")) if p.suffix in {".h", ".cuh", ".cpp", ".cu"}
    ]


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("folder", ["math", "densities"])
def test_the_maths_knows_no_torch(folder):
    paths = cpp_sources(folder)
    assert paths, f"no sources in {CSRC / folder}"
    for path in paths:
        for header in includes(path):
            assert not re.match(r"(torch|ATen|c10|caffe2)/", header), f"{path}: {header}"
            assert not re.search(r"(loops|ops|cpu|cuda|units)/", header), f"{path}: {header}"


def test_what_is_installed_for_other_packages_knows_no_torch():
    paths = [*cpp_sources("units"), *(CSRC / name for name in ("density.h", "plugin.h", "task.h"))]
    for path in paths:
        for header in includes(path):
            assert not re.match(r"(torch|ATen|c10|caffe2)/", header), f"{path}: {header}"
            assert not re.search(r"(^|/)(ops|cpu|cuda|autograd|densities)/", header), path


def test_the_loops_know_no_density_and_no_op():
    general = {"numeric.h", "philox.h", "special.h"}
    for path in cpp_sources("loops"):
        for header in includes(path):
            assert "math/" not in header or Path(header).name in general, f"{path}: {header}"
            assert "densities/" not in header, f"{path}: {header}"
            assert not re.search(r"(^|/)ops/", header) or header.startswith("ATen"), path


def test_the_ops_know_no_device():
    for path in cpp_sources("ops"):
        for header in includes(path):
            assert not re.search(r"(^|/)(cpu|cuda|autograd)/", header), f"{path}: {header}"


def test_the_kernels_are_compiled_without_torch():
    for path in cpp_sources("loops"):
        for header in includes(path):
            assert not re.match(r"(torch|ATen|c10|caffe2)/", header), f"{path}: {header}"
