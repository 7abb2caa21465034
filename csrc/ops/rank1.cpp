#include "rank1.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "plan.h"
#include "row_op.h"

namespace pyvae {
namespace {

constexpr int64_t kGrain = 8192;  // elements that are worth a thread

constexpr const char* kOperands[] = {"mean", "log_precision", "u"};
constexpr Signature kRank1{"rank1_gaussian_rsample_kl", kOperands, 3, 3, 0};

void check(const Operands& in, const Tensor& seed, int64_t batch_ndim) {
  const auto shape = in[0].sym_sizes();
  check_sample(kRank1, in, seed, shape);
  const char* const* arg = kRank1.operands;
  for (size_t i = 1; i < in.size(); ++i)
    if (in[i].sym_sizes() != shape)
      C10_THROW_ERROR(ValueError, c10::str(kRank1.name, ": ", arg[i], " must have the shape ",
                                           shape, " of mean, got ", in[i].sym_sizes()));
  check_batch_ndim(kRank1.name, batch_ndim, static_cast<int64_t>(shape.size()), "the sample");
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
    plan.write(kSample, z);
    Map rows;
    static_cast<Rows&>(rows) = plan.rows();
    rows.value = kl.mutable_data_ptr();
    run(tasks::rank1_gaussian_rsample_kl, rows);
    return {z, kl};
  }

  Grads backward(const Optional& grad_z, const Optional& grad_kl, const Masks<4>& mask) {
    if (empty_) return made(mask, true);
    Plan plan = planned(grad_z);
    Grads grads = made(mask, false);
    if (grad_z) plan.read(kGradSample, incoming_);
    if (grad_kl) plan.read_per_row(kGradValue, *grad_kl);
    for (size_t i = 0; i < grads.size(); ++i)
      if (grads[i].defined()) plan.write(kGrad + static_cast<int>(i), grads[i]);
    Map rows;
    static_cast<Rows&>(rows) = plan.rows();
    rows.scale = grad_kl ? 1 : 0;
    run(tasks::rank1_gaussian_rsample_kl_backward, rows);
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
    for (size_t i = 0; i < in_.size(); ++i) plan.read(kInput + static_cast<int>(i), in_[i]);
    plan.read_noise(seed_);
    return plan;
  }
  Grads made(const Masks<4>& mask, bool zero) const {
    Grads grads(in_.size());
    for (size_t i = 0; i < in_.size(); ++i)
      if (mask[i]) grads[i] = zero ? at::zeros_like(in_[i]) : at::empty_like(in_[i]);
    return grads;
  }
  void run(const Task<Map>& task, const Map& rows) const {
    device_->run(task, double_, rows, rows.rows, std::max<int64_t>(1, kGrain / rows.cols));
  }

  Operands given_, in_;
  Tensor seed_, incoming_;
  int64_t batch_ndim_;
  Ints shape_, batch_;
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
  check(in, seed, batch_ndim);
  const auto shape = mean.sym_sizes();
  if (grad_z) check_gradient(kRank1.name, "grad_z", *grad_z, shape, sample_dtype(in), mean);
  if (grad_kl)
    check_gradient(kRank1.name, "grad_value", *grad_kl, shape.slice(0, batch_ndim),
                   compute_dtype(in), mean);
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
