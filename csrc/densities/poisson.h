// Poisson log-likelihood from the logarithm r of the rate: x r - exp(r) - log Gamma(x + 1).
#pragma once

#include "../density.h"
#include "../math/counts.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// For x > 0 by the deviance, whose terms do not cancel (Loader, "Fast and accurate computation of
// binomial probabilities", 2000): with s = r - log x it is
//   -x [exp(s) - 1 - s] - log(e^x x! / x^x).
// kDataGrad: with the derivative in x, r - digamma(x + 1), which is s - 1 / (2 x) - slope(x) in the
// terms of Stirling's formula.
template <bool kDataGrad>
struct PoissonWith : Density {
  static constexpr const char* kName = "poisson_log_prob";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"x", "log_rate"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V x = count_of(c.in[0]), rate = exp(c.in[1]);
    const V log_x = log_positive(x);
    const V s = minus_log(c.in[1], x), ratio = rate / x;
    const V residual = expm1_residual(s, ratio);
    const auto zero = is_zero_count(x);
    c.grad[0] = V(0);
    if constexpr (kDataGrad) {
      const V x_1 = x + V(1);
      const V few = c.in[1] - digamma(x_1, log_positive(x_1));
      const V many = s - V(0.5) / x - stirling(x, log_x).slope;
      c.grad[0] = select(x < V(1), few, many);
    }
    c.grad[1] = select(zero, -rate, -(x * expm1_of(s, ratio, residual)));  // x - rate
    const V value = -(x * residual) - log_factorial_residual(x, log_x);
    return {select(zero, -rate, value), V(1)};
  }
};

struct PoissonLogProb : PoissonWith<false> {
  using OfData = PoissonWith<true>;
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(PoissonLogProb)
