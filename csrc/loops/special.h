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
// A subnormal number is its bits times 2^-149, in integers, which nobody flushes to 0.
PYVAE_FN F32 log_subnormal(F32 x) {
  const I32 size(as_int(x).v & 0x7fffffff);
  const auto subnormal = size.v < 0x00800000;
  x = select(subnormal, F32(__builtin_convertvector(size.v, F32::R)), x);
  return log(x) - select(subnormal, F32(103.278929903431851f), F32(0));
}
// a b = 2^n m as in log_reduced, for a product that may be smaller than any number, and the product
// itself or, where it is so small, 2^128 times it.
PYVAE_FN F32 product_reduced(F32 a, F32 b, F32& n, F32& product) {
  const auto small = a * b < F32(__FLT_MIN__);
  const F32 lift = select(small, F32(0x1p64f), F32(1));
  product = (a * lift) * (b * lift);
  const F32 f = log_reduced(product, n);
  n = n - select(small, F32(0x1p30f), F32(0));  // 128 in steps of 2^-23
  return f;
}
PYVAE_FN F32 log_product(F32 a, F32 b) {
  F32 n, product;
  const F32 f = product_reduced(a, b, n, product);
  const F32 outside = select(product == F32(0), F32(-__builtin_inff()), F32(__builtin_nanf("")));
  return select(product > F32(0), n * F32(kLog2OverBits) + (f + log1p_rest(f)), outside);
}
// With 1 + s = 2^n m as in log_positive: where n is 0, m - 1 is s itself.
PYVAE_FN F32 log1p_residual(F32 s, F32 a, F32 b) {
  F32 n, product;
  const F32 reduced = product_reduced(a, b, n, product);
  const F32 f = select(n == F32(0), s, reduced);
  const F32 r = (s - f) - n * F32(kLog2OverBits) - log1p_rest(f);
  const F32 outside = select(product == F32(0), F32(__builtin_inff()), F32(__builtin_nanf("")));
  return select(product > F32(0), r, outside);
}
PYVAE_FN Stirling<F32> stirling(F32 z, F32 log_z) { return stirling_single(z, log_z); }
PYVAE_FN LogSinhc<F32> log_sinhc(F32 q) { return log_sinhc_single(q); }

// double: lane by lane, and out of line, because the code is long.
PYVAE_FN F64 log_positive(F64 x) { return log(x); }
PYVAE_FN F64 log_subnormal(F64 x) { return log(x); }
PYVAE_FN F64 minus_log(F64 a, F64 x) { return a - log(x); }
__attribute__((noinline)) inline F64 log_product(F64 a, F64 b) {
  F64 r;
  for (int i = 0; i < F64::kLanes; ++i) r.v[i] = log_product(a.v[i], b.v[i]);
  return r;
}
__attribute__((noinline)) inline F64 log1p_residual(F64 s, F64 a, F64 b) {
  F64 r;
  for (int i = 0; i < F64::kLanes; ++i) r.v[i] = log1p_residual(s.v[i], a.v[i], b.v[i]);
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
