// How ops reach the dispatcher: an op is its arguments and results as a schema, and what to do. The
// rest follows by name. An op `name` has
//   name_backward(incoming gradients, arguments, mask): a gradient for each tensor argument;
//   name_reference(arguments): its differentiable specification, which Python supplies;
//   _name_value_grad(arguments, mask), where one pass pays: value and gradients;
//   name_inplace(arguments) and _name_value_grad_(arguments, mask), where the gradient of argument
//   1
//     may take that argument's storage. It is a permission: where it cannot be honoured the former
//     is `name`; the latter does it, and does not return that gradient.
#pragma once

#include <torch/library.h>

#include "autograd/op_info.h"
#include "plugin.h"

namespace pyvae {

// What an op says of itself.
struct OpSchema {
  std::string name, arguments;
  int results = 1;
  bool one_pass = false, inplace = false;
  std::string grads = "Tensor? grad_z, Tensor? grad_value";  // incoming, where results are two
};

// Where ops are defined: torch.ops.<name>.
struct Namespace {
  std::string name;
  torch::Library library;
  std::vector<std::string> ops;  // defined through this

  explicit Namespace(const std::string& name);
  void impl(const std::string& op, c10::DispatchKey key, torch::CppFunction&& kernel);
};

// Adds the kernels of one dispatch key, by the names above.
using Implement = std::function<void(Namespace& space, c10::DispatchKey key)>;

// Defines an op and joins it to its derivative. `on_cuda`: with kernels of CUDA.
OpInfo& define(Namespace& space, const OpSchema& schema, const Implement& implement, bool on_cuda);

// The names of the densities of a library, checked as register_densities does.
std::vector<std::string> density_names(const DensityLibrary& library, const std::string& where);
// The densities of a library as ops of the namespace; raises ValueError, naming the library
// `where`, if it cannot be used. Returns their names.
std::vector<std::string> register_densities(const std::string& space, const DensityLibrary& library,
                                            const std::string& where);
// The ops whose loops are tasks, likewise.
std::vector<std::string> register_task_ops();

}  // namespace pyvae
