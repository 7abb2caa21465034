// Log-mass of one of 256 levels under a logistic by mean and log-scale, on data from -1 to 1: level
// k has the bin 2 k / 255 - 1 +- 1 / 255, and a log-scale below -7 counts as -7 (Salimans et al.,
// "PixelCNN++", 2017).
#pragma once

#include "logistic.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// kLevels: x is the level, else its place from -1 to 1.
template <bool kLevels>
struct DiscretizedLogisticLogProb : Density {
  static constexpr int kIn = 3;  // x, mean, log-scale

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V x = c.in[0], mean = c.in[1], half(1. / 255);
    const auto clamped = c.in[2] < V(-7);
    const V inverse_scale = exp(-select(clamped, V(-7), c.in[2]));
    // In half-widths the middle of a level's bin is a whole number.
    const V d = kLevels ? half * (x + x - V(255) - V(255) * mean) : x - mean;
    // Between the first two levels and between the last two.
    const V first(kLevels ? 0.5 : -254. / 255), last(kLevels ? 254.5 : 254. / 255);
    const auto lower = (x < first), upper = (x > last);
    const LogisticMass<V> m = logistic_mass(d, inverse_scale, half, lower, upper);
    c.grad[0] = kLevels ? V(0) : -m.d_mean;
    c.grad[1] = m.d_mean;
    c.grad[2] = select(clamped, V(0), m.d_log_scale);
    return {m.log_mass, V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
