// The Python module: build facts only. The ops live in torch.ops.pyvae.
#include <pybind11/pybind11.h>

#include <c10/util/Exception.h>

#include "cpu/run.h"

PYBIND11_MODULE(_C, m) {
  m.doc() = "Native ops of pyvae (see torch.ops.pyvae) and the facts of this build.";
  m.def(
      "instruction_set",
      [] {
        try {
          return pyvae::cpu::kernels().name;
        } catch (const c10::Error& error) {
          throw pybind11::value_error(error.what_without_backtrace());
        }
      },
      "The instruction set of the CPU kernels in use.");
}
