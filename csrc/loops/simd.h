// SIMD vectors by the compiler's vector extension: one source for every instruction set, the width
// from PYVAE_VECTOR_BYTES. Includes neither torch nor any header with code of its own.
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <utility>

#include "../math/numeric.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PYVAE_SHUFFLE 1
#endif
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
struct Raw {
  typedef T type __attribute__((vector_size(PYVAE_VECTOR_BYTES)));
};

template <class T>
struct Vec {
  using R = typename Raw<T>::type;
  static constexpr int kLanes = PYVAE_VECTOR_BYTES / sizeof(T);
  R v;
  Vec() = default;
  PYVAE_FN Vec(R raw) : v(raw) {}
  PYVAE_FN explicit Vec(double s) : v(static_cast<T>(s) - R{}) {}
  PYVAE_FN explicit Vec(float s) : v(static_cast<T>(s) - R{}) {}
  PYVAE_FN explicit Vec(int s) : v(static_cast<T>(s) - R{}) {}
  PYVAE_FN explicit Vec(uint32_t s) : v(static_cast<T>(s) - R{}) {}

  PYVAE_FN friend Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  PYVAE_FN friend Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  PYVAE_FN friend Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  PYVAE_FN friend Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  PYVAE_FN friend Vec operator^(Vec a, Vec b) { return a.v ^ b.v; }
  PYVAE_FN friend Vec operator-(Vec a) { return -a.v; }
  PYVAE_FN friend auto operator<(Vec a, Vec b) { return a.v < b.v; }
  PYVAE_FN friend auto operator>(Vec a, Vec b) { return a.v > b.v; }
  PYVAE_FN friend auto operator==(Vec a, Vec b) { return a.v == b.v; }

