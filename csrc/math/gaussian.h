// Diagonal Gaussians by mean and log-variance.
#pragma once

#include "precision.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// log N(x; m, exp(v)) = -1/2 [log 2 pi + v + (x - m)^2 exp(-v)].
struct GaussianLogProb : Density {
  static constexpr int kIn = 3;  // x, mean, logvar

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

// KL(N(m, exp(v)) || N(0, 1)) = 1/2 [exp(v) - 1 - v + m^2].
struct GaussianKlStandard : Density {
  static constexpr int kIn = 2;  // mean, logvar

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    return step(c, exp(c.in[1]));
  }
  // For one who has the variance already.
  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c, V variance) {
    const V m = c.in[0], v = c.in[1];
    const V residual = expm1_residual(v, variance);
    c.grad[0] = m;
    c.grad[1] = V(0.5) * expm1_of(v, variance, residual);
    return {V(0.5) * (residual + m * m), V(1)};
  }
};

// KL(N(m, exp(v)) || N(pm, exp(pv))) = 1/2 [exp(d) - 1 - d + (m - pm)^2 exp(-pv)], d = v - pv.
struct GaussianKl : Density {
  static constexpr int kIn = 4;  // mean, logvar, prior mean, prior logvar

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

// z = m + exp(v / 2) eps.
struct GaussianRsample : Density {
  static constexpr int kIn = 2;  // mean, logvar
  static constexpr bool kNoise = true;
  static constexpr bool kSum = false;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    scale(c);
    c.grad[0] = c.grad[1] = V(0);
    return {V(0), V(1)};
  }
  // Sets z and its derivatives, for any density whose first operands are mean and logvar; returns
  // the standard deviation.
  template <class V, int kOperands>
  PYVAE_FN static V scale(Cell<V, kOperands>& c) {
    const V deviation = exp(V(0.5) * c.in[1]);
    const V scaled = deviation * c.eps;
    c.z = c.in[0] + scaled;
    c.path[0] = V(1);
    c.path[1] = V(0.5) * scaled;
    return deviation;
  }
};

// The same sample and the KL to N(0, 1).
struct GaussianRsampleKl : Density {
  static constexpr int kIn = 2;  // mean, logvar
  static constexpr bool kNoise = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = GaussianRsample::scale(c);
    return GaussianKlStandard::step(c, deviation * deviation);
  }
};

// z and log p(z) - log q(z|x), p = N(pm, exp(pv)): 1/2 [v - pv + eps^2 - (z - pm)^2 exp(-pv)].
// kPath leaves out the score of q: log q is differentiated through z alone (Roeder, Wu and Duvenaud
// 2017; Tucker et al. 2019), where d(-log q)/dz = eps exp(-v / 2), times dz/dv eps^2 / 2.
template <bool kPath>
struct GaussianLogRatio : Density {
  static constexpr int kIn = 4;  // mean, logvar, prior mean, prior logvar
  static constexpr bool kNoise = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = GaussianRsample::scale(c);
    const V root = root_precision(c.in[3]);
    const V away = (c.z - c.in[2]) * root;
    const V slope = away * root, square = away * away, of_noise = c.eps * c.eps;
    c.grad[0] = kPath ? c.eps / deviation - slope : -slope;
    c.grad[1] = V(0.5) * (kPath ? of_noise : V(1)) - slope * c.path[1];
    c.grad[2] = slope;
    c.grad[3] = V(0.5) * (square - V(1));
    c.path[2] = c.path[3] = V(0);
    return {V(0.5) * (c.in[1] - c.in[3] + of_noise - square), V(1)};
  }
};

// The same for p = N(0, 1).
template <bool kPath>
struct GaussianLogRatioStandard : Density {
  static constexpr int kIn = 2;  // mean, logvar
  static constexpr bool kNoise = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V deviation = GaussianRsample::scale(c);
    const V of_noise = c.eps * c.eps;
    c.grad[0] = kPath ? c.eps / deviation - c.z : -c.z;
    c.grad[1] = V(0.5) * (kPath ? of_noise : V(1)) - c.z * c.path[1];
    return {V(0.5) * (c.in[1] + of_noise - c.z * c.z), V(1)};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
