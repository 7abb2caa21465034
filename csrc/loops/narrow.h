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
// To nearest, ties to even.
PYVAE_FN void narrow_vector(F32 x, Bfloat* p) {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512BW__)
  // Half a place is added, less one bit where the place is even; nothing to NaN, which stays one
  // without its lower half, for arithmetic makes quiet ones.
  const __m512i b = (__m512i)x.v;
  const __mmask16 number = _mm512_cmp_ps_mask((__m512)x.v, (__m512)x.v, _CMP_EQ_OQ);
  const __mmask16 odd = _mm512_mask_test_epi32_mask(number, b, _mm512_set1_epi32(0x10000));
  __m512i r = _mm512_mask_add_epi32(b, number, b, _mm512_set1_epi32(0x7fff));
  r = _mm512_mask_add_epi32(r, odd, b, _mm512_set1_epi32(0x8000));
  const __m512i places =
      _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 31, 29, 27, 25,
                       23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const __m512i words = _mm512_maskz_permutexvar_epi16(0xffffffff, places, r);
  _mm256_storeu_si256((__m256i*)p, __builtin_shufflevector(words, words, 0, 1, 2, 3));
#else
  const I32::R b = as_int(x).v;
  const I32::R rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
  const I32::R r = x.v == x.v ? rounded : rounded * 0 + 0x7fc0;
#if PYVAE_VECTOR_BYTES == 32 && defined(__AVX2__)
  const __m256i low = _mm256_and_si256((__m256i)r, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
#else
  const auto bits = __builtin_convertvector(r, Shorts);
  memcpy(p, &bits, sizeof(bits));
#endif
#endif
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
