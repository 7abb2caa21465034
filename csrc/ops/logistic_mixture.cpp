#include "logistic_mixture.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "check.h"
#include "plan.h"

namespace pyvae {
namespace {

using Batch = Shape<c10::SymInt>;
constexpr const char* kName = "discretized_logistic_mixture_log_prob";
constexpr int64_t kImage = 3;  // dimensions of an image: channels, height, width

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  C10_THROW_ERROR(ValueError, c10::str(kName, ": ", parts...));
}

void check_types(const Tensor& x, const Tensor& params) {
  const auto of_x = x.scalar_type(), of_params = params.scalar_type();
  if (of_x == at::kBool || (!is_kernel_integer(of_x) && !is_kernel_float(of_x)))
    C10_THROW_ERROR(TypeError,
                    c10::str(kName, ": x must be integers (levels 0 to 255) or float32, ",
                             "float64, bfloat16 or float16 (scaled to [-1, 1]), got ", of_x));
  if (!is_kernel_float(of_params))
    C10_THROW_ERROR(
        TypeError,
        c10::str(kName, ": params must be float32, float64, bfloat16 or float16, got ", of_params));
  if (params.device() != x.device())
    refuse("params must be on ", x.device(), " like x, got ", params.device());
}

int64_t planes_of(int64_t channels) { return channels == 1 ? 3 : 10; }

// Checks, and the batch dimensions that x and params broadcast to.
Batch batch_of(const Tensor& x, const Tensor& params, int64_t mixtures, int64_t batch_ndim) {
  check_types(x, params);
  const auto of_x = x.sym_sizes(), of_params = params.sym_sizes();
  if (mixtures < 1 || mixtures > kMaxComponents)
    refuse("num_mixtures must be between 1 and ", kMaxComponents, ", got ", mixtures);
  if (x.dim() < kImage || (x.sym_size(-3) != 1 && x.sym_size(-3) != 3))
    refuse("x must have shape (*batch, 1, H, W) or (*batch, 3, H, W), got shape ", of_x);
  const int64_t per_component = planes_of(x.sym_size(-3) == 1 ? 1 : 3);
  const int64_t planes = per_component * mixtures;
  if (params.dim() < kImage || params.sym_size(-3) != planes ||
      params.sym_size(-2) != x.sym_size(-2) || params.sym_size(-1) != x.sym_size(-1))
    refuse("params must have shape (*batch, ", planes, ", ", x.sym_size(-2), ", ", x.sym_size(-1),
           "), ", per_component, " planes for each of ", mixtures, " mixtures of ",
           per_component == 3 ? "one channel" : "three channels", ", got shape ", of_params,
           " for x of shape ", of_x);
  Batch batch(std::max(x.dim(), params.dim()) - kImage, c10::SymInt(1));
  for (const auto& sizes : {of_x, of_params}) {
    const size_t shift = batch.size() + kImage - sizes.size();
    for (size_t d = 0; d + kImage < sizes.size(); ++d) {
      c10::SymInt& out = batch[d + shift];
      if (out == 1)
        out = sizes[d];
      else if (sizes[d] != 1 && sizes[d] != out)
        refuse("params of shape ", of_params, " do not broadcast with x of shape ", of_x);
    }
  }
  const auto dims = static_cast<int64_t>(batch.size());
  if (batch_ndim < 0 || batch_ndim > dims)
    refuse("batch_ndim must be between 0 and ", dims,
           ", the dimensions in front of (C, H, W), got ", batch_ndim);
  if (dims > kMaxDims) refuse("at most ", kMaxDims, " batch dimensions, got x of shape ", of_x);
  return batch;
}

// Whether pixels follow each other at one distance, row after row.
bool has_planes(const Tensor& t) {
  return t.size(-2) == 1 || t.size(-1) == 1 || t.stride(-2) == t.size(-1) * t.stride(-1);
}
int64_t pixel_step(const Tensor& t) { return t.size(-1) == 1 ? t.stride(-2) : t.stride(-1); }

int64_t product(Ints sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}

// Along batch dimension d of `dims`; 0 where t is broadcast.
int64_t batch_stride(const Tensor& t, int64_t d, int64_t dims) {
  const int64_t own = d - dims + t.dim() - kImage;
  return own < 0 || t.size(own) == 1 ? 0 : t.stride(own);
}

// One call of the loop over planes being put together.
class Call {
 public:
  Call(const Batch& batch, const Tensor& x, const Tensor& params, int64_t mixtures,
       int64_t batch_ndim)
      : x_(has_planes(x) ? x : x.contiguous()),
        params_(has_planes(params) ? params : params.contiguous()), original_(params),
        batch_ndim_(batch_ndim), device_(backend(x.device().type())),
        double_(compute_dtype({x, params}) == at::kDouble) {
    for (const c10::SymInt& size : batch) batch_.push_back(size.expect_int());
    a_.components = static_cast<int>(mixtures);
    a_.pixels = x.size(-2) * x.size(-1);
    a_.levels = is_kernel_integer(x.scalar_type());
    a_.data_plane = x_.stride(-3), a_.parameters_plane = params_.stride(-3);
    const int64_t rows = (planes_of(x.size(-3)) + 2) * mixtures;  // of a block in its tile
    const int64_t fits = kCachedTile / rows / kBlockStep * kBlockStep;
    a_.block = device_->limits.teams ? team_pixels(rows, double_ ? 8 : 4)
                                     : std::clamp<int64_t>(fits, kBlockStep, kMaxBlock);
    empty_ = product(batch_) * a_.pixels == 0;
  }

