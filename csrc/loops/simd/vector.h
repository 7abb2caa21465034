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

#include "../../math/numeric.h"

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
