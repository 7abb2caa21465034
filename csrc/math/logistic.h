// The mass that a logistic puts on a bin, sigma((d + w) / s) - sigma((d - w) / s) with d = x - mean
// and half-width w (Kingma et al., "Improving variational inference with inverse autoregressive
// flow", 2016; Salimans et al., "PixelCNN++", 2017).
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class V>
struct LogisticMass {
  V log_mass, d_mean, d_log_scale;
};

// With a = |d| / s, h = w / s (no more than some 80), g = exp(-a) and q = exp(-h) the mass is
//   sigma(a + h) sigma(h - a) (1 - q^2) = g / ((1 + q g) (g + q)) (1 - q^2),
// in which nothing cancels. A bin at the lower (upper) edge of the data holds everything below
// (above) it too: of the two sigmoids only that of its inner border is left.
template <class V, class M>
PYVAE_FN LogisticMass<V> logistic_mass(V d, V inverse_scale, V half_width, M lower, M upper) {
  const V a = abs(d) * inverse_scale, h = half_width * inverse_scale;
  const V g = exp_nonpositive(-a), q = exp_nonpositive(-h), square = q * q;
  const V width = -expm1_of(V(-2) * h, square, expm1_residual(V(-2) * h, square));  // 1 - q^2
  const auto below = d < V(0);
  const V one(1), none(0);

  // The border farther from the mean, at a + h, and the nearer one, at a - h.
  const V far = q * g + one, near = g + q;
  const V r = one / (far * near);
  const V far_tail = q * g * near * r, near_tail = q * far * r;  // sigma(-a - h), sigma(a - h)
  const V spread = V(2) * h * square / width;
  const auto edge = lower | upper;
  const auto drops_far = (below & lower) | ((below ^ upper) & upper);
  const auto drops_near = edge ^ drops_far;

  const V slope_far = select(drops_far, none, far_tail);
  const V slope_near = select(drops_near, none, near_tail);
  const V share =
      r * select(edge, one, width) * select(drops_far, far, one) * select(drops_near, near, one);
  const V slope = slope_far - slope_near;  // d log mass / d a
  LogisticMass<V> m;
  m.log_mass = log(share) - select(drops_near, none, a);
  m.d_mean = inverse_scale * select(below, slope, -slope);
  m.d_log_scale = -a * slope - h * (slope_far + slope_near) - select(edge, none, spread);
  return m;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
