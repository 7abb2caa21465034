// Samples of diagonal Gaussians by mean and log-variance.
#pragma once

#include "../density.h"
#include "../math/gaussian.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct GaussianRsample : Density {
  static constexpr const char* kName = "gaussian_rsample";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar"};
  static constexpr int kSampled = 2;
  static constexpr bool kSum = false;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    sample_gaussian(c);
    c.grad[0] = c.grad[1] = V(0);
    return {V(0), V(1)};
  }
};

// The same sample and the KL to N(0, 1).
struct GaussianRsampleKl : Density {
  static constexpr const char* kName = "gaussian_rsample_kl";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar"};
  static constexpr int kSampled = 2;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = sample_gaussian(c);
    return gaussian_kl_standard(c, deviation * deviation);
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(GaussianRsample)
PYVAE_DENSITY(GaussianRsampleKl)
