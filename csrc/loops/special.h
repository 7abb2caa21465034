// SIMD forms of math/special.h.
#pragma once

#include "../math/special.h"
#include "simd.h"

namespace pyvae {
inline namespace PYVAE_ISA {

PYVAE_FN F32 minus_log(F32 a, F32 x) {
  F32 n;
  const F32 f = log_reduced(x, n), power = n * F32(0x1p-23f);
  return (a - power * F32(kLog2High)) - (power * F32(kLog2Low) + (f + log1p_rest(f)));
}
// With 1 + s = 2^n m as in log_positive: where n is 0, m - 1 is s itself.
PYVAE_FN F32 log1p_residual(F32 s, F32 y) {
  F32 n;
  const F32 reduced = log_reduced(y, n);
  const F32 f = select(n == F32(0), s, reduced);
  const F32 r = (s - f) - n * F32(kLog2OverBits) - log1p_rest(f);
  const F32 outside = select(y == F32(0), F32(__builtin_inff()), F32(__builtin_nanf("")));
  return select(y > F32(0), r, outside);
}
PYVAE_FN Stirling<F32> stirling(F32 z, F32 log_z) { return stirling_single(z, log_z); }
PYVAE_FN LogSinhc<F32> log_sinhc(F32 q) { return log_sinhc_single(q); }

// double: lane by lane, and out of line, because the code is long.
PYVAE_FN F64 log_positive(F64 x) { return log(x); }
PYVAE_FN F64 minus_log(F64 a, F64 x) { return a - log(x); }
__attribute__((noinline)) inline F64 log1p_residual(F64 s, F64 y) {
  F64 r;
  for (int i = 0; i < F64::kLanes; ++i) r.v[i] = log1p_residual(s.v[i], y.v[i]);
  return r;
}
__attribute__((noinline)) inline Stirling<F64> stirling(F64 z, F64 log_z) {
  Stirling<F64> r;
  for (int i = 0; i < F64::kLanes; ++i) {
    const Stirling<double> lane = stirling(z.v[i], log_z.v[i]);
    r.error.v[i] = lane.error, r.slope.v[i] = lane.slope;
  }
  return r;
}
__attribute__((noinline)) inline LogSinhc<F64> log_sinhc(F64 q) {
  LogSinhc<F64> r;
  for (int i = 0; i < F64::kLanes; ++i) {
    const LogSinhc<double> lane = log_sinhc(q.v[i]);
    r.value.v[i] = lane.value, r.slope.v[i] = lane.slope;
  }
  return r;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
