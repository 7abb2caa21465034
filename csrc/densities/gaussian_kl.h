// Divergences of diagonal Gaussians by mean and log-variance.
#pragma once

#include "../density.h"
#include "../math/gaussian.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct GaussianKlStandard : Density {
  static constexpr const char* kName = "gaussian_kl_standard";
  static constexpr int kIn = 2;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar"};

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    return gaussian_kl_standard(c, exp(c.in[1]));
  }
};

// KL(N(m, exp(v)) || N(pm, exp(pv))) = 1/2 [exp(d) - 1 - d + (m - pm)^2 exp(-pv)], d = v - pv.
struct GaussianKl : Density {
  static constexpr const char* kName = "gaussian_kl";
  static constexpr int kIn = 4;
  static constexpr const char* kOperands[kIn] = {"mean", "logvar", "prior_mean", "prior_logvar"};

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V d = c.in[1] - c.in[3];
    const V ratio = exp(d);
    const V residual = expm1_residual(d, ratio);
    const V slope_d = expm1_of(d, ratio, residual);
    const V root = root_precision(c.in[3]);
    const V away = (c.in[0] - c.in[2]) * root;
    const V slope = away * root, square = away * away;
    c.grad[0] = slope;
    c.grad[1] = V(0.5) * slope_d;
    c.grad[2] = -slope;
    c.grad[3] = V(-0.5) * (slope_d + square);
    return {V(0.5) * (residual + square), V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(GaussianKlStandard)
PYVAE_DENSITY(GaussianKl)
