// Laplace log-likelihood by mean and log-scale s: -|x - m| exp(-s) - s - log 2.
#pragma once

#include "../density.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct LaplaceLogProb : Density {
  static constexpr const char* kName = "laplace_log_prob";
  static constexpr int kIn = 3;
  static constexpr const char* kOperands[kIn] = {"x", "mean", "log_scale"};
  static constexpr int kFull = 2, kData = 1;

  // At x = m the slope is 0, the middle of the subgradient.
  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V root = root_precision(c.in[2]), precision = root * root;
    const V d = c.in[0] - c.in[1];
    const V distance = abs(d) * root * root;
    const V slope = select(d < V(0), -precision, select(d > V(0), precision, V(0)));
    c.grad[0] = -slope;
    c.grad[1] = slope;
    c.grad[2] = distance - V(1);
    return {-distance - c.in[2] - V(0.69314718055994531), V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(LaplaceLogProb)
