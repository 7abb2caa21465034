// Elements of any dtype, into and out of a tile of the compute type.
#pragma once

#include <stdint.h>
#include <string.h>

#include "rows.h"
#include "simd.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// 16-bit floats as bits.
struct Bfloat {
  uint16_t bits;
};
struct Half {
  uint16_t bits;
};

PYVAE_FN uint32_t bits_of(float x) {
  uint32_t b;
  memcpy(&b, &x, 4);
  return b;
}
PYVAE_FN float float_of(uint32_t b) {
  float x;
  memcpy(&x, &b, 4);
  return x;
}

template <class T>
PYVAE_FN T widen(T x) {
  return x;
}
PYVAE_FN float widen(uint8_t x) { return static_cast<float>(x); }
PYVAE_FN float widen(Bfloat x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }
// A half's exponent and mantissa, moved to a float's, are 2^112 too small; infinities and NaNs
// need the float's own exponent.
PYVAE_FN float widen(Half x) {
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fff) << 13;
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t finite = bits_of(float_of(magnitude) * 0x1p112f);
  return float_of(sign | (magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite));
}

// Round to nearest, ties to even.
PYVAE_FN Bfloat to_bfloat(float x) {
  const uint32_t b = bits_of(x);
  const uint32_t rounded = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
  return {static_cast<uint16_t>((b & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded)};
}
// Scaling up and down again rounds at the half's last place; its largest values become infinite.
PYVAE_FN Half to_half(float x) {
  const uint32_t b = bits_of(x), sign = (b >> 16) & 0x8000u, magnitude = b & 0x7fffffffu;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t r = magnitude >= 0x477ff000u  ? special
                     : magnitude < 0x38800000u ? subnormal
                                               : normal;
  return {static_cast<uint16_t>(sign | r)};
}
template <class D>
struct Narrow {
  template <class T>
  PYVAE_FN static D from(T x) {
    return static_cast<D>(x);
  }
};
template <>
struct Narrow<Bfloat> {
  template <class T>
  PYVAE_FN static Bfloat from(T x) {
    return to_bfloat(static_cast<float>(x));
  }
};
template <>
struct Narrow<Half> {
  template <class T>
  PYVAE_FN static Half from(T x) {
    return to_half(static_cast<float>(x));
  }
};

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

constexpr int kElementSize[] = {4, 8, 2, 2, 1};  // by Dtype

PYVAE_FN void* element(const View& v, int64_t offset) {
  return static_cast<char*>(v.data) + offset * kElementSize[static_cast<int>(v.dtype)];
}

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::f32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::f64;
};

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
    case Dtype::u8:
      break;
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