  int64_t values() const { return product(Ints(batch_).slice(0, batch_ndim_)); }

  // Asks for the gradient, of the values' incoming gradient (if any) times scale.
  Tensor gradient(const Tensor& slope, double scale) {
    const Tensor own = empty_ ? at::zeros_like(original_) : at::empty_like(original_);
    write(slope, scale, own);
    return own;
  }
  // The gradient again in its memory, where it was made for another incoming gradient.
  void refill(const Tensor& slope, double folded, const Tensor& own) {
    write(slope, 1, own);
    if (own.is_same(grad_)) a_.ready = folded;
    run(false);
    finish(own);
  }

  Tensor run(bool wants_value) {
    Tensor value, partial;
    if (wants_value) {
      const auto options = x_.options().dtype(double_ ? at::kDouble : at::kFloat);
      const Ints kept = Ints(batch_).slice(0, batch_ndim_);
      value = empty_ ? at::zeros(kept, options) : at::empty(kept, options);
    }
    if (empty_) return value;
    align();
    if (wants_value) {
      partial = at::empty({product(batch_) * a_.blocks()}, x_.options().dtype(at::kDouble));
      a_.value = partial.data_ptr<double>();
    }
    int64_t images = 1;
    for (int d = 0; d < a_.kept; ++d) images *= a_.sizes[d];
    Tensor normalizers;
    if (device_->limits.teams && a_.kept < a_.ndim) {
      normalizers = at::empty({2 * product(batch_) * a_.pixels},
                              x_.options().dtype(double_ ? at::kDouble : at::kFloat));
      a_.normalizers = normalizers.data_ptr();
    }
    // A block takes a few microseconds for each image of data that it serves.
    device_->run(x_.size(-3) == 1 ? tasks::grey_logistic_mixture : tasks::colour_logistic_mixture,
                 double_, a_, images * a_.blocks(), 4);
    if (wants_value)
      device_->sum_groups(a_.value, value.numel(), partial.numel() / value.numel(), double_,
                          value.data_ptr());
    return value;
  }

  void finish(const Tensor& own) const {
    if (!own.is_same(grad_)) own.copy_(grad_);
  }

