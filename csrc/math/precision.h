// Precisions exp(-v), which may be infinite: from v = -88.8 on in single precision.
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// d p, which is 0 where d is.
template <class V>
PYVAE_FN V times_precision(V d, V p) {
  return select((d == V(0)) & (p == V(INFINITY)), d, d * p);
}

// The largest finite number for an infinite one.
PYVAE_FN float finite(float p) { return select(p > __FLT_MAX__, __FLT_MAX__, p); }
PYVAE_FN double finite(double p) { return select(p > __DBL_MAX__, __DBL_MAX__, p); }
template <class T, template <class> class Vector>
PYVAE_FN Vector<T> finite(Vector<T> p) {
  const Vector<T> most(sizeof(T) == 4 ? static_cast<T>(__FLT_MAX__) : static_cast<T>(__DBL_MAX__));
  return select(p > most, most, p);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
