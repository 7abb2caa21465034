// Diagonal Gaussian log-likelihood by mean and log-variance.
#pragma once

#include "../density.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// log N(x; m, exp(v)) = -1/2 [log 2 pi + v + (x - m)^2 exp(-v)].
struct GaussianLogProb : Density {
  static constexpr const char* kName = "gaussian_log_prob";
  static constexpr int kIn = 3;
  static constexpr const char* kOperands[kIn] = {"x", "mean", "logvar"};
  static constexpr int kFull = 2, kData = 1;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V root = root_precision(c.in[2]);
    const V away = (c.in[0] - c.in[1]) * root;
    const V slope = away * root, square = away * away;
    c.grad[0] = -slope;
    c.grad[1] = slope;
    c.grad[2] = V(0.5) * (square - V(1));
    return {V(-0.5) * (V(1.8378770664093453) + c.in[2] + square), V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(GaussianLogProb)
