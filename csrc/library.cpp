// Registers every op of ops/all.h with the dispatcher.
#include <torch/library.h>

#include "autograd.h"
#include "cuda/device.h"
#include "ops/all.h"

namespace pyvae {
namespace {

template <class... Parts>
c10::FunctionSchema schema(const Parts&... parts) {
  return torch::schema(c10::str(parts...).c_str());
}

// "int batch_ndim=1" -> "int batch_ndim": arguments that have others after them take no default.
std::string strip_defaults(std::string args) {
  size_t at;
  while ((at = args.find('=')) != std::string::npos)
    args.erase(at, std::min(args.find(',', at), args.size()) - at);
  return args;
}

TORCH_LIBRARY(pyvae, m) {
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
#define PYVAE_DEFINE(name, args, results, grads, mask, gradients)                                  \
  m.def(schema(#name "(", args, ") -> ", results), tags);                                          \
  m.def(schema(#name "_reference(", args, ") -> ", results), tags);                                \
  m.def(schema(#name "_backward(", grads, ", ", strip_defaults(args), ", ", mask, ") -> ",         \
               gradients),                                                                         \
        tags);
  PYVAE_OPS(PYVAE_DEFINE)
#undef PYVAE_DEFINE
#define PYVAE_DEFINE(name, args, results)                                                          \
  m.def(schema("_" #name "_value_grad(", args, ") -> ", results), tags);
  PYVAE_ONE_PASS_OPS(PYVAE_DEFINE)
#undef PYVAE_DEFINE
#define PYVAE_DEFINE(name, args, mask, results, gradients)                                         \
  m.def(schema(#name "_inplace(", args, ") -> ", results), tags);                                  \
  m.def(schema("_" #name "_value_grad_(", args, ", ", mask, ") -> ", gradients), tags);
  PYVAE_INPLACE_OPS(PYVAE_DEFINE)
#undef PYVAE_DEFINE
}

// One function serves every device: on meta tensors it stops after the shapes.
template <auto fn>
struct Plainly {
  static constexpr auto call = fn;
};
template <template <auto> class On>
void register_kernels(torch::Library& m) {
#define PYVAE_IMPLEMENT(name, ...)                                                                 \
  m.impl(#name, On<name>::call);                                                                   \
  m.impl(#name "_backward", On<name##_backward>::call);
  PYVAE_OPS(PYVAE_IMPLEMENT)
#undef PYVAE_IMPLEMENT
#define PYVAE_IMPLEMENT(name, ...)                                                                 \
  m.impl("_" #name "_value_grad", On<name##_value_grad<false>>::call);
  PYVAE_ONE_PASS_OPS(PYVAE_IMPLEMENT)
#undef PYVAE_IMPLEMENT
  // Without autograd there is nothing to gain from overwriting.
#define PYVAE_IMPLEMENT(name, ...)                                                                 \
  m.impl(#name "_inplace", On<name>::call);                                                        \
  m.impl("_" #name "_value_grad_", On<name##_value_grad<true>>::call);
  PYVAE_INPLACE_OPS(PYVAE_IMPLEMENT)
#undef PYVAE_IMPLEMENT
}
TORCH_LIBRARY_IMPL(pyvae, CPU, m) { register_kernels<Plainly>(m); }
TORCH_LIBRARY_IMPL(pyvae, Meta, m) { register_kernels<Plainly>(m); }
// Without CUDA kernels these tensors are left to the reference.
#if defined(PYVAE_CUDA)
TORCH_LIBRARY_IMPL(pyvae, CUDA, m) { register_kernels<OnDevice>(m); }
#endif

TORCH_LIBRARY_IMPL(pyvae, Autograd, m) {
#define PYVAE_JOIN(name, ...)                                                                      \
  m.impl(#name, torch::CppFunction::makeFromBoxedFunction<&autograd_forward>());                   \
  m.impl(#name "_backward", torch::CppFunction::makeFromBoxedFunction<&autograd_backward>());
  PYVAE_OPS(PYVAE_JOIN)
#undef PYVAE_JOIN
#define PYVAE_JOIN(name, ...)                                                                      \
  m.impl(#name "_inplace", torch::CppFunction::makeFromBoxedFunction<&autograd_inplace>());
  PYVAE_INPLACE_OPS(PYVAE_JOIN)
#undef PYVAE_JOIN
}

}  // namespace
}  // namespace pyvae
