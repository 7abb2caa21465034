"""Densities of other packages: compiled from a header, refused with a sentence, fused like ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import pyvae
from pyvae import extension

HEADER = """
#include <pyvae/density.h>

namespace pyvae::inline PYVAE_ISA {{

// x times a number, by an exponential law: log p = {sign}(s - x exp(s)).
struct {name} : Density {{
  static constexpr const char* kName = "{op}";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {{"x", "log_rate"}};
  static constexpr int kFull = 2, kData = 1;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {{
    const V rate = exp(c.in[1]);
    c.grad[0] = {sign}rate;
    c.grad[1] = V(1) - c.in[0] * rate;
    return {{c.in[1] - c.in[0] * rate{broken}, V(1)}};
  }}
}};

}}  // namespace pyvae::inline PYVAE_ISA

PYVAE_DENSITY({name})
"""


def exponential(x, log_rate, batch_ndim=1):
    """log p(x) = log_rate - x exp(log_rate)."""
    double = torch.float64 in (x.dtype, log_rate.dtype)
    x, log_rate = (t.to(torch.float64 if double else torch.float32) for t in (x, log_rate))
    return (log_rate - x * log_rate.exp()).flatten(batch_ndim).sum(-1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    if not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("needs a C++ compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYVAE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.mktemp("headers")


def write(folder, name="Exponential", op="exponential_log_prob", sign="-", broken=""):
    path = folder / f"{op}.h"
    path.write_text(HEADER.format(name=name, op=op, sign=sign, broken=broken))
    return path


@pytest.fixture(scope="module")
def log_prob(cache):
    return extension.load_density(write(cache), exponential, verbose=False)


def test_where_things_are():
    assert (Path(pyvae.get_include()) / "pyvae" / "density.h").is_file()
    assert (Path(pyvae.cmake_dir()) / "pyvaeConfig.cmake").is_file()


def test_values_and_gradients(log_prob):
    x = torch.rand(3, 5, dtype=torch.float64)
    s = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert_close(log_prob(x, s), exponential(x, s))
    (ours,) = torch.autograd.grad(log_prob(x, s).sum(), s)
    (truth,) = torch.autograd.grad(exponential(x, s).sum(), s)
    assert_close(ours, truth)
    assert torch.autograd.gradgradcheck(lambda s: log_prob(x, s), s)


def test_the_function_is_one_of_python(log_prob):
    assert log_prob.__name__ == "exponential_log_prob"
    assert log_prob.__doc__ == exponential.__doc__
    x = torch.rand(3, 5)
    assert_close(log_prob(x, log_rate=torch.zeros(3, 5)), -x.sum(1))
    for call in (lambda: log_prob(x), lambda: log_prob(x, x, x), lambda: log_prob(x, x, x=x)):
        with pytest.raises(TypeError, match="takes x, log_rate, once each"):
            call()
    with pytest.raises(TypeError, match="one operand at least must be a tensor"):
        log_prob(1.0, 2.0)
    with pytest.raises(ValueError, match="exponential_log_prob: log_rate of shape"):
        log_prob(x, torch.zeros(4))


def test_gradients_in_place(log_prob):
    x, s = torch.rand(3, 5), torch.randn(3, 5, requires_grad=True)
    layer = s * 1
    (-log_prob(x, layer, inplace=True).mean()).backward()
    (truth,) = torch.autograd.grad(-exponential(x, s).mean(), s)
    assert_close(s.grad, truth)
    assert_close(layer.detach(), truth)  # the gradient lies where the layer's output was


def test_what_is_compiled_is_kept(log_prob, cache, capfd):
    again = extension.load_density(write(cache), exponential)
    assert again is log_prob
    assert capfd.readouterr().err == ""


def test_an_edited_header_is_another_density(log_prob, cache, capfd):
    path = write(cache, name="Other")
    other = extension.load_density(path, exponential)
    assert other is not log_prob
    said = capfd.readouterr().err
    assert said.startswith("pyvae: compiling exponential_log_prob.h ...")
    x = torch.rand(3, 5)
    assert_close(other(x, torch.zeros(3, 5)), log_prob(x, torch.zeros(3, 5)))


def test_a_header_that_does_not_compile_shows_why(cache):
    path = write(cache, op="broken_log_prob", broken=" + no_such_function(rate)")
    with pytest.raises(RuntimeError, match=r"does not compile:(?s:.*)no_such_function"):
        extension.load_density(path, exponential, verbose=False)


def test_a_header_without_a_density(tmp_path):
    empty = tmp_path / "empty.h"
    empty.write_text("#pragma once\n")
    with pytest.raises(ValueError, match=r"must hold one PYVAE_DENSITY\(name\), got 0"):
        extension.load_density(empty, exponential)


def test_what_is_no_library(tmp_path):
    file = tmp_path / "library.so"
    file.write_bytes(b"nothing")
    with pytest.raises(ImportError, match="is no library of densities"):
        extension.load_library(file, {}, namespace="mine")
    with pytest.raises(ValueError, match="namespace must be a Python identifier other than pyvae"):
        extension.load_library(file, {}, namespace="pyvae")


def built(cache):
    """The library of the fixture, as a package has it."""
    import os

    return next(Path(os.environ["PYVAE_CACHE"]).glob("*/density.so"))


def test_each_density_needs_a_reference(log_prob, cache):
    with pytest.raises(ValueError, match="references must have a function for exponential_log"):
        extension.load_library(built(cache), {}, namespace="without_reference")
    assert not hasattr(torch.ops.without_reference, "exponential_log_prob")


def test_an_op_is_registered_once(log_prob, cache):
    given = {"exponential_log_prob": exponential}
    extension.load_library(built(cache), given, namespace="twice")
    with pytest.raises(ValueError, match="there is an op twice::exponential_log_prob already"):
        extension.load_library(built(cache), given, namespace="twice")


def test_another_version_of_the_interface_is_refused():
    import ctypes

    from pyvae import _native

    record = (ctypes.c_int32 * 8)(_native.interface + 1, 0)

    @ctypes.CFUNCTYPE(ctypes.c_void_p)
    def densities():
        return ctypes.addressof(record)

    address = ctypes.cast(densities, ctypes.c_void_p).value
    with pytest.raises(ValueError, match=r"lib\.so was built for version \d+ .* build it again"):
        _native.register_densities("other", address, "lib.so")
