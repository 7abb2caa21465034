// What the densities of diagonal Gaussians by mean and log-variance share.
#pragma once

#include "precision.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// z = m + exp(v / 2) eps and its derivatives, for a density whose first operands are m and v;
// returns the standard deviation.
template <class V, int kIn>
PYVAE_FN V sample_gaussian(Cell<V, kIn>& c) {
  const V deviation = exp(V(0.5) * c.in[1]);
  const V scaled = deviation * c.eps;
  c.z = c.in[0] + scaled;
  c.path[0] = V(1);
  c.path[1] = V(0.5) * scaled;
  return deviation;
}

// KL(N(m, exp(v)) || N(0, 1)) = 1/2 [exp(v) - 1 - v + m^2], of a known variance exp(v).
template <class V>
PYVAE_FN Term<V> gaussian_kl_standard(Cell<V, 2>& c, V variance) {
  const V m = c.in[0], v = c.in[1];
  const V residual = expm1_residual(v, variance);
  c.grad[0] = m;
  c.grad[1] = V(0.5) * expm1_of(v, variance, residual);
  return {V(0.5) * (residual + m * m), V(1)};
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
