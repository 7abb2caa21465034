// Bernoulli log-likelihood from logits: x l - log(1 + exp(l)), for x in [0, 1].
#pragma once

#include "../density.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct BernoulliLogProb : Density {
  static constexpr const char* kName = "bernoulli_log_prob";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"x", "logits"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kFactor = true;

  // log(1 + exp(l)) = max(l, 0) + log(1 + e), e = exp(-|l|); the slope is x - sigmoid(l). A certain
  // x, of which an infinite l is sure, has the log-likelihood 0.
  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V x = c.in[0], l = c.in[1];
    const V e = exp_nonpositive(negative_abs(l));
    const V factor = e + V(1);
    const V away = x - select(l < V(0), V(0), V(1));
    const V product = select(away == V(0), V(0) * e, away * l);  // keeps NaN
    c.grad[0] = l;
    c.grad[1] = x - ratio(select(l < V(0), e, V(1)), factor);
    return {product, factor};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(BernoulliLogProb)
