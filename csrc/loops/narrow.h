// Vectors between memory of 8 and 16 bits and registers of float32.
#pragma once

#include <string.h>

#include "element.h"
#include "simd.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// One vector out of memory of 16 or 8 bits, and back: all lanes or the first n.
using Shorts = uint16_t __attribute__((vector_size(PYVAE_VECTOR_BYTES / 2)));
using Bytes = uint8_t __attribute__((vector_size(PYVAE_VECTOR_BYTES / 4)));
template <class S>
constexpr bool kNarrow = __is_same(S, Bfloat) || __is_same(S, Half) || __is_same(S, uint8_t);
PYVAE_FN bool is_narrow(Dtype dtype) {
  return dtype == Dtype::bf16 || dtype == Dtype::f16 || dtype == Dtype::u8;
}
// Compilers widen and narrow vectors of bytes and shorts in pieces, unless they are told how.
PYVAE_FN F32 widen_vector(const Bfloat* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512BW__)
  const __m256i bits = _mm256_loadu_si256((const __m256i*)p);
  const __m512i low = __builtin_shufflevector(bits, bits, 0, 1, 2, 3, -1, -1, -1, -1);
  const __m512i places = _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8,
                                          8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
  return (F32::R)_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, places, low);
#elif PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
  return (F32::R)_mm256_slli_epi32(wide, 16);
#else
  Shorts bits;
  memcpy(&bits, p, sizeof(bits));
  return as_float(I32(__builtin_convertvector(bits, I32::R) << 16));
#endif
}
PYVAE_FN F32 widen_vector(const uint8_t* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512F__)
  return __builtin_convertvector(
      (I32::R)_mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128((const __m128i*)p)), F32::R);
#elif PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
  return (F32::R)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
  Bytes bytes;
  memcpy(&bytes, p, sizeof(bytes));
  return __builtin_convertvector(__builtin_convertvector(bytes, I32::R), F32::R);
#endif
}
PYVAE_FN F32 widen_vector(const Half* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512F__)
  return (F32::R)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i*)p));
#elif PYVAE_VECTOR_BYTES == 32 && defined(__F16C__)
  return (F32::R)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#else
  F32 wide(0.f);
  for (int i = 0; i < F32::kLanes; ++i) wide.v[i] = widen(p[i]);
  return wide;
#endif
}
// A bfloat in the upper half of each lane, to nearest, ties to even; the lower half is left over. A
// NaN stays one if its lower half is 0: only a carry from there could make it something else.
using Bits = Raw<uint32_t>::type;
PYVAE_FN Bits round_bfloat(F32 x) {
  const Bits b = (Bits)x.v;
  return (b | ((b >> 16) & 1)) + 0x7fff;
}
PYVAE_FN void narrow_vector(F32 x, Bfloat* p) {
  const Bits r = x.v == x.v ? round_bfloat(x) : (Bits)x.v;  // arithmetic makes quiet NaNs
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512BW__)
  const __m512i places =
      _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 31, 29, 27, 25,
                       23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const __m512i words = _mm512_maskz_permutexvar_epi16(0xffffffff, places, (__m512i)r);
  _mm256_storeu_si256((__m256i*)p, __builtin_shufflevector(words, words, 0, 1, 2, 3));
#elif PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
  const __m256i upper = (__m256i)(r >> 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0x08);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
#else
  const auto bits = __builtin_convertvector(r >> 16, Shorts);
  memcpy(p, &bits, sizeof(bits));
#endif
}
// x, a NaN as arithmetic makes it. Compilers take a choice between x and something else by x == x
// for x itself.
PYVAE_FN float canonical_nan(float x) {
  const uint32_t b = bits_of(x);
  return float_of((b & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : b);
}
// Two vectors of bfloats, those at even places and those at odd ones: no lane moves. What is
// narrowed is made of bfloats and canonical NaNs, so that its NaNs have a lower half of 0.
PYVAE_FN void widen_two(const Bfloat* p, F32& even, F32& odd) {
  Bits b;
  memcpy(&b, p, sizeof(b));
  even = F32((F32::R)(b << 16));
  odd = F32((F32::R)(b & 0xffff0000u));
}
PYVAE_FN void narrow_two(F32 even, F32 odd, Bfloat* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512BW__)
  // One instruction rounds both, the even ones into the lower half of a vector. It takes subnormal
  // numbers, below 1.2e-38, for 0. Compilers know it only where all code may use it.
  if (__builtin_cpu_supports("avx512bf16")) {
    __m512i halves;
    __asm__("vcvtne2ps2bf16 %2, %1, %0" : "=v"(halves) : "v"(odd.v), "v"(even.v));
    const __m512i places =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    _mm512_storeu_si512(p, _mm512_maskz_permutexvar_epi16(0xffffffff, places, halves));
    return;
  }
#endif
  const Bits b = (round_bfloat(even) >> 16) | (round_bfloat(odd) & 0xffff0000u);
  memcpy(p, &b, sizeof(b));
}
PYVAE_FN void narrow_vector(F32 x, Half* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512F__)
  _mm256_storeu_si256((__m256i*)p, _mm512_maskz_cvtps_ph(0xffff, (__m512)x.v, 0));
#elif PYVAE_VECTOR_BYTES == 32 && defined(__F16C__)
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph((__m256)x.v, 0));
#else
  for (int i = 0; i < F32::kLanes; ++i) p[i] = to_half(x.v[i]);
#endif
}
template <class S>
PYVAE_FN F32 widen_vector(const S* p, int n) {
  if (n >= F32::kLanes) return widen_vector(p);
  S part[F32::kLanes] = {};
  memcpy(part, p, n * sizeof(S));
  return widen_vector(part);
}
template <class D>
PYVAE_FN void narrow_vector(F32 x, D* p, int n) {
  if (n >= F32::kLanes) return narrow_vector(x, p);
  D part[F32::kLanes];
  narrow_vector(x, part);
  memcpy(p, part, n * sizeof(D));
}
PYVAE_FN F32 load_narrow(const void* p, Dtype dtype, int64_t j, int n) {
  if (dtype == Dtype::bf16) return widen_vector(static_cast<const Bfloat*>(p) + j, n);
  if (dtype == Dtype::f16) return widen_vector(static_cast<const Half*>(p) + j, n);
  return widen_vector(static_cast<const uint8_t*>(p) + j, n);
}
PYVAE_FN void store_narrow(F32 x, void* p, Dtype dtype, int64_t j, int n) {
  if (dtype == Dtype::bf16)
    narrow_vector(x, static_cast<Bfloat*>(p) + j, n);
  else
    narrow_vector(x, static_cast<Half*>(p) + j, n);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
