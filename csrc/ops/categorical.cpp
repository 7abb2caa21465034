#include "categorical.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "check.h"
#include "plan.h"
#include "schedule.h"

namespace pyvae {
namespace {

constexpr const char* kName = "categorical_log_prob";
constexpr int64_t kItem = 16384;     // logits of one item, about
constexpr int64_t kTeamItem = 4096;  // where a team of threads works on it
constexpr int64_t kFewClasses = 8;   // of which vectors along classes would be mostly empty

void check_types(const Tensor& x, const Tensor& logits) {
  const auto dtype = x.scalar_type();
  if (!is_kernel_integer(dtype) || dtype == at::kBool)
    C10_THROW_ERROR(TypeError,
                    c10::str(kName, ": x must be int64, int32, int16 or uint8, got ", dtype));
  if (!is_kernel_float(logits.scalar_type()))
    C10_THROW_ERROR(TypeError,
                    c10::str(kName, ": logits must be float32, float64, bfloat16 or float16, got ",
                             logits.scalar_type()));
  if (x.device() != logits.device())
    C10_THROW_ERROR(ValueError, c10::str(kName, ": logits must be on ", x.device(), " like x, got ",
                                         logits.device()));
  if (logits.dim() == 0 || logits.sym_size(-1) == 0)
    C10_THROW_ERROR(ValueError,
                    c10::str(kName, ": the last dimension of logits must be that of ",
                             "the classes, at least one, got shape ", logits.sym_sizes()));
}

// The shape that x and the logits of one class broadcast to.
template <class I>
Shape<I> positions(const Tensor& x, const Tensor& logits, int64_t batch_ndim) {
  check_types(x, logits);
  const auto all = sizes_of<I>(logits), few = sizes_of<I>(x);
  const auto one = all.slice(0, all.size() - 1);
  const auto m = static_cast<int64_t>(few.size()), n = static_cast<int64_t>(one.size());
  const int64_t ndim = std::max(m, n), event = ndim - batch_ndim;
  if (batch_ndim < 0 || batch_ndim > ndim)
    C10_THROW_ERROR(ValueError, c10::str(kName, ": batch_ndim must be between 0 and ", ndim,
                                         ", the dimensions of x or of logits without their last, ",
                                         "got ", batch_ndim));
  if (m < event || n < event || few.slice(m - event) != one.slice(n - event))
    C10_THROW_ERROR(ValueError, c10::str(kName, ": x of shape ", few, " and logits of shape ", all,
                                         ", the classes last, must have equal event shapes, here ",
                                         "of ", event, " dimensions (batch_ndim=", batch_ndim,
                                         "). Only batch dimensions may be missing or 1"));
  Shape<I> shape(ndim, I(1));
  for (int64_t d = 1; d <= ndim; ++d) {
    const I a = d <= m ? few[m - d] : I(1), b = d <= n ? one[n - d] : I(1);
    if (a != I(1) && b != I(1) && a != b)
      C10_THROW_ERROR(ValueError, c10::str(kName, ": x of shape ", few, " does not broadcast with ",
                                           "logits of shape ", all, ", the classes last"));
    shape[ndim - d] = a == I(1) ? b : a;
  }
  return shape;
}

// One call of the loop.
class Call {
 public:
  Call(const Tensor& x, const Tensor& logits, int64_t batch_ndim)
      : x_(x), given_(logits), logits_(logits), batch_ndim_(batch_ndim),
        shape_(positions<int64_t>(x, logits, batch_ndim)), device_(backend(x.device().type())),
        double_(logits.scalar_type() == at::kDouble),
        item_(device_->limits.teams ? kTeamItem : kItem) {
    for (size_t d = 0; d < shape_.size(); ++d)
      (static_cast<int64_t>(d) < batch_ndim ? values_ : event_) *= shape_[d];
    args_.classes = logits.size(-1);
    args_.index_bytes = static_cast<int>(x.element_size());
    if (logits.stride(-1) != 1 && args_.classes > kMaxPlanes) logits_ = logits.contiguous();
    args_.step = logits_.stride(-1);
    args_.planes = args_.classes <= kFewClasses || args_.step != 1;
  }

  // The value, and the gradient times -1 / values into `grad` where that is defined.
  Tensor forward(const Tensor& grad) {
    const auto options = logits_.options().dtype(double_ ? at::kDouble : at::kFloat);
    const Ints batch = Ints(shape_).slice(0, batch_ndim_);
    if (empty()) return at::zeros(batch, options);
    const Tensor value = at::empty(batch, options);
    lay_out(grad, Tensor(), event_ * args_.classes <= item_);
    Map& r = args_.rows;
    r.scale = -1. / static_cast<double>(values_);
    r.value = value.mutable_data_ptr();
    const int64_t parts = args_.group ? 1 : r.rows / values_ * args_.chunks();
    if (parts == 1) {
      run();
      return value;
    }
    const Tensor partial = at::empty({values_ * parts}, options.dtype(at::kDouble));
    r.value = partial.mutable_data_ptr();
    r.partial = true;
    run();
    device_->sum_groups(partial.const_data_ptr<double>(), values_, parts, double_,
                        value.mutable_data_ptr());
    return value;
  }

  Tensor backward(const Tensor& incoming) {
    if (empty()) return at::zeros_like(given_);
    const Tensor grad = at::empty_like(given_);
    write(incoming, grad);
    return grad;
  }
  // The gradient again in its memory, where it was made for another incoming gradient.
  void refill(const Tensor& incoming, double folded, const Tensor& grad) {
    if (empty()) return;
    args_.rows.ready = folded;
    write(incoming, grad);
  }

