// Precisions exp(-v), which leave the range of the arithmetic from |v| = 88 on in single precision.
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// The largest finite number for an infinite one, so that 0 times it is 0.
PYVAE_FN float finite(float p) { return select(p > __FLT_MAX__, __FLT_MAX__, p); }
PYVAE_FN double finite(double p) { return select(p > __DBL_MAX__, __DBL_MAX__, p); }
template <class T, template <class> class Vector>
PYVAE_FN Vector<T> finite(Vector<T> p) {
  const Vector<T> most(sizeof(T) == 4 ? static_cast<T>(__FLT_MAX__) : static_cast<T>(__DBL_MAX__));
  return select(p > most, most, p);
}

// The nearest number whose exponential is well within the range of the arithmetic.
template <class V>
PYVAE_FN V between(V v, V low, V high) {
  return select(v < low, low, select(v > high, high, v));
}
PYVAE_FN float moderate_exponent(float v) { return between(v, -80.f, 80.f); }
PYVAE_FN double moderate_exponent(double v) { return between(v, -700., 700.); }
template <class T, template <class> class Vector>
PYVAE_FN Vector<T> moderate_exponent(Vector<T> v) {
  const T most = sizeof(T) == 4 ? T(80) : T(700);
  return between(v, Vector<T>(-most), Vector<T>(most));
}

// exp(-v / 2). What is multiplied by it twice is right over twice the range of v.
template <class V>
PYVAE_FN V root_precision(V v) {
  return finite(exp(V(-0.5) * v));
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
