"""Densities from other packages, and from a header in a notebook.

A density is a C++ header of some thirty lines (``pyvae/density.h`` says what it holds) and a
reference in plain PyTorch that says what it means. From these come an op with everything that
pyvae's own ops have: kernels for every instruction set, and for CUDA where nvcc is; gradients with
the value in one pass; higher derivatives, ``torch.compile``, ``vmap``, any mixture of dtypes,
broadcasting, and the same bits for any number of threads.

A package builds its header with CMake (``find_package(pyvae)``, ``pyvae_add_densities``) and loads
the library by :func:`load_library`; a notebook compiles it by :func:`load_density`.
"""

from ._compile import cmake_dir, get_include, load_density
from ._library import load_library

__all__ = ["cmake_dir", "get_include", "load_density", "load_library"]
