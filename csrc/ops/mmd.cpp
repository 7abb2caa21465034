#include "mmd.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "../loops/pairs.h"
#include "pair_op.h"

namespace pyvae {
namespace {

constexpr const char* kOperands[] = {"x", "y", "scales"};
constexpr Signature kOp{"mmd", kOperands, 3, 0, 2};

void check(const Operands& in, bool unbiased) {
  check_operands(kOp, in);
  const auto refuse = [](const auto&... parts) {
    C10_THROW_ERROR(ValueError, c10::str("mmd: ", parts...));
  };
  const auto x = in[0].sym_sizes(), y = in[1].sym_sizes(), scales = in[2].sym_sizes();
  const int64_t least = unbiased ? 2 : 1;
  if (x.size() != 2 || x[0] < least || x[1] < 1)
    refuse("x must have shape (B, d) with B at least ", least, unbiased ? " (unbiased)" : "",
           " and d at least 1, got ", x);
  if (y.size() != 2 || y[0] < least || y[1] != x[1])
    refuse("y must have shape (C, d) with C at least ", least, unbiased ? " (unbiased)" : "",
           " and the d = ", x[1], " of x, got ", y);
  if (scales.size() != 1 || scales[0] < 1 || scales[0] > kMaxScales)
    refuse("scales must be 1 to ", kMaxScales, " numbers, got shape ", scales);
  if (in[2].requires_grad()) refuse("scales have no gradient, got one that requires grad");
}

struct Call {
  Discrepancy task;
  const Backend* device;
  bool is_double;

  Call(const Operands& in, bool unbiased)
      : device(backend(in[0].device().type())),
        is_double(compute_dtype({in[0], in[1]}) == at::kDouble) {
    for (int k = 0; k < 2; ++k) {
      task.sample[k] = read_matrix(in[k]);
      task.rows[k] = in[k].size(0);
      const auto n = static_cast<double>(task.rows[k]);
      task.within[k] = 1 / (n * (unbiased ? n - 1 : n));
    }
    task.between = -2 / (static_cast<double>(task.rows[0]) * static_cast<double>(task.rows[1]));
    task.columns = in[0].size(1);
    task.scales = read_matrix(in[2].unsqueeze(0));
    task.num_scales = static_cast<int>(in[2].size(0));
    task.skip_self = unbiased;
  }
  void run(const Task<Discrepancy>& kind, int64_t items) const {
    device->run(kind, is_double, task, items,
                owner_grain(std::max(task.rows[0], task.rows[1]), task.columns));
  }
};

}  // namespace

Tensor mmd(const Tensor& x, const Tensor& y, const Tensor& scales, bool imq, bool unbiased) {
  check({x, y, scales}, unbiased);
  const Tensor value = at::empty({}, x.options().dtype(compute_dtype({x, y})));
  if (value.is_meta()) return value;
  Call call({x, y, scales}, unbiased);
  int64_t items = 2 * owner_tiles(x.size(0)) + owner_tiles(y.size(0));
  if (call.device->limits.teams) {
    call.task.parts = discrepancy_parts(call.task);
    items = discrepancy_items(call.task) * call.task.parts;
  }
  const Tensor partial = at::empty({items}, x.options().dtype(at::kDouble));
  call.task.partial = partial.data_ptr<double>();
  call.run(imq ? tasks::mmd_imq : tasks::mmd_rbf, items);
  call.device->sum_groups(call.task.partial, 1, items, call.is_double, value.mutable_data_ptr());
  return value;
}

std::tuple<Tensor, Tensor, Tensor> mmd_backward(const Optional& grad, const Tensor& x,
                                                const Tensor& y, const Tensor& scales, bool imq,
                                                bool unbiased, Masks<3> mask) {
  check({x, y, scales}, unbiased);
  check_gradient(kOp.name, "grad", grad.value_or(Tensor()), {}, compute_dtype({x, y}), x);
  Tensor out[2];
  const Tensor sample[] = {x, y};
  for (int k = 0; k < 2; ++k)
    if (mask[k]) out[k] = at::empty_like(sample[k]);
  if (!x.is_meta() && (mask[0] || mask[1])) {
    // Symmetric in the samples: the first has a gradient.
    const int first = mask[0] ? 0 : 1, second = 1 - first;
    Call call({sample[first], sample[second], scales}, unbiased);
    call.task.grad_value = read_matrix(grad->reshape({1, 1}));
    call.task.grad[0] = written_matrix(out[first]);
    int64_t items = owner_tiles(call.task.rows[0]);
    if (mask[second]) {
      call.task.grad[1] = written_matrix(out[second]);
      items += owner_tiles(call.task.rows[1]);
    }
    Tensor scratch;
    if (call.device->limits.teams) {
      call.task.parts = discrepancy_gradient_parts(call.task);
      scratch = pair_scratch(x, discrepancy_scratch(call.task), call.is_double);
      call.task.scratch = scratch.data_ptr();
    }
    call.run(imq ? tasks::mmd_imq_gradient : tasks::mmd_rbf_gradient, items);
  }
  return {out[0], out[1], Tensor()};
}

}  // namespace pyvae
