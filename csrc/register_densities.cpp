// The densities of the row loop as ops: boxed kernels that know a density by its record.
//
//   name(operands, int batch_ndim=1) -> value
//   name(operands, Tensor seed, SymInt[]? shape=None) -> z                       with noise, or
//   name(operands, Tensor seed, SymInt[]? shape=None, int batch_ndim=1) -> (z, value)
// where no shape is that of the first operand.
#include <c10/core/DeviceGuard.h>
#include <c10/util/accumulate.h>

#include "ops/densities.h"
#include "register.h"

namespace pyvae {
namespace {

// The arguments of a call on top of the stack, and what it leaves there instead.
class Frame {
 public:
  Frame(Stack* stack, size_t count) : stack_(stack), first_(stack->size() - count) {}

  const c10::IValue& operator[](size_t i) const { return (*stack_)[first_ + i]; }
  Tensor tensor(size_t i) const { return (*this)[i].isNone() ? Tensor() : (*this)[i].toTensor(); }
  Operands operands(const Signature& op, size_t from) const {
    Operands all;
    for (int32_t i = 0; i < op.count; ++i) all.push_back(tensor(from + i));
    check_defined(op, all);
    return all;
  }
  template <class... Results>
  void give(Results&&... results) const {
    stack_->resize(first_);
    (push(std::forward<Results>(results)), ...);
  }

 private:
  void push(const Tensor& t) const { stack_->emplace_back(t); }
  void push(const Grads& grads) const {
    for (const Tensor& g : grads) push(g);
  }

  Stack* stack_;
  size_t first_;
};

// On the device of its operands, where that is not the host.
c10::OptionalDeviceGuard guard_for(const Operands& in) {
  const bool device = !in[0].is_cpu() && !in[0].is_meta();
  return c10::OptionalDeviceGuard(device ? std::optional(in[0].device()) : std::nullopt);
}

enum class Part { forward, backward, value_grad, value_grad_inplace };

class LogProbKernel final : public c10::OperatorKernel {
 public:
  LogProbKernel(const DensityInfo* density, Part part) : density_(*density), part_(part) {}

  void operator()(const c10::OperatorHandle&, c10::DispatchKeySet, Stack* stack) {
    const size_t n = density_.op.count, grads = part_ == Part::backward;
    const Frame call(stack, grads + n + 1 + (part_ != Part::forward));
    const Operands in = call.operands(density_.op, grads);
    const int64_t batch_ndim = call[grads + n].toInt();
    const auto guard = guard_for(in);
    if (part_ == Part::forward) return call.give(row_value(density_, in, batch_ndim));
    const Mask mask = bools_of(call[grads + n + 1]);
    if (part_ == Part::backward)
      return call.give(row_backward(density_, call.tensor(0), in, batch_ndim, mask));
    Grads made;
    const Tensor value = row_value_grad(density_, in, batch_ndim, mask, {}, std::nullopt, made,
                                        part_ == Part::value_grad_inplace ? 1 : -1);
    call.give(value, made);
  }

 private:
  const DensityInfo& density_;
  Part part_;
};

class SampleKernel final : public c10::OperatorKernel {
 public:
  SampleKernel(const DensityInfo* density, Part part) : density_(*density), part_(part) {}

  void operator()(const c10::OperatorHandle&, c10::DispatchKeySet, Stack* stack) {
    const bool value = density_.sums, backward = part_ == Part::backward;
    const size_t n = density_.op.count, grads = backward ? 1 + value : 0;
    const Frame call(stack, grads + n + 2 + value + backward);
    const Operands in = call.operands(density_.op, grads);
    const Tensor seed = call.tensor(grads + n);
    std::vector<c10::SymInt> given;
    if (!call[grads + n + 1].isNone()) given = call[grads + n + 1].toSymIntVector();
    const c10::SymIntArrayRef shape =
        call[grads + n + 1].isNone() ? in[0].sym_sizes() : c10::SymIntArrayRef(given);
    const int64_t batch_ndim = value ? call[grads + n + 2].toInt() : 0;
    const auto guard = guard_for(in);
    if (!backward) {
      const auto [z, sums] = row_sample(density_, in, seed, shape, batch_ndim);
      return value ? call.give(z, sums) : call.give(z);
    }
    Mask mask = bools_of(call[grads + n + 2 + value]);
    check_mask(density_.op.name, mask, n + 1);
    mask.pop_back();  // the seed has no gradient
    const Tensor grad_value = value ? call.tensor(1) : Tensor();
    call.give(row_sample_backward(density_, call.tensor(0), grad_value, in, seed, shape, batch_ndim,
                                  mask),
              Tensor());
  }

