// Samples of diagonal Gaussians by mean and log-variance with their importance weights.
#pragma once

#include "../density.h"
#include "../math/gaussian.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// z and log p(z) - log q(z|x), p = N(pm, exp(pv)): 1/2 [v - pv + eps^2 - (z - pm)^2 exp(-pv)].
// kPath leaves out the score of q: log q is differentiated through z alone (Roeder, Wu and Duvenaud
// 2017; Tucker et al. 2019), where d(-log q)/dz = eps exp(-v / 2), times dz/dv eps^2 / 2.
template <bool kPath>
struct GaussianLogRatioOf : Density {
  static constexpr int kIn = 4;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar", "prior_mean", "prior_logvar"};
  static constexpr int kSampled = 2;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = sample_gaussian(c);
    const V root = root_precision(c.in[3]);
    const V away = (c.z - c.in[2]) * root;
    const V slope = away * root, square = away * away, of_noise = c.eps * c.eps;
    c.grad[0] = kPath ? c.eps * finite(reciprocal(deviation)) - slope : -slope;
    c.grad[1] = V(0.5) * (kPath ? of_noise : V(1)) - slope * c.path[1];
    c.grad[2] = slope;
    c.grad[3] = V(0.5) * (square - V(1));
    c.path[2] = c.path[3] = V(0);
    return {V(0.5) * (c.in[1] - c.in[3] + of_noise - square), V(1)};
  }
};

// The same for p = N(0, 1).
template <bool kPath>
struct GaussianLogRatioStandardOf : Density {
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar"};
  static constexpr int kSampled = 2;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = sample_gaussian(c);
    const V of_noise = c.eps * c.eps;
    c.grad[0] = kPath ? c.eps * finite(reciprocal(deviation)) - c.z : -c.z;
    c.grad[1] = V(0.5) * (kPath ? of_noise : V(1)) - c.z * c.path[1];
    return {V(0.5) * (c.in[1] + of_noise - c.z * c.z), V(1)};
  }
};

struct GaussianLogRatio : GaussianLogRatioOf<false> {
  static constexpr const char* kName = "gaussian_rsample_log_ratio";
};
struct GaussianLogRatioPath : GaussianLogRatioOf<true> {
  static constexpr const char* kName = "gaussian_rsample_log_ratio_path";
};
struct GaussianLogRatioStandard : GaussianLogRatioStandardOf<false> {
  static constexpr const char* kName = "gaussian_rsample_log_ratio_standard";
};
struct GaussianLogRatioStandardPath : GaussianLogRatioStandardOf<true> {
  static constexpr const char* kName = "gaussian_rsample_log_ratio_standard_path";
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(GaussianLogRatio)
PYVAE_DENSITY(GaussianLogRatioPath)
PYVAE_DENSITY(GaussianLogRatioStandard)
PYVAE_DENSITY(GaussianLogRatioStandardPath)
