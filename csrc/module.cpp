// The Python module PYVAE_MODULE: what Python needs beside torch.ops, which holds the ops.
#include <c10/util/Exception.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/run.h"
#include "register.h"

extern "C" pyvae_densities_fn pyvae_densities;  // those of the library of kernels

PYBIND11_MODULE(PYVAE_MODULE, m) {
  m.doc() = "The native ops of pyvae (see torch.ops.pyvae), for one version of torch.";
  std::vector<std::string> ops = pyvae::register_densities("pyvae", *pyvae_densities(), "pyvae");
  for (std::string& name : pyvae::register_task_ops()) ops.push_back(std::move(name));
  m.attr("ops") = pybind11::cast(ops);  // their names

  const auto in_python = [](const auto& function) {  // as ValueError
    try {
      return function();
    } catch (const c10::Error& error) {
      throw pybind11::value_error(error.what_without_backtrace());
    }
  };
  m.def(
      "instruction_set",
      [in_python] { return in_python([] { return pyvae::cpu::name_of(pyvae::cpu::isa()); }); },
      "The instruction set of the CPU kernels in use.");
  m.def(
      "density_names",
      [in_python](uintptr_t exported, const std::string& where) {
        const auto densities = reinterpret_cast<pyvae_densities_fn*>(exported);
        return in_python([&] { return pyvae::density_names(*densities(), where); });
      },
      pybind11::arg("exported"), pybind11::arg("where"),
      "The names of the densities of a loaded library, by the address of its pyvae_densities.");
  m.def(
      "register_densities",
      [in_python](const std::string& space, uintptr_t exported, const std::string& where) {
        const auto densities = reinterpret_cast<pyvae_densities_fn*>(exported);
        return in_python([&] { return pyvae::register_densities(space, *densities(), where); });
      },
      pybind11::arg("namespace"), pybind11::arg("exported"), pybind11::arg("where"),
      "Makes ops of the densities of a loaded library, by the address of its pyvae_densities. "
      "Returns "
      "their names.");
  m.attr("interface") = pyvae::kInterface;
}