 private:
  const DensityInfo& density_;
  Part part_;
};

template <class Kernel>
torch::CppFunction boxed(const DensityInfo& density, Part part) {
  return torch::CppFunction::makeFromBoxedFunctor(std::make_unique<Kernel>(&density, part));
}

// A batch of log-likelihoods is mostly averaged and negated: then gradients that come with the
// values are ready. With more batch dimensions the incoming gradient is mostly not constant
// (importance weights), and scaling them costs more than making them later.
OnePass log_prob_one_pass(const DensityInfo& density, const Values& args, const Mask& mask,
                          bool worth) {
  Operands in;
  for (int32_t i = 0; i < density.op.count; ++i) in.push_back(args[i].toTensor());
  const auto device = in[0].device().type();
  if (device != c10::DeviceType::CPU && !density.cuda) return OnePass::none;
  const int64_t batch_ndim = args.back().toInt();
  if (worth && (batch_ndim != 1 || in[0].dim() != in[1].dim())) return OnePass::none;
  const OnePass pass = one_pass(density, in, batch_ndim, mask);
  if (pass != OnePass::sums) return pass;
  // Sums may have to be made again, so that the operands must still be there. On a device each
  // block then looks at the incoming gradients of all rows, which very short rows do not repay.
  constexpr int64_t kMostRows = 64;  // for a column
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  const int64_t columns = c10::multiply_integers(shape.begin() + batch_ndim, shape.end());
  return worth && (on_host(device) || shape[0] <= kMostRows * columns) ? pass : OnePass::none;
}

void register_density(Namespace& space, const DensityInfo& density) {
  const bool noise = density.sampled;
  // Data beside parameters of the same event: a log-likelihood.
  const bool log_likelihood = density.op.data == 1 && density.op.full >= 2;
  OpSchema op{density.op.name, "", noise && density.sums ? 2 : 1, log_likelihood, log_likelihood};
  for (int32_t i = 0; i < density.op.count; ++i)
    op.arguments += c10::str(i ? ", " : "", "Tensor ", density.op.operands[i]);
  if (noise) op.arguments += ", Tensor seed, SymInt[]? shape=None";
  if (density.sums) op.arguments += ", int batch_ndim=1";

  const auto implement = [&](Namespace& where, c10::DispatchKey key) {
    const auto kernel = noise ? boxed<SampleKernel> : boxed<LogProbKernel>;
    const auto add = [&](const std::string& name, Part part) {
      where.impl(name, key, kernel(density, part));
    };
    add(op.name, Part::forward);
    add(op.name + "_backward", Part::backward);
    if (op.one_pass) add("_" + op.name + "_value_grad", Part::value_grad);
    if (!op.inplace) return;
    add(op.name + "_inplace", Part::forward);  // without autograd nothing gains from overwriting
    add("_" + op.name + "_value_grad_", Part::value_grad_inplace);
  };
  OpInfo& info = define(space, op, implement, density.cuda);
  if (!op.one_pass) return;
  info.folds_rows = true;
  info.one_pass = [&density](const Values& args, const Mask& mask, bool worth) {
    return log_prob_one_pass(density, args, mask, worth);
  };
  info.refill = [&density](const Tensor& grad, const Values& args, double folded,
                           const Grads& made) {
    Operands in;
    for (int32_t i = 0; i < density.op.count; ++i) in.push_back(args[i].toTensor());
    row_refill(density, grad, in, args.back().toInt(), 1, folded, made);
  };
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  C10_THROW_ERROR(ValueError, c10::str(parts...));
}

void check(const DensityInfo& density, const std::string& where) {
  const Signature& op = density.op;
  if (!op.name || op.count < 1 || op.count > kMaxIn)
    refuse(where, ": a density must have a name and 1 to ", kMaxIn, " operands");
  if (!density.cpu[kPortable])
    refuse(where, ": ", op.name, " has no kernels for the CPU; build it with pyvae_add_densities");
  if (op.full > op.count || op.data > op.count || density.sampled > op.count)
    refuse(where, ": ", op.name, " has ", op.count, " operands, fewer than its kFull, kData or ",
           "kSampled");
  if (!density.sampled && !density.sums)
    refuse(where, ": ", op.name, " has neither a value (kSum) nor a sample (kSampled)");
}

}  // namespace

std::vector<std::string> density_names(const DensityLibrary& library, const std::string& where) {
  if (library.interface != kInterface || library.sizes != kInterfaceSizes)
    refuse(where, " was built for version ", library.interface,
           " of pyvae's interface for densities, and this pyvae has version ", kInterface,
           ": build it again");
  std::vector<std::string> names;
  for (int32_t i = 0; i < library.count; ++i) {
    check(library.densities[i], where);
    names.emplace_back(library.densities[i].op.name);
  }
  return names;
}

std::vector<std::string> register_densities(const std::string& space, const DensityLibrary& library,
                                            const std::string& where) {
  for (const std::string& name : density_names(library, where)) {
    const std::string full = space + "::" + name;
    if (c10::Dispatcher::singleton().findSchema({full, ""}))
      refuse(where, ": there is an op ", full, " already");
  }
  auto* ops = new Namespace(space);  // as long as the process
  for (int32_t i = 0; i < library.count; ++i)
    register_density(*ops, keep_density(library.densities[i]));
  return ops->ops;
}

}  // namespace pyvae
