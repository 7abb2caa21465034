#include "rank1.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace pyvae {
namespace {

constexpr int64_t kGrain = 8192;  // elements that are worth a thread

// Checked like the ops of the row loop; its own loop is a task.
const RowOp kRank1{"rank1_gaussian_rsample_kl", Kernel::count, {"mean", "log_precision", "u"}, 3};

void check(const Operands& in, const Tensor& seed, int64_t batch_ndim) {
  const auto shape = in[0].sym_sizes();
  check_sample(kRank1, in, seed, shape);
  const char* const* arg = kRank1.args.begin();
  for (size_t i = 1; i < in.size(); ++i)
    if (in[i].sym_sizes() != shape)
      C10_THROW_ERROR(ValueError, c10::str(kRank1.name, ": ", arg[i], " must have the shape ",
                                           shape, " of mean, got ", in[i].sym_sizes()));
  const auto ndim = static_cast<int64_t>(shape.size());
  if (batch_ndim < 0 || batch_ndim > ndim)
    C10_THROW_ERROR(ValueError, c10::str(kRank1.name, ": batch_ndim must be between 0 and ", ndim,
                                         ", the dimensions of the sample, got ", batch_ndim));
  if (seed.dim() == 1 && batch_ndim == 0)
    C10_THROW_ERROR(ValueError,
                    c10::str(kRank1.name, ": a seed for each index of the first dimension needs a ",
                             "batch_ndim of at least 1, got 0"));
}

at::ScalarType sample_dtype(const Operands& in) {
  auto dtype = in[0].scalar_type();
  for (const Tensor& t : in) dtype = c10::promoteTypes(dtype, t.scalar_type());
  return dtype;
}

// One call of the loop, whose rows are whole events.
class Call {
 public:
  Call(const Operands& in, const Tensor& seed, int64_t batch_ndim)
      : given_(in), in_(in), seed_(seed), batch_ndim_(batch_ndim), shape_(in[0].sizes()),
        batch_(shape_.slice(0, batch_ndim)), device_(backend(in[0].device().type())),
        double_(compute_dtype(in) == at::kDouble), empty_(in[0].numel() == 0) {}

  std::tuple<Tensor, Tensor> forward() {
    const auto options = in_[0].options();
    const Tensor z = at::empty(shape_, options.dtype(sample_dtype(in_)));
    const Tensor kl = at::zeros(batch_, options.dtype(double_ ? at::kDouble : at::kFloat));
    if (empty_) return {z, kl};
    Plan plan = planned();
    plan.add(kSample, z);
    Rows rows = plan.rows();
    rows.value = kl.data_ptr();
    run(Task::rank1_gaussian_rsample_kl, rows);
    return {z, kl};
  }

  Grads backward(const Optional& grad_z, const Optional& grad_kl, const Masks<4>& mask) {
    if (empty_) return made(mask, true);
    Plan plan = planned(grad_z);
    Grads grads = made(mask, false);
    if (grad_z) plan.add(kGradSample, incoming_);
    if (grad_kl) plan.add_per_row(kGradValue, *grad_kl);
    for (size_t i = 0; i < grads.size(); ++i)
      if (grads[i].defined()) plan.add(kGrad + static_cast<int>(i), grads[i]);
    Rows rows = plan.rows();
    rows.scale = grad_kl ? 1 : 0;
    run(Task::rank1_gaussian_rsample_kl_backward, rows);
    // In the layout of the operands as they were given.
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!grads[i].defined() || in_[i].is_same(given_[i])) continue;
      const Tensor own = at::empty_like(given_[i]);
      if (own.strides() != grads[i].strides()) grads[i] = own.copy_(grads[i]);
    }
    return grads;
  }

 private:
  // A row's noise is one stretch; operands whose events are not are copied.
  Plan planned(const Optional& grad_z = std::nullopt) {
    if (grad_z) incoming_ = *grad_z;
    Plan plan = aligned();
    if (!plan.event_is_split()) return plan;
    for (Tensor& t : in_) t = t.contiguous();
    if (grad_z) incoming_ = incoming_.contiguous();
    return aligned();
  }
  Plan aligned() const {
    Plan plan(shape_, batch_ndim_, true);
    for (size_t i = 0; i < in_.size(); ++i) plan.add(kInput + static_cast<int>(i), in_[i]);
    plan.add_noise(seed_);
    return plan;
  }
  Grads made(const Masks<4>& mask, bool zero) const {
    Grads grads(in_.size());
    for (size_t i = 0; i < in_.size(); ++i)
      if (mask[i]) grads[i] = zero ? at::zeros_like(in_[i]) : at::empty_like(in_[i]);
    return grads;
  }
  void run(Task task, const Rows& rows) const {
    device_->run_task(task, double_, &rows, rows.rows, std::max<int64_t>(1, kGrain / rows.cols));
  }

  Operands given_, in_;
  Tensor seed_, incoming_;
  int64_t batch_ndim_;
  c10::ArrayRef<int64_t> shape_, batch_;
  const Backend* device_;
  bool double_, empty_;
};

}  // namespace

std::tuple<Tensor, Tensor> rank1_gaussian_rsample_kl(const Tensor& mean,
                                                     const Tensor& log_precision, const Tensor& u,
                                                     const Tensor& seed, int64_t batch_ndim) {
  const Operands in{mean, log_precision, u};
  check(in, seed, batch_ndim);
  if (mean.is_meta()) {
    const auto shape = mean.sym_sizes();
    return {at::empty_symint(shape, mean.options().dtype(sample_dtype(in))),
            at::empty_symint(shape.slice(0, batch_ndim), mean.options().dtype(compute_dtype(in)))};
  }
  return Call(in, seed, batch_ndim).forward();
}

std::tuple<Tensor, Tensor, Tensor, Tensor> rank1_gaussian_rsample_kl_backward(
    const Optional& grad_z, const Optional& grad_kl, const Tensor& mean,
    const Tensor& log_precision, const Tensor& u, const Tensor& seed, int64_t batch_ndim,
    Masks<4> mask) {
  const Operands in{mean, log_precision, u};
  Grads g(in.size());
  if (mean.is_meta()) {
    for (size_t i = 0; i < in.size(); ++i)
      if (mask[i]) g[i] = at::empty_like(in[i]);
  } else {
    g = Call(in, seed, batch_ndim).backward(grad_z, grad_kl, mask);
  }
  return {g[0], g[1], g[2], Tensor()};
}

}  // namespace pyvae
