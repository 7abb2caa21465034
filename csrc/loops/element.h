// Elements of any dtype, one at a time: what memory holds, and the compute type it becomes.
#pragma once

#include <stdint.h>
#include <string.h>

#include "../math/numeric.h"
#include "rows.h"

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
PYVAE_FN float widen(int16_t x) { return static_cast<float>(x); }
// float64 holds every integer up to 2^53; what float32 cannot hold, the ops refuse.
PYVAE_FN double widen(int32_t x) { return static_cast<double>(x); }
PYVAE_FN double widen(int64_t x) { return static_cast<double>(x); }
PYVAE_FN float widen(Bfloat x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }
// A half's exponent and mantissa, moved to a float's, are 2^112 too small; infinities and NaNs
// need the float's own exponent.
PYVAE_FN float widen(Half x) {
#if defined(__CUDA_ARCH__)
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
#else
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fff) << 13;
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t finite = bits_of(float_of(magnitude) * 0x1p112f);
  return float_of(sign | (magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite));
#endif
}

// Round to nearest, ties to even.
PYVAE_FN Bfloat to_bfloat(float x) {
#if defined(__CUDA_ARCH__)
  Bfloat narrow;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(x));
  return narrow;
#else
  const uint32_t b = bits_of(x);
  const uint32_t rounded = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
  return {static_cast<uint16_t>((b & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded)};
#endif
}
// Scaling up and down again rounds at the half's last place; its largest values become infinite.
PYVAE_FN Half to_half(float x) {
#if defined(__CUDA_ARCH__)
  Half narrow;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(x));
  return narrow;
#else
  const uint32_t b = bits_of(x), sign = (b >> 16) & 0x8000u, magnitude = b & 0x7fffffffu;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t r = magnitude >= 0x477ff000u  ? special
                     : magnitude < 0x38800000u ? subnormal
                                               : normal;
  return {static_cast<uint16_t>(sign | r)};
#endif
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

// Bytes of an element: a table of half-bytes by dtype.
PYVAE_FN int element_size(Dtype dtype) {
  return (0x84212284u >> (4 * static_cast<int>(dtype))) & 15;
}

PYVAE_FN void* element(const View& v, int64_t offset) {
  return static_cast<char*>(v.data) + offset * element_size(v.dtype);
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

}  // namespace PYVAE_ISA
}  // namespace pyvae