  bool empty() const { return values_ * event_ == 0; }

 private:
  void write(const Tensor& incoming, const Tensor& grad) {
    const bool shared = grad.numel() != values_ * event_ * args_.classes;
    lay_out(grad, incoming, !shared && event_ * args_.classes <= item_);
    if (shared) {
      const ReduceColumns last = summed_last(args_.rows, 1);
      static_cast<Rows&>(args_.rows) = last;
      args_.kept = last.kept;
    }
    run();
  }

  // `small`: an item holds several events, so that rows may run on from one to the next.
  void lay_out(const Tensor& grad, const Tensor& incoming, bool small) {
    const auto rows = [&](bool run_on) {
      Plan plan(shape_, batch_ndim_, !run_on);
      plan.read(kInput, x_);
      plan.read(kInput + 1, logits_.select(-1, 0));
      if (grad.defined()) plan.write(kGrad + 1, grad.select(-1, 0));
      if (incoming.defined() && !run_on) plan.read_per_row(kGradValue, incoming);
      return plan.rows();
    };
    Rows& r = args_.rows;
    r = rows(small);
    if (small && r.cols % event_ != 0) r = rows(small = false);
    args_.kept = r.ndim;
    if (grad.defined()) args_.grad_step = grad.stride(-1);
    const int64_t classes = args_.classes;
    if (small) {
      args_.group = event_;
      args_.chunk = item_ / (event_ * classes) * event_;
      if (!incoming.defined()) return;
      incoming_ = incoming.contiguous();
      r.view[kGradValue].data = const_cast<void*>(incoming_.const_data_ptr());
      r.view[kGradValue].dtype = kernel_dtype(incoming_.scalar_type());
      r.view[kGradValue].step = 1;
    } else {
      // Positions beside each other: in vectors, or in a team.
      const int64_t whole = !args_.planes ? 1 : device_->limits.teams ? kClassTeam : 16;
      args_.chunk = std::max<int64_t>(1, item_ / classes / whole) * whole;
    }
  }

  void run() const {
    const Rows& r = args_.rows;
    int64_t kept = 1;
    for (int d = 0; d < args_.kept; ++d) kept *= r.sizes[d];
    const int64_t items = kept * args_.chunks();
    const int64_t weight = r.rows * r.cols * args_.classes / items;
    device_->run(tasks::categorical_log_prob, double_, args_, items,
                 std::max<int64_t>(1, item_ / std::max<int64_t>(1, weight)));
  }

  Tensor x_, given_, logits_, incoming_;
  int64_t batch_ndim_, values_ = 1, event_ = 1;
  Shape<int64_t> shape_;
  const Backend* device_;
  bool double_;
  int64_t item_;
  ClassRows args_;
};

}  // namespace

Tensor categorical_log_prob(const Tensor& x, const Tensor& logits, int64_t batch_ndim) {
  if (!logits.is_meta() || !x.is_meta()) return Call(x, logits, batch_ndim).forward(Tensor());
  const auto shape = positions<c10::SymInt>(x, logits, batch_ndim);
  const auto dtype = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::empty_symint(c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                          logits.options().dtype(dtype));
}

std::tuple<Tensor, Tensor> categorical_log_prob_backward(const Optional& grad, const Tensor& x,
                                                         const Tensor& logits, int64_t batch_ndim,
                                                         Masks<2> mask) {
  const auto shape = positions<c10::SymInt>(x, logits, batch_ndim);
  check_gradient(kName, "grad", grad.value_or(Tensor()),
                 c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                 logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat, x);
  if (!mask[1]) return {Tensor(), Tensor()};
  if (logits.is_meta()) return {Tensor(), at::empty_like(logits)};
  return {Tensor(), Call(x, logits, batch_ndim).backward(*grad)};
}

bool categorical_one_pass(const Tensor& x, const Tensor& logits, int64_t batch_ndim) {
  const auto shape = positions<c10::SymInt>(x, logits, batch_ndim);
  return logits.sym_sizes().slice(0, logits.dim() - 1) == c10::SymIntArrayRef(shape);
}

void categorical_refill(const Tensor& grad, const Tensor& x, const Tensor& logits,
                        int64_t batch_ndim, double folded, const Tensor& made) {
  Call(x, logits, batch_ndim).refill(grad, folded, made);
}

template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor> categorical_log_prob_value_grad(const Tensor& x,
                                                                   const Tensor& logits,
                                                                   int64_t batch_ndim,
                                                                   Masks<2> mask) {
  Tensor grad;
  if (mask[1]) grad = kInplace ? logits : at::empty_like(logits);
  const Tensor given = kInplace ? Tensor() : grad;
  if (logits.is_meta()) return {categorical_log_prob(x, logits, batch_ndim), Tensor(), given};
  TORCH_CHECK(categorical_one_pass(x, logits, batch_ndim), kName,
              ": logits that are broadcast have no gradient in one pass");
  return {Call(x, logits, batch_ndim).forward(grad), Tensor(), given};
}
template decltype(categorical_log_prob_value_grad<false>) categorical_log_prob_value_grad<false>;
template decltype(categorical_log_prob_value_grad<true>) categorical_log_prob_value_grad<true>;

}  // namespace pyvae
