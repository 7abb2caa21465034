// The functions of a log-probability op whose arguments are n tensors, data first, and batch_ndim.
#pragma once

#include "gaussian.h"

namespace pyvae {

// The kernel for some operands; `of_data`: with the gradient of the data, which may cost more.
using ChooseRowOp = const RowOp& (*)(const Operands& in, bool of_data);

template <ChooseRowOp choose, class Places>
struct LogProbOf;

template <ChooseRowOp choose, size_t... place>
struct LogProbOf<choose, std::index_sequence<place...>> {
  template <size_t>
  using Argument = const Tensor&;
  template <size_t>
  using Gradient = Tensor;
  using Wanted = Masks<sizeof...(place)>;

  static Tensor value(Argument<place>... tensors, int64_t batch_ndim) {
    const Operands in{tensors...};
    return row_value(choose(in, false), in, batch_ndim);
  }
  static std::tuple<Gradient<place>...> backward(const Optional& grad, Argument<place>... tensors,
                                                 int64_t batch_ndim, Wanted mask) {
    const Operands in{tensors...};
    const Grads g = row_backward(choose(in, mask[0]), *grad, in, batch_ndim, {mask[place]...});
    return {g[place]...};
  }
  static std::tuple<Tensor, Gradient<place>...> value_grad(Argument<place>... tensors,
                                                           int64_t batch_ndim, Wanted mask) {
    const Operands in{tensors...};
    Grads g;
    const Tensor value = row_value_grad(choose(in, mask[0]), in, batch_ndim, {mask[place]...},
                                        Tensor(), std::nullopt, g);
    return {value, g[place]...};
  }
};
template <ChooseRowOp choose, size_t n>
using LogProb = LogProbOf<choose, std::make_index_sequence<n>>;

// name, name_backward and name_value_grad of n tensors, by the kernels that name_op chooses.
#define PYVAE_LOG_PROB(name, n)                                                                    \
  const RowOp& name##_op(const Operands& in, bool of_data);                                        \
  constexpr auto name = LogProb<name##_op, n>::value;                                              \
  constexpr auto name##_backward = LogProb<name##_op, n>::backward;                                \
  template <bool kInplace>                                                                         \
  constexpr auto name##_value_grad = LogProb<name##_op, n>::value_grad;

}  // namespace pyvae
