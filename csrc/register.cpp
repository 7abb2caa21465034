#include "register.h"

#include <deque>

#include "autograd/kernels.h"

namespace pyvae {
namespace {

// All that was ever defined, which is used until the process ends.
std::deque<OpInfo>& infos() {
  static auto* all = new std::deque<OpInfo>;
  return *all;
}

using AutogradKernel = void (*)(const OpInfo&, const c10::OperatorHandle&, c10::DispatchKeySet,
                                Stack*);
class Autograd final : public c10::OperatorKernel {
 public:
  Autograd(AutogradKernel kernel, const OpInfo* info) : kernel_(kernel), info_(info) {}
  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
    kernel_(*info_, op, keys, stack);
  }

 private:
  AutogradKernel kernel_;
  const OpInfo* info_;
};

// "int batch_ndim=1" -> "int batch_ndim": arguments that have others after them take no default.
std::string strip_defaults(std::string arguments) {
  size_t at;
  while ((at = arguments.find('=')) != std::string::npos)
    arguments.erase(at, std::min(arguments.find(',', at), arguments.size()) - at);
  return arguments;
}
// "Tensor x, Tensor logits" -> "Tensor x, Tensor(a!) logits"
std::string mark_written(std::string arguments) {
  arguments.insert(arguments.find("Tensor ", arguments.find(',')) + 6, "(a!)");
  return arguments;
}
std::string tensors(size_t count) {
  if (count == 1) return "Tensor";
  std::string all = "(Tensor";
  for (size_t i = 1; i < count; ++i) all += ", Tensor";
  return all + ")";
}

}  // namespace

Namespace::Namespace(const std::string& given)
    : name(given), library(torch::Library::FRAGMENT, given, std::nullopt, __FILE__, __LINE__) {}

void Namespace::impl(const std::string& op, c10::DispatchKey key, torch::CppFunction&& kernel) {
  library.impl(op.c_str(), torch::dispatch(key, std::move(kernel)));
}

OpInfo& define(Namespace& space, const OpSchema& op, const Implement& implement, bool on_cuda) {
  torch::Library& library = space.library;
  space.ops.push_back(op.name);
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  const auto text = [](const auto&... parts) { return torch::schema(c10::str(parts...).c_str()); };
  const std::string results = tensors(op.results), plain = strip_defaults(op.arguments);
  const auto forward = text(op.name, "(", op.arguments, ") -> ", results);
  size_t count = 0;  // tensor arguments
  for (const auto& argument : forward.arguments())
    count += argument.type()->isSubtypeOf(*c10::OptionalType::ofTensor());
  const std::string grads = op.results == 1 ? "Tensor? grad" : op.grads;
  const std::string mask = c10::str("bool[", count, "] mask");

  library.def(text(op.name, "(", op.arguments, ") -> ", results), tags);
  library.def(text(op.name, "_reference(", op.arguments, ") -> ", results), tags);
  library.def(text(op.name, "_backward(", grads, ", ", plain, ", ", mask, ") -> ", tensors(count)),
              tags);
  if (op.one_pass)
    library.def(
        text("_", op.name, "_value_grad(", plain, ", ", mask, ") -> ", tensors(op.results + count)),
        tags);
  if (op.inplace) {
    library.def(text(op.name, "_inplace(", mark_written(plain), ") -> ", results), tags);
    library.def(text("_", op.name, "_value_grad_(", mark_written(plain), ", ", mask, ") -> ",
                     tensors(op.results + count)),
                tags);
  }
  implement(space, c10::DispatchKey::CPU);
  implement(space, c10::DispatchKey::Meta);
  if (on_cuda) implement(space, c10::DispatchKey::CUDA);

  const auto find = [&](const std::string& name) {
    return c10::Dispatcher::singleton().findSchemaOrThrow((space.name + "::" + name).c_str(), "");
  };
  OpInfo& info = infos().emplace_back(
      OpInfo{op.name, forward.arguments().size(), count, forward.returns().size(), find(op.name),
             find(op.name + "_backward"), find(op.name + "_reference")});
  if (op.one_pass) info.value_grad = find("_" + op.name + "_value_grad");
  if (op.inplace) info.value_grad_inplace = find("_" + op.name + "_value_grad_");
  const auto join = [&](const std::string& name, AutogradKernel kernel) {
    space.impl(name, c10::DispatchKey::Autograd,
               torch::CppFunction::makeFromBoxedFunctor(std::make_unique<Autograd>(kernel, &info)));
  };
  join(op.name, autograd_forward);
  join(op.name + "_backward", autograd_backward);
  if (op.inplace) join(op.name + "_inplace", autograd_inplace);
  return info;
}

}  // namespace pyvae
