// The functions of math/numeric.h for SIMD vectors.
#pragma once

#include "vector.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// float: polynomials of our own.

PYVAE_FN F32 abs(F32 x) { return as_float(I32((as_int(x).v & 0x7fffffff))); }
PYVAE_FN F32 negative_abs(F32 x) {
  return as_float(I32((as_int(x).v | static_cast<int32_t>(0x80000000u))));
}

// x, but no less (no more) than the bound; NaN stays.
PYVAE_FN F32 at_least(F32 x, float bound) {
#if defined(__AVX512F__) && PYVAE_VECTOR_BYTES == 64
  return (F32::R)_mm512_max_ps(_mm512_set1_ps(bound), (__m512)x.v);
#elif defined(__AVX2__) && PYVAE_VECTOR_BYTES == 32
  return (F32::R)_mm256_max_ps(_mm256_set1_ps(bound), (__m256)x.v);
#else
  return select(x < F32(bound), F32(bound), x);
#endif
}
PYVAE_FN F32 at_most(F32 x, float bound) { return -at_least(-x, -bound); }

// x / ln 2, rounded to a whole number n by adding 3 * 2^22: the bits end in those of n.
constexpr float kMagic = 12582912.f;
PYVAE_FN F32 powers_of_two(F32 x) { return x * F32(1.44269504088896341f) + F32(kMagic); }

// x = n ln 2 + r, |r| <= ln 2 / 2, for t = n + kMagic: exp(r) - 1 - r by a minimax polynomial of
// degree 6 (relative error of exp 3e-9), and the bits of n, from which 2^n is made.
PYVAE_FN F32 exp_residual_reduced(F32 x, F32 t, F32& r, I32& n_bits) {
  const F32 n = t - F32(kMagic);
#if defined(__FMA__)
  r = x - n * F32(0.69314718056f);  // an exact product: off by 2e-9 n at most
#else
  r = x - n * F32(0.693359375f) + n * F32(2.12194440e-4f);
#endif
  const F32 square = r * r;
  const F32 p01 = F32(4.9999993432e-1f) + r * F32(1.6666520398e-1f);
  const F32 p23 = F32(4.1668390795e-2f) + r * F32(8.3687452293e-3f);
  const F32 p = p01 + square * (p23 + square * F32(1.3814540050e-3f));
  n_bits = as_int(t);
  return p * square;
}
PYVAE_FN F32 exp_reduced(F32 x, F32 t, I32& n_bits) {
  F32 r;
  const F32 residual = exp_residual_reduced(x, t, r, n_bits);
  return residual + (r + F32(1.f));
}
// All normal numbers, and 0 for what is smaller. Doubled last, so that the largest finite result is
// reached; n is at least -125, so that half of 2^n is no subnormal number.
PYVAE_FN F32 exp(F32 x) {
  I32 n;
  const F32 t = at_least(at_most(powers_of_two(x), kMagic + 128.f), kMagic - 125.f);
  const F32 p = exp_reduced(x, t, n);
  const F32 half_scale = as_float(I32((n.v << 23) + 0x3f000000));
  return select(x < F32(-87.3365448f), F32(0.f), p * half_scale * F32(2.f));
}
// At least exp(-87) = 2e-38, which stands for 0.
PYVAE_FN F32 exp_nonpositive(F32 x) {
  I32 n;
  x = at_least(x, -87.f);
  const F32 p = exp_reduced(x, powers_of_two(x), n);
  return p * as_float(I32((n.v << 23) + 0x3f800000));
}
// At least exp(-60) = 9e-27.
PYVAE_FN F32 exp_floored(F32 x) { return exp_nonpositive(at_least(x, -60.f)); }
// 2^n (exp(r) - 1) + (2^n - 1), where nothing cancels; e as in exp_floored.
PYVAE_FN F32 expm1_nonpositive(F32 x, F32& e) {
  I32 n;
  F32 r;
  x = at_least(x, -60.f);
  const F32 residual = exp_residual_reduced(x, powers_of_two(x), r, n);
  const F32 p = residual + r;
  const F32 scale = as_float(I32((n.v << 23) + 0x3f800000));
  e = scale * p + scale;
  return scale * p + (scale - F32(1.f));
}

