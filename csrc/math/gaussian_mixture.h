// A mixture of diagonal Gaussians, as pairs of a point z and a component with mean m and precision
// p = exp(-logvar):
//
//   log w N(z; m, 1 / p) = log w - 1/2 (sum logvar + d log 2 pi) - 1/2 sum (z - m)^2 p.
//
// The difference is formed before it is squared: z^2 - 2 z m + m^2 loses every digit far from the
// origin. Both sides of a pair compute the distance by the same operations in the same order.
#pragma once

#include "precision.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct GaussianMixture {
  // Seen from the point: gradients flow to z, d log N / dz = (m - z) p.
  struct OfPoint {
    static constexpr int kOwner = 1, kOther = 2, kGrads = 1;  // z; mean, precision

    template <class V>
    PYVAE_FN static V distance(const V (&z)[1], const V (&component)[2], V sum) {
      const V d = z[0] - component[0];
      return sum + (d * component[1]) * d;
    }
    // The weight first: where it is 0, the rest cannot overflow.
    template <class V>
    PYVAE_FN static void pull(const V (&z)[1], const V (&component)[2], V weight, V (&sum)[1]) {
      sum[0] = sum[0] + (weight * (component[0] - z[0])) * component[1];
    }
  };

  // Seen from the component: gradients flow to its mean and log-variance.
  struct OfComponent {
    static constexpr int kOwner = 2, kOther = 1, kGrads = 2;

    template <class V>
    PYVAE_FN static V distance(const V (&component)[2], const V (&z)[1], V sum) {
      const V d = component[0] - z[0];
      return sum + (d * component[1]) * d;
    }
    template <class V>
    PYVAE_FN static void pull(const V (&component)[2], const V (&z)[1], V weight, V (&sum)[2]) {
      const V d = component[0] - z[0], t = weight * d;
      sum[0] = sum[0] + t;
      sum[1] = sum[1] + t * d;
    }
    // d log N / dm = (z - m) p,  d log N / dlogvar = 1/2 [(z - m)^2 p - 1]
    template <class V>
    PYVAE_FN static void grad(V precision, V weights, V (&sum)[2]) {
      sum[0] = -(sum[0] * precision);
      sum[1] = V(0.5) * (sum[1] * precision - weights);
    }
  };

  // Finite: a pair at distance 0 stays there.
  template <class V>
  PYVAE_FN static V precision(V logvar) {
    return finite(exp(-logvar));
  }
  template <class V>
  PYVAE_FN static V constant(V log_weight, V sum_logvar, V width) {
    return log_weight - V(0.5) * (sum_logvar + width * V(1.8378770664093454836));
  }
  template <class V>
  PYVAE_FN static V logit(V constant, V distance) {
    return constant - V(0.5) * distance;
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
