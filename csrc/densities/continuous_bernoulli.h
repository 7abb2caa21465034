// Continuous Bernoulli log-likelihood from logits, for x in [0, 1] (Loaiza-Ganem and Cunningham,
// "The continuous Bernoulli", 2019): x l - log((exp(l) - 1) / l).
#pragma once

#include "../density.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct ContinuousBernoulliLogProb : Density {
  static constexpr const char* kName = "continuous_bernoulli_log_prob";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"x", "logits"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true;

  // With t = |l| it is x l - max(l, 0) - log((1 - exp(-t)) / t), and the mean of x is
  // 1 / t - exp(-t) / (1 - exp(-t)) for negative l, 1 less that for positive. For t < 1, where
  // these cancel, it is (x - 1/2) l - log(sinh(t / 2) / (t / 2)).
  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V x = c.in[0], l = c.in[1];
    const V t = abs(l), e = exp_nonpositive(-t);
    const V r = ratio(V(1), V(1) - e);
    const V tail = ratio(V(1), t) - e * r;
    const auto negative = l < V(0);
    const V far = x * l - select(negative, V(0), l) + log(t * r);
    const V far_mean = select(negative, tail, V(1) - tail);

    const auto small = t < V(1);
    const V q = l * l, centred = x - V(0.5);
    const LogSinhc<V> rest = log_sinhc(q);
    c.grad[0] = l;
    c.grad[1] = select(small, centred - l * rest.slope, x - far_mean);
    return {select(small, centred * l - q * rest.value, far), V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(ContinuousBernoulliLogProb)
