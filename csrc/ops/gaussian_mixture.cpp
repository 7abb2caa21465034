#include "gaussian_mixture.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "mixture_parts.h"
#include "pair_op.h"

namespace pyvae {
namespace {

constexpr const char* kOperands[] = {"z", "means", "logvars", "log_weights"};
constexpr Signature kOp{"gaussian_mixture_log_prob", kOperands, 4, 0, 0};

Operands operands(const Tensor& z, const Tensor& means, const Tensor& logvars,
                  const Optional& log_weights) {
  Operands in{z, means, logvars};
  if (log_weights) in.push_back(*log_weights);
  return in;
}

void check(const Operands& in) {
  check_operands(kOp, in);
  const auto refuse = [](const auto&... parts) {
    C10_THROW_ERROR(ValueError, c10::str(kOp.name, ": ", parts...));
  };
  const auto z = in[0].sym_sizes(), means = in[1].sym_sizes(), logvars = in[2].sym_sizes();
  if (means.size() != 2 || means[0] < 1)
    refuse("means must have shape (K, d) with K at least 1, got ", means);
  if (logvars != means) refuse("logvars must have the shape ", means, " of means, got ", logvars);
  if (z.empty() || z.back() != means[1])
    refuse("z must have shape (*batch, d) with the d = ", means[1], " of means, got ", z);
  if (in.size() == 3) return;
  const auto weights = in[3].sym_sizes();
  const bool shared = weights.size() == 1 && weights[0] == means[0];
  const bool each = weights.size() == z.size() && weights.back() == means[0] &&
                    weights.slice(0, z.size() - 1) == z.slice(0, z.size() - 1);
  if (!shared && !each)
    refuse("log_weights must have shape (K,) or (*batch, K) with K = ", means[0], " and batch ",
           z.slice(0, z.size() - 1), ", got ", weights);
}

// The arguments as matrices, and what the kernels are given of them.
struct Call {
  Operands in;
  Mixture task;
  const Backend* device;
  bool is_double, shared = true;  // shared: all points have the same log-weights

