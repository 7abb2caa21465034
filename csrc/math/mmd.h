// Kernels of the maximum mean discrepancy, by the squared distance s of a pair and a rate that the
// scale sigma gives: a radial basis function, and the inverse multiquadric C / (C + s) with
// C = 2 d sigma^2 (Tolstikhin et al., "Wasserstein auto-encoders", 2018, section 4).
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// Squared distance, and sum w (x - y).
struct Apart {
  static constexpr int kOwner = 1, kOther = 1, kGrads = 1;

  template <class V>
  PYVAE_FN static V distance(const V (&x)[1], const V (&y)[1], V sum) {
    const V d = x[0] - y[0];
    return sum + d * d;
  }
  template <class V>
  PYVAE_FN static void pull(const V (&x)[1], const V (&y)[1], V weight, V (&sum)[1]) {
    sum[0] = sum[0] + weight * (x[0] - y[0]);
  }
};

struct Rbf {
  // exp(-r s), r = 1 / (2 sigma^2)
  PYVAE_FN static double rate(double scale, double) { return 0.5 / (scale * scale); }
  template <class V>
  PYVAE_FN static V value(V s, V rate) {
    return exp(-(s * rate));
  }
  template <class V>
  PYVAE_FN static V slope(V s, V rate) {
    return -(rate * value(s, rate));
  }
};

struct Imq {
  // 1 / (1 + r s), r = 1 / (2 d sigma^2)
  PYVAE_FN static double rate(double scale, double columns) {
    return 0.5 / (columns * scale * scale);
  }
  template <class V>
  PYVAE_FN static V value(V s, V rate) {
    return reciprocal(V(1) + s * rate);
  }
  template <class V>
  PYVAE_FN static V slope(V s, V rate) {
    const V k = value(s, rate);
    return -(rate * (k * k));
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
