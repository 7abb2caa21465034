// Log-mass of one of 256 levels under a logistic by mean and log-scale, on data from -1 to 1: level
// k has the bin 2 k / 255 - 1 +- 1 / 255, and a log-scale below -7 counts as -7 (Salimans et al.,
// "PixelCNN++", 2017).
#pragma once

#include "../density.h"
#include "../math/logistic.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// kLevels: x is the level, else its place from -1 to 1.
template <bool kLevels>
struct DiscretizedLogisticOf : Density {
  static constexpr const char* kName = "discretized_logistic_log_prob";
  static constexpr int kIn = 3;
  static constexpr const char* kOperands[kIn] = {"x", "mean", "log_scale"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V x = c.in[0], mean = c.in[1];
    Level<V> level;
    level.set(kLevels ? x * V(2. / 255) - V(1) : x);
    // In half-widths the middle of a level's bin is a whole number.
    const V away = kLevels ? V(1. / 255) * (x + x - V(255) - V(255) * mean) : x - mean;
    const LogisticBin<V> bin = logistic_bin(level, away, c.in[2]);
    c.grad[0] = kLevels ? V(0) : -bin.slope_mean;
    c.grad[1] = bin.slope_mean;
    c.grad[2] = bin.slope_log_scale;
    return {bin.linear + log(bin.factor), V(1)};
  }
};

struct DiscretizedLogisticLogProb : DiscretizedLogisticOf<false> {
  using OfLevels = DiscretizedLogisticOf<true>;
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(DiscretizedLogisticLogProb)
