// Elements of any dtype, into and out of a tile of the compute type.
#pragma once

#include <string.h>

#include "element.h"
#include "simd.h"

namespace pyvae {
inline namespace PYVAE_ISA {

#if defined(__F16C__)
template <class T>
PYVAE_FN int load_halves(const Half*, T*, int) {
  return 0;
}
PYVAE_FN int load_halves(const Half* p, float* tile, int n) {
  int j = 0;
  for (; j + 8 <= n; j += 8)
    _mm256_storeu_ps(tile + j, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + j))));
  return j;
}
template <class T>
PYVAE_FN int store_halves(Half*, const T*, int) {
  return 0;
}
PYVAE_FN int store_halves(Half* p, const float* tile, int n) {
  int j = 0;
  for (; j + 8 <= n; j += 8)
    _mm_storeu_si128((__m128i*)(p + j), _mm256_cvtps_ph(_mm256_loadu_ps(tile + j), 0));
  return j;
}
#endif

// Whole vectors of bfloat16; how many elements were done.
using Shorts = uint16_t __attribute__((vector_size(PYVAE_VECTOR_BYTES / 2)));
template <class T>
PYVAE_FN int load_bfloats(const Bfloat*, T*, int) {
  return 0;
}
inline int load_bfloats(const Bfloat* p, float* tile, int n) {
  constexpr int W = F32::kLanes;
  int j = 0;
  for (; j + W <= n; j += W) {
    Shorts bits;
    memcpy(&bits, p + j, sizeof(bits));
    const auto wide = __builtin_convertvector(bits, I32::R) << 16;
    memcpy(tile + j, &wide, sizeof(wide));
  }
  return j;
}
template <class T>
PYVAE_FN int store_bfloats(Bfloat*, const T*, int) {
  return 0;
}
inline int store_bfloats(Bfloat* p, const float* tile, int n) {
  constexpr int W = F32::kLanes;
  int j = 0;
  for (; j + W <= n; j += W) {
    const I32::R b = as_int(F32::load(tile + j)).v;
    const I32::R rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
    const I32::R r = (b & 0x7fffffff) > 0x7f800000 ? rounded * 0 + 0x7fc0 : rounded;
    const auto bits = __builtin_convertvector(r, Shorts);
    memcpy(p + j, &bits, sizeof(bits));
  }
  return j;
}

template <class S, class T>
void load_tile(const void* data, int64_t step, T* tile, int n) {
  const S* p = static_cast<const S*>(data);
  if (step == 1) {
    int j = 0;
    if constexpr (__is_same(S, Bfloat)) j = load_bfloats(p, tile, n);
#if defined(__F16C__)
    if constexpr (__is_same(S, Half)) j = load_halves(p, tile, n);
#endif
    for (; j < n; ++j) tile[j] = static_cast<T>(widen(p[j]));
  } else if (step == 0) {
    const T x = static_cast<T>(widen(p[0]));
    for (int j = 0; j < n; ++j) tile[j] = x;
  } else {
    for (int j = 0; j < n; ++j) tile[j] = static_cast<T>(widen(p[j * step]));
  }
}
template <class D, class T>
void store_tile(void* data, int64_t step, const T* tile, int n) {
  D* p = static_cast<D*>(data);
  int j = 0;
  if constexpr (__is_same(D, Bfloat))
    if (step == 1) j = store_bfloats(p, tile, n);
#if defined(__F16C__)
  if constexpr (__is_same(D, Half))
    if (step == 1) j = store_halves(p, tile, n);
#endif
  if (step == 1)
    for (; j < n; ++j) p[j] = Narrow<D>::from(tile[j]);
  else
    for (; j < n; ++j) p[j * step] = Narrow<D>::from(tile[j]);
}

template <class T>
__attribute__((noinline)) const T* fetch_by_tile(const View& v, int64_t offset, T* tile, int n) {
  const void* p = element(v, offset);
  switch (v.dtype) {
    case Dtype::f32:
      load_tile<float>(p, v.step, tile, n);
      break;
    case Dtype::f64:
      load_tile<double>(p, v.step, tile, n);
      break;
    case Dtype::bf16:
      load_tile<Bfloat>(p, v.step, tile, n);
      break;
    case Dtype::f16:
      load_tile<Half>(p, v.step, tile, n);
      break;
    case Dtype::u8:
      load_tile<uint8_t>(p, v.step, tile, n);
      break;
    case Dtype::i16:
      load_tile<int16_t>(p, v.step, tile, n);
      break;
    case Dtype::i32:
      load_tile<int32_t>(p, v.step, tile, n);
      break;
    case Dtype::i64:
      load_tile<int64_t>(p, v.step, tile, n);
      break;
  }
  return tile;
}
// n elements from `offset` on: in place where they lie ready, else by way of the tile.
template <class T>
PYVAE_FN const T* fetch(const View& v, int64_t offset, T* tile, int n) {
  if (v.dtype == DtypeOf<T>::value && v.step == 1) return static_cast<const T*>(v.data) + offset;
  return fetch_by_tile(v, offset, tile, n);
}
// Where to write elements from `offset` on: in place where memory is ready for them, else the tile,
// which `put` then writes back.
template <class T>
PYVAE_FN T* place(const View& v, int64_t offset, T* tile) {
  if (v.dtype != DtypeOf<T>::value || v.step != 1) return tile;
  return static_cast<T*>(v.data) + offset;
}
template <class T>
void put(const View& v, int64_t offset, const T* tile, int n) {
  void* p = element(v, offset);
  switch (v.dtype) {
    case Dtype::f32:
      store_tile<float>(p, v.step, tile, n);
      break;
    case Dtype::f64:
      store_tile<double>(p, v.step, tile, n);
      break;
    case Dtype::bf16:
      store_tile<Bfloat>(p, v.step, tile, n);
      break;
    case Dtype::f16:
      store_tile<Half>(p, v.step, tile, n);
      break;
    default:  // integers have no gradient
      break;
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