 private:
  void write(const Tensor& slope, double scale, const Tensor& own) {
    grad_ = has_planes(own) ? own : at::empty_like(own, at::MemoryFormat::Contiguous);
    slope_ = slope, a_.scale = scale, a_.grad_plane = grad_.stride(-3);
  }
  // Dimensions that the parameters lack come last: their gradients are sums along them.
  void align() {
    const auto dims = static_cast<int64_t>(batch_.size());
    const auto view = [&](const Tensor& t, const void* data, int64_t step) {
      return View{const_cast<void*>(data), kernel_dtype(t.scalar_type()), step};
    };
    a_.data = view(x_, x_.const_data_ptr(), pixel_step(x_));
    a_.parameters = view(params_, params_.const_data_ptr(), pixel_step(params_));
    if (grad_.defined()) a_.grad = view(grad_, grad_.mutable_data_ptr(), pixel_step(grad_));
    if (slope_.defined()) a_.slope = view(slope_, slope_.const_data_ptr(), 1);
    for (const bool shared : {false, true}) {
      int64_t image = product(batch_);
      for (int64_t d = 0; d < dims; ++d) {
        image /= batch_[d];
        const int64_t of_grad = grad_.defined() ? batch_stride(grad_, d, dims) : 1;
        if (shared != (of_grad == 0 && batch_[d] > 1)) continue;
        const int to = a_.ndim++;
        a_.sizes[to] = batch_[d];
        a_.data.strides[to] = batch_stride(x_, d, dims);
        a_.parameters.strides[to] = batch_stride(params_, d, dims);
        a_.grad.strides[to] = of_grad;
        if (slope_.defined() && d < batch_ndim_ && slope_.size(d) > 1)
          a_.slope.strides[to] = slope_.stride(d);
        a_.image[to] = image;
      }
      if (!shared) a_.kept = a_.ndim;
    }
  }

  Tensor x_, params_, original_, grad_, slope_;
  int64_t batch_ndim_;
  const Backend* device_;
  bool double_, empty_;
  Shape<int64_t> batch_;
  Planes a_;
};

}  // namespace

Tensor discretized_logistic_mixture_log_prob(const Tensor& x, const Tensor& params,
                                             int64_t num_mixtures, int64_t batch_ndim) {
  const Batch batch = batch_of(x, params, num_mixtures, batch_ndim);
  if (x.is_meta())
    return at::empty_symint(c10::SymIntArrayRef(batch).slice(0, batch_ndim),
                            x.options().dtype(compute_dtype({x, params})));
  return Call(batch, x, params, num_mixtures, batch_ndim).run(true);
}

std::tuple<Tensor, Tensor> discretized_logistic_mixture_log_prob_backward(
    const Optional& grad, const Tensor& x, const Tensor& params, int64_t num_mixtures,
    int64_t batch_ndim, Masks<2> mask) {
  const Batch batch = batch_of(x, params, num_mixtures, batch_ndim);
  check_gradient(kName, "grad", grad.value_or(Tensor()),
                 c10::SymIntArrayRef(batch).slice(0, batch_ndim), compute_dtype({x, params}), x);
  TORCH_CHECK_NOT_IMPLEMENTED(!mask[0], kName, "_backward: the kernel has no gradient of x");
  if (!mask[1]) return {};
  if (x.is_meta()) return {Tensor(), at::empty_like(params)};
  Call call(batch, x, params, num_mixtures, batch_ndim);
  const Tensor g = call.gradient(*grad, 1);
  call.run(false);
  call.finish(g);
  return {Tensor(), g};
}

std::tuple<Tensor, Tensor, Tensor> discretized_logistic_mixture_log_prob_value_grad(
    const Tensor& x, const Tensor& params, int64_t num_mixtures, int64_t batch_ndim,
    Masks<2> mask) {
  if (x.is_meta() || !mask[1])
    return {discretized_logistic_mixture_log_prob(x, params, num_mixtures, batch_ndim), Tensor(),
            mask[1] ? at::empty_like(params) : Tensor()};
  Call call(batch_of(x, params, num_mixtures, batch_ndim), x, params, num_mixtures, batch_ndim);
  const Tensor g = call.gradient(Tensor(), -1. / static_cast<double>(call.values()));
  const Tensor value = call.run(true);
  call.finish(g);
  return {value, Tensor(), g};
}

bool logistic_mixture_one_pass(const Tensor& x, const Tensor& params, Masks<2> mask) {
  if (mask[0] || !mask[1] || params.dim() < x.dim()) return false;
  for (int64_t d = 0; d < x.dim() - kImage; ++d)
    if (x.sym_size(d) != 1 && x.sym_size(d) != params.sym_size(d + params.dim() - x.dim()))
      return false;
  return true;
}

void logistic_mixture_refill(const Tensor& grad, const Tensor& x, const Tensor& params,
                             int64_t num_mixtures, int64_t batch_ndim, double folded,
                             const Tensor& made) {
  Call(batch_of(x, params, num_mixtures, batch_ndim), x, params, num_mixtures, batch_ndim)
      .refill(grad, folded, made);
}

}  // namespace pyvae
