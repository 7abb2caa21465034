// What the densities of counts share.
#pragma once

#include "special.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// A count that is negative is none: NaN.
template <class V>
PYVAE_FN V count_of(V x) {
  return select(x < V(0), V(NAN), x);
}
// Where x log x is 0 to the last digit.
template <class V>
PYVAE_FN auto is_zero_count(V x) {
  return x < V(1e-20);
}

// log Gamma(1 + x) - x log x + x for x > 0, the logarithm of e^x x! / x^x.
template <class V>
PYVAE_FN V log_factorial_residual(V x, V log_x) {
  return V(0.5) * log_x + V(0.91893853320467274) + stirling(x, log_x).error;
}
// For z > 0.
template <class V>
PYVAE_FN V digamma(V z, V log_z) {
  return log_z - V(0.5) / z + stirling(z, log_z).slope;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