  PYVAE_FN static Vec load(const T* p) {
    Vec r;
    memcpy(&r.v, p, sizeof(R));
    return r;
  }
  PYVAE_FN void store(T* p) const { memcpy(p, &v, sizeof(R)); }
  // The first n lanes; the others read as 0.
  PYVAE_FN static Vec load(const T* p, int n) {
    Vec r(0);
    for (int i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }
  PYVAE_FN void store(T* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
};

// One vector to memory that is not read again soon, past the caches. Aligned.
template <class T>
PYVAE_FN void stream(Vec<T> x, T* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512F__)
  _mm512_stream_si512((__m512i*)p, (__m512i)x.v);
#elif PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
  _mm256_stream_si256((__m256i*)p, (__m256i)x.v);
#elif PYVAE_VECTOR_BYTES == 16 && defined(__SSE2__)
  _mm_stream_si128((__m128i*)p, (__m128i)x.v);
#else
  x.store(p);
#endif
}
// Streamed vectors are in memory before what other threads do next.
PYVAE_FN void finish_streams() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

using F32 = Vec<float>;
using F64 = Vec<double>;
using I32 = Vec<int32_t>;
using U64 = Vec<uint64_t>;

#if PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
PYVAE_FN __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
template <>
PYVAE_FN F32 F32::load(const float* p, int n) {
  return (R)_mm256_maskload_ps(p, first_lanes(n));
}
template <>
PYVAE_FN void F32::store(float* p, int n) const {
  _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
}
#elif PYVAE_VECTOR_BYTES == 64 && defined(__AVX512F__)
template <>
PYVAE_FN F32 F32::load(const float* p, int n) {
  return (R)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
template <>
PYVAE_FN void F32::store(float* p, int n) const {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
}
#endif

template <class M, class T>
PYVAE_FN Vec<T> select(M m, Vec<T> a, Vec<T> b) {
  return m ? a.v : b.v;
}
PYVAE_FN F32 as_float(I32 x) { return (F32::R)x.v; }
PYVAE_FN I32 as_int(F32 x) { return (I32::R)x.v; }

template <class T>
PYVAE_FN auto lane_index() {  // 0, 1, 2, ... as T
  Vec<T> r;
  for (int i = 0; i < Vec<T>::kLanes; ++i) r.v[i] = static_cast<T>(i);
  return r;
}
// The upper half onto the lower one, until one lane is left.
#if defined(PYVAE_SHUFFLE)
template <class R, size_t... i>
PYVAE_FN auto fold(R v, std::index_sequence<i...>) {
  return __builtin_shufflevector(v, v, i...) + __builtin_shufflevector(v, v, (i + sizeof...(i))...);
}
template <size_t kLanes, class R>
PYVAE_FN auto sum_raw(R v) {
  if constexpr (kLanes == 2)
    return v[0] + v[1];
  else
    return sum_raw<kLanes / 2>(fold(v, std::make_index_sequence<kLanes / 2>()));
}
template <class T>
PYVAE_FN T sum_lanes(Vec<T> x) {
  return sum_raw<Vec<T>::kLanes>(x.v);
}
template <class R, size_t... i>
PYVAE_FN auto fold_max(R v, std::index_sequence<i...>) {
  const auto a = __builtin_shufflevector(v, v, i...);
  const auto b = __builtin_shufflevector(v, v, (i + sizeof...(i))...);
  return a > b ? a : b;
}
template <size_t kLanes, class R>
PYVAE_FN auto max_raw(R v) {
  if constexpr (kLanes == 2)
    return v[0] > v[1] ? v[0] : v[1];
  else
    return max_raw<kLanes / 2>(fold_max(v, std::make_index_sequence<kLanes / 2>()));
}
template <class T>
PYVAE_FN T max_lanes(Vec<T> x) {
  return max_raw<Vec<T>::kLanes>(x.v);
}
#else
template <class T>
PYVAE_FN T sum_lanes(Vec<T> x) {
  for (int w = Vec<T>::kLanes / 2; w; w /= 2)
    for (int i = 0; i < w; ++i) x.v[i] += x.v[i + w];
  return x.v[0];
}
template <class T>
PYVAE_FN T max_lanes(Vec<T> x) {
  for (int w = Vec<T>::kLanes / 2; w; w /= 2)
    for (int i = 0; i < w; ++i) x.v[i] = x.v[i + w] > x.v[i] ? x.v[i + w] : x.v[i];
  return x.v[0];
}
#endif

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

// a0 b0 c0 d0 a1 b1 c1 d1 ...: four vectors as one row of groups.
#if defined(PYVAE_SHUFFLE) && PYVAE_VECTOR_BYTES == 32
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  const auto low = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  };
  const auto high = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  };
  using D = Raw<double>::type;  // pairs
  const D ab0 = (D)low(v[0].v, v[1].v), ab1 = (D)high(v[0].v, v[1].v);
  const D cd0 = (D)low(v[2].v, v[3].v), cd1 = (D)high(v[2].v, v[3].v);
  const D g0 = __builtin_shufflevector(ab0, cd0, 0, 4, 2, 6);  // groups 0 and 4
  const D g1 = __builtin_shufflevector(ab0, cd0, 1, 5, 3, 7);  // groups 1 and 5
  const D g2 = __builtin_shufflevector(ab1, cd1, 0, 4, 2, 6);
  const D g3 = __builtin_shufflevector(ab1, cd1, 1, 5, 3, 7);
  const D o[4] = {
      __builtin_shufflevector(g0, g1, 0, 1, 4, 5), __builtin_shufflevector(g2, g3, 0, 1, 4, 5),
      __builtin_shufflevector(g0, g1, 2, 3, 6, 7), __builtin_shufflevector(g2, g3, 2, 3, 6, 7)};
  for (int k = 0; k < 4; ++k) memcpy(out + 8 * k, &o[k], sizeof(D));
}
#elif defined(PYVAE_SHUFFLE) && PYVAE_VECTOR_BYTES == 64
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  const auto low = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  };
  const auto high = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15,
                                   31);
  };
  using D = Raw<double>::type;  // pairs
  const auto even = [](D a, D b) {
    return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  };
  const auto odd = [](D a, D b) {
    return __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  };
  const D ab0 = (D)low(v[0].v, v[1].v), ab1 = (D)high(v[0].v, v[1].v);
  const D cd0 = (D)low(v[2].v, v[3].v), cd1 = (D)high(v[2].v, v[3].v);
  const D g[4] = {even(ab0, cd0), odd(ab0, cd0), even(ab1, cd1), odd(ab1, cd1)};  // k, k + 4, ...
  const auto halves = [](D a, D b) {
    return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13);
  };
  const auto others = [](D a, D b) {
    return __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
  };
  const D p01 = halves(g[0], g[1]), p23 = halves(g[2], g[3]);  // groups 0 8 1 9, 2 10 3 11
  const D q01 = others(g[0], g[1]), q23 = others(g[2], g[3]);  // groups 4 12 5 13, 6 14 7 15
  const D o[4] = {halves(p01, p23), halves(q01, q23), others(p01, p23), others(q01, q23)};
  for (int k = 0; k < 4; ++k) memcpy(out + 16 * k, &o[k], sizeof(D));
}
#else
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  constexpr int W = F32::kLanes;
  float t[4][W];
  for (int k = 0; k < 4; ++k) v[k].store(t[k]);
  for (int i = 0; i < W; ++i)
    for (int k = 0; k < 4; ++k) out[4 * i + k] = t[k][i];
}
#endif

// Philox words: 32-bit numbers in 64-bit lanes, the upper half arbitrary.
PYVAE_FN void multiply_wide(U64 x, uint32_t m, U64& hi, U64& lo) {
#if defined(__AVX512F__) && PYVAE_VECTOR_BYTES == 64
  lo = (U64::R)_mm512_mul_epu32((__m512i)x.v, _mm512_set1_epi64(m));
#elif defined(__AVX2__) && PYVAE_VECTOR_BYTES == 32
  lo = (U64::R)_mm256_mul_epu32((__m256i)x.v, _mm256_set1_epi64x(m));
#elif defined(__SSE2__) && PYVAE_VECTOR_BYTES == 16
  lo = (U64::R)_mm_mul_epu32((__m128i)x.v, _mm_set1_epi64x(m));
#else
  lo = U64((x.v & 0xffffffffull) * static_cast<uint64_t>(m));
#endif
  hi = U64(lo.v >> 32);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
