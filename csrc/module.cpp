// The Python module: build facts only. The ops live in torch.ops.pyvae.
#include <pybind11/pybind11.h>

#include "cpu/run.h"

PYBIND11_MODULE(_C, m) {
  m.doc() = "Native ops of pyvae (see torch.ops.pyvae) and the facts of this build.";
  m.def("instruction_set", [] { return pyvae::cpu::kernels().name; },
        "The instruction set of the CPU kernels in use.");
}