  Call(const Operands& given, bool per_dimension)
      : device(backend(given[0].device().type())), is_double(compute_dtype(given) == at::kDouble) {
    for (const Tensor& t : given) in.push_back(t);
    in[0] = as_matrix(in[0]);
    task.points = read_matrix(in[0]);
    task.means = read_matrix(in[1]);
    task.logvars = read_matrix(in[2]);
    task.num_points = in[0].size(0);
    task.num_components = in[1].size(0);
    task.width = per_dimension ? 1 : in[1].size(1);
    task.problems = per_dimension ? in[1].size(1) : 1;
    task.log_weight = -std::log(static_cast<double>(task.num_components));
    if (in.size() < 4) return;
    shared = in[3].dim() == 1;
    in[3] = as_matrix(in[3]);
    task.log_weights = read_matrix(in[3]);
    if (shared) task.log_weights.strides[0] = 0;
  }
  at::TensorOptions options(at::ScalarType dtype) const { return in[0].options().dtype(dtype); }
  Tensor values(int64_t problems) const {
    return at::empty({task.num_points, problems}, options(is_double ? at::kDouble : at::kFloat));
  }
  void run(const Task<Mixture>& kind, MixturePass pass, int64_t owners, int64_t others,
           int64_t repeats) {
    Tensor scratch;
    if (device->limits.teams) {
      task.parts = mixture_parts(task, pass);
      scratch = pair_scratch(in[0], mixture_scratch(task, pass), is_double);
      task.scratch = scratch.mutable_data_ptr();
    }
    device->run(kind, is_double, task, owner_tiles(owners) * repeats,
                owner_grain(others, task.width));
  }
  // The value and all gradients, where points are few.
  bool few() const { return !device->limits.teams && few_points(task); }
  void run_few() {
    const FewScratch at(task);
    const Tensor scratch = pair_scratch(in[0], at.size(), is_double);
    task.scratch = scratch.mutable_data_ptr();
    device->run(tasks::mixture_few_weights, is_double, task, at.tiles, 1);
    device->run(tasks::mixture_few_pulls, is_double, task, at.parts(), 1);
    device->run(tasks::mixture_few_points, is_double, task, task.num_points, kFewPoints);
  }
  void run_points(bool gradient) {
    run(gradient ? tasks::mixture_points : tasks::mixture_value,
        gradient ? MixturePass::points : MixturePass::value, task.num_points, task.num_components,
        task.problems);
  }
  void run_components() {
    run(tasks::mixture_components, MixturePass::components, task.num_components, task.num_points,
        1);
  }
  void run_log_weights() {
    run(tasks::mixture_log_weights, MixturePass::log_weights, task.num_components, task.num_points,
        1);
  }
};

Shape<c10::SymInt> value_shape(const Tensor& z, bool per_dimension) {
  const auto sizes = z.sym_sizes();
  return {sizes.begin(), sizes.end() - !per_dimension};
}

// Writes the gradients that are defined, and the values of whole points, where they are.
void backward(const Operands& in, const Tensor& grad, bool per_dimension,
              std::array<Tensor, 4>& out, const Tensor& value = {}) {
  Call call(in, per_dimension);
  Mixture& task = call.task;
  const int64_t problems = task.problems;
  const Tensor slope = grad.reshape({task.num_points, problems});
  task.grad_value = read_matrix(slope);
  GradMatrix points(out[0]), means(out[1]), logvars(out[2]);
  task.grad_points = points.view(), task.grad_means = means.view();
  task.grad_logvars = logvars.view();

  const bool shared = out[3].defined() && call.shared, each = out[3].defined() && !call.shared;
  GradMatrix log_weights(each ? out[3] : Tensor());
  task.grad_log_weights = log_weights.view();
  const Tensor sums =
      shared ? at::zeros({task.num_components}, call.options(at::kDouble)) : Tensor();
  if (shared) task.weight_sums = sums.data_ptr<double>();

  // The values are made again, of some problems at a time, or of all where a device needs as many
  // to be busy. Log-weights of each point sum over all problems at once.
  const bool components = out[1].defined() || out[2].defined() || shared;
  const bool few = components && out[0].defined() && call.few();
  const bool at_once = each || call.device->limits.teams;
  const int64_t most = at_once ? problems : std::min<int64_t>(problems, 16);
  const Tensor values = value.defined()                ? value.view({-1, 1})
                        : !few && (components || each) ? call.values(most)
                                                       : Tensor();
  if (values.defined()) task.value = written_matrix(values);
  if (few) call.run_few();
  for (int64_t first = 0; !few && first < problems; first += most) {
    task.first_problem = first;
    task.problems = std::min(most, problems - first);
    call.run_points(out[0].defined());
    if (components) call.run_components();
    if (each) call.run_log_weights();
  }
  for (GradMatrix* g : {&points, &means, &logvars, &log_weights}) g->finish();
  if (shared) out[3].copy_(sums);
}

}  // namespace

Tensor gaussian_mixture_log_prob(const Tensor& z, const Tensor& means, const Tensor& logvars,
                                 const Optional& log_weights, bool per_dimension) {
  const Operands in = operands(z, means, logvars, log_weights);
  check(in);
  const Tensor value =
      at::empty_symint(value_shape(z, per_dimension), z.options().dtype(compute_dtype(in)));
  if (value.is_meta() || value.numel() == 0) return value;
  Call call(in, per_dimension);
  call.task.value = written_matrix(value.view({call.task.num_points, call.task.problems}));
  call.run_points(false);
  return value;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_mixture_log_prob_backward(
    const Optional& grad, const Tensor& z, const Tensor& means, const Tensor& logvars,
    const Optional& log_weights, bool per_dimension, Masks<4> mask) {
  const Operands in = operands(z, means, logvars, log_weights);
  check(in);
  check_gradient(kOp.name, "grad", grad.value_or(Tensor()), value_shape(z, per_dimension),
                 compute_dtype(in), z);
  std::array<Tensor, 4> out;
  const bool any = !z.is_meta() && grad->numel();
  for (size_t i = 0; i < 4; ++i)
    if (mask[i] && i < in.size())
      out[i] = any || z.is_meta() ? at::empty_like(in[i]) : at::zeros_like(in[i]);
  if (any) backward(in, *grad, per_dimension, out);
  return {out[0], out[1], out[2], out[3]};
}

bool gaussian_mixture_one_pass(const Tensor& z, const Tensor& means, const Tensor& logvars,
                               const Optional& log_weights, bool per_dimension, Masks<4> mask) {
  const Operands in = operands(z, means, logvars, log_weights);
  for (size_t i = 0; i < in.size(); ++i)
    if (mask[i] && in[i].element_size() < 4) return false;
  return z.dim() == 2 && !per_dimension;
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_mixture_log_prob_value_grad(
    const Tensor& z, const Tensor& means, const Tensor& logvars, const Optional& log_weights,
    bool per_dimension, Masks<4> mask) {
  TORCH_CHECK(gaussian_mixture_one_pass(z, means, logvars, log_weights, per_dimension, mask),
              kOp.name, ": these gradients do not come with the value");
  const Operands in = operands(z, means, logvars, log_weights);
  check(in);
  const Tensor value =
      at::empty_symint(value_shape(z, false), z.options().dtype(compute_dtype(in)));
  const bool any = !z.is_meta() && value.numel();
  std::array<Tensor, 4> out;
  for (size_t i = 0; i < in.size(); ++i)
    if (mask[i]) out[i] = any || z.is_meta() ? at::empty_like(in[i]) : at::zeros_like(in[i]);
  if (any) {
    const double slope = -1. / static_cast<double>(value.numel());
    backward(in, at::full({}, slope, value.options()).expand(value.sizes()), false, out, value);
  }
  return {value, out[0], out[1], out[2], out[3]};
}

}  // namespace pyvae