// x = 2^n m with m in [2/3, 4/3): m - 1, and n times 2^23; positive normal x.
constexpr float kLog2OverBits = 8.2629582881927490e-8f;  // ln 2 / 2^23
PYVAE_FN F32 log_reduced(F32 x, F32& n) {
  const I32 bits = as_int(x);
  const I32 n_bits((bits.v - 0x3f2aaaab) & static_cast<int32_t>(0xff800000u));
  n = F32(__builtin_convertvector(n_bits.v, F32::R));
  return as_float(I32(bits.v - n_bits.v)) - F32(1.f);
}
// log(1 + f) - f for f in [-1/3, 1/3), by a minimax polynomial of degree 9 (relative error of the
// logarithm 4e-8) in Estrin's order.
PYVAE_FN F32 log1p_rest(F32 f) {
  const F32 square = f * f;
  const F32 p01 = F32(3.3333265966e-1f) + f * F32(-2.5004240485e-1f);
  const F32 p23 = F32(2.0007924691e-1f) + f * F32(-1.6472241127e-1f);
  const F32 p45 = F32(1.4042200460e-1f) + f * F32(-1.5122784888e-1f);
  const F32 p = p01 + square * (p23 + square * (p45 + square * F32(1.3820872161e-1f)));
  return square * (f * p - F32(0.5f));
}
PYVAE_FN F32 log_positive(F32 x) {
  F32 n;
  const F32 f = log_reduced(x, n);
  return n * F32(kLog2OverBits) + (f + log1p_rest(f));
}
PYVAE_FN F32 log(F32 x) {
  const F32 y = log_positive(x);
  const auto inside = (x.v > 0.f) & (x.v < __builtin_inff());
  const F32 outside =
      select(x.v == 0.f, F32(-__builtin_inff()), select(x.v < 0.f, F32(__builtin_nanf("")), x));
  return select(inside, y, outside);
}

#if defined(__AVX512F__) && PYVAE_VECTOR_BYTES == 64
PYVAE_FN F32 sqrt(F32 x) { return (F32::R)_mm512_sqrt_ps((__m512)x.v); }
#elif defined(__AVX2__) && PYVAE_VECTOR_BYTES == 32
PYVAE_FN F32 sqrt(F32 x) { return (F32::R)_mm256_sqrt_ps((__m256)x.v); }
#else
PYVAE_FN F32 sqrt(F32 x) {
  F32 r;
  for (int i = 0; i < F32::kLanes; ++i) r.v[i] = __builtin_sqrtf(x.v[i]);
  return r;
}
#endif

PYVAE_FN F32 expm1_residual(F32 d, F32 e) {
  F32 p(1.f / 40320);
  p = p * d + F32(1.f / 5040);
  p = p * d + F32(1.f / 720);
  p = p * d + F32(1.f / 120);
  p = p * d + F32(1.f / 24);
  p = p * d + F32(1.f / 6);
  p = p * d + F32(1.f / 2);
  return select(abs(d) > F32(0.5f), e - F32(1.f) - d, p * (d * d));
}

// An exact reduction to an eighth of a turn in integers, then sine and cosine on [-pi/4, pi/4].
PYVAE_FN void sincos_turn(I32 word, F32& s, F32& c) {
  const I32 quadrant((word.v + 0x20000000) >> 30);
  const I32 rest(word.v - (quadrant.v << 30));
  const F32 x = F32(__builtin_convertvector(rest.v, F32::R)) * F32(1.4629180792671596e-9f);
  const F32 q = x * x;
  F32 sine = q * F32(-1.9515295891e-4f) + F32(8.3321608736e-3f);
  sine = (sine * q + F32(-1.6666654611e-1f)) * q * x + x;
  F32 cosine = q * F32(2.443315711809948e-5f) + F32(-1.388731625493765e-3f);
  cosine = (cosine * q + F32(4.166664568298827e-2f)) * q * q - F32(0.5f) * q + F32(1.f);
  const auto swap = (quadrant.v & 1) != 0;
  const I32 flip_sine((quadrant.v & 2) << 30), flip_cosine(((quadrant.v + 1) & 2) << 30);
  s = as_float(as_int(select(swap, cosine, sine)) ^ flip_sine);
  c = as_float(as_int(select(swap, sine, cosine)) ^ flip_cosine);
}

// double: the C library, lane by lane. Exactness matters more than speed there.
#define PYVAE_LANEWISE(name, call)                                                                 \
  PYVAE_FN F64 name(F64 x) {                                                                       \
    F64 r;                                                                                         \
    for (int i = 0; i < F64::kLanes; ++i) r.v[i] = call(x.v[i]);                                   \
    return r;                                                                                      \
  }
PYVAE_LANEWISE(exp, __builtin_exp)
PYVAE_LANEWISE(log, __builtin_log)
PYVAE_LANEWISE(sqrt, __builtin_sqrt)
PYVAE_LANEWISE(abs, __builtin_fabs)
PYVAE_LANEWISE(negative_abs, -__builtin_fabs)
PYVAE_LANEWISE(exp_nonpositive, __builtin_exp)
PYVAE_LANEWISE(exp_floored, __builtin_exp)
#undef PYVAE_LANEWISE
PYVAE_FN F64 expm1_residual(F64 d, F64 e) {
  F64 r;
  for (int i = 0; i < F64::kLanes; ++i) r.v[i] = expm1_residual(d.v[i], e.v[i]);
  return r;
}
PYVAE_FN F64 expm1_nonpositive(F64 x, F64& e) {
  F64 r;
  e = exp(x);
  for (int i = 0; i < F64::kLanes; ++i) r.v[i] = __builtin_expm1(x.v[i]);
  return r;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
