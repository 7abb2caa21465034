// Neighbouring columns of one operand in one thread: loaded as they lie in memory, turned into the
// compute type when they are needed, so that the loads of several packs are under way at once.
#pragma once

#include "place.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// same: every operand has the compute type and lies in whole packs; mixed: each has a dtype of its
// own and lies in whole packs, or is one number per row; single: anything, element by element.
enum class Path : int { same, mixed, single };

// At least a pack's bytes of a dtype, or 16.
PYVAE_FN constexpr int pack_alignment(int bytes) { return bytes < 16 ? bytes : 16; }

// The columns of a pack that are there: [lo, hi).
struct Span {
  int lo, hi;
};

template <Path kPath, class T, int kPack>
struct Pack;

template <class T, int kPack>
struct Pack<Path::same, T, kPack> {
  static constexpr int kWords = kPack * sizeof(T) / 16;
  uint4 raw[kWords];

  __device__ __forceinline__ void fetch(const View&, const char* p, int j, Span) {
    const uint4* from = reinterpret_cast<const uint4*>(p + j * static_cast<int>(sizeof(T)));
#pragma unroll
    for (int i = 0; i < kWords; ++i) raw[i] = from[i];
  }
  __device__ __forceinline__ void unpack(const View&, T (&x)[kPack]) const {
    memcpy(x, raw, sizeof(x));
  }
  __device__ __forceinline__ static void write(const View&, char* p, int j, Span,
                                               const T (&x)[kPack]) {
    uint4 words[kWords];
    memcpy(words, x, sizeof(x));
    uint4* to = reinterpret_cast<uint4*>(p + j * static_cast<int>(sizeof(T)));
#pragma unroll
    for (int i = 0; i < kWords; ++i) to[i] = words[i];
  }
};

// The 16-bit halves and the bytes of a word.
PYVAE_FN uint16_t half_of(uint32_t word, int i) { return static_cast<uint16_t>(word >> (16 * i)); }
PYVAE_FN uint8_t byte_of(uint32_t word, int i) { return static_cast<uint8_t>(word >> (8 * i)); }

// Packs of 4 or 8, of any dtype up to u8 but f64.
template <int kPack>
struct Pack<Path::mixed, float, kPack> {
  uint32_t raw[kPack];

  template <class W, int kCount>
  __device__ __forceinline__ void read(const char* p) {
    W words[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) words[i] = reinterpret_cast<const W*>(p)[i];
    memcpy(raw, words, sizeof(words));
  }
  __device__ __forceinline__ void fetch(const View& v, const char* p, int j, Span) {
    if (v.step == 0) {
      raw[0] = bits_of(load<float>(p, v.dtype, 0));
      return;
    }
    p += j * element_size(v.dtype);
    if (v.dtype == Dtype::f32)
      read<uint4, kPack / 4>(p);
    else if (v.dtype != Dtype::u8)
      kPack == 8 ? read<uint4, 1>(p) : read<uint2, 1>(p);
    else
      kPack == 8 ? read<uint2, 1>(p) : read<uint32_t, 1>(p);
  }
  __device__ __forceinline__ void unpack(const View& v, float (&x)[kPack]) const {
    if (v.step == 0) {
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = float_of(raw[0]);
    } else if (v.dtype == Dtype::f32) {
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = float_of(raw[e]);
    } else if (v.dtype == Dtype::bf16) {
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = widen(Bfloat{half_of(raw[e / 2], e % 2)});
    } else if (v.dtype == Dtype::f16) {
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = widen(Half{half_of(raw[e / 2], e % 2)});
    } else {
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = widen(byte_of(raw[e / 4], e % 4));
    }
  }
  __device__ __forceinline__ static void write(const View& v, char* p, int j, Span,
                                               const float (&x)[kPack]) {
    p += j * element_size(v.dtype);
    if (v.dtype == Dtype::f32) {
      uint4 words[kPack / 4];
      memcpy(words, x, sizeof(x));
#pragma unroll
      for (int i = 0; i < kPack / 4; ++i) reinterpret_cast<uint4*>(p)[i] = words[i];
      return;
    }
    uint32_t pairs[kPack / 2];
    if (v.dtype == Dtype::bf16) {
#pragma unroll
      for (int i = 0; i < kPack / 2; ++i)
        pairs[i] = to_bfloat(x[2 * i]).bits | uint32_t{to_bfloat(x[2 * i + 1]).bits} << 16;
    } else {
#pragma unroll
      for (int i = 0; i < kPack / 2; ++i)
        pairs[i] = to_half(x[2 * i]).bits | uint32_t{to_half(x[2 * i + 1]).bits} << 16;
    }
    if constexpr (kPack == 8)
      *reinterpret_cast<uint4*>(p) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
    else
      *reinterpret_cast<uint2*>(p) = make_uint2(pairs[0], pairs[1]);
  }
};

template <class T, int kPack>
struct Pack<Path::single, T, kPack> {
  T raw[kPack];

  __device__ __forceinline__ void fetch(const View& v, const char* p, int j, Span span) {
    with_dtype(v.dtype, [&]<class D>(D) {
      const D* from = reinterpret_cast<const D*>(p);
#pragma unroll
      for (int e = 0; e < kPack; ++e)
        raw[e] = e >= span.lo && e < span.hi ? as<T>(from[(j + e) * v.step]) : T(0);
    });
  }
  __device__ __forceinline__ void unpack(const View&, T (&x)[kPack]) const {
#pragma unroll
    for (int e = 0; e < kPack; ++e) x[e] = raw[e];
  }
  __device__ __forceinline__ static void write(const View& v, char* p, int j, Span span,
                                               const T (&x)[kPack]) {
    with_float_dtype(v.dtype, [&]<class D>(D) {
      D* to = reinterpret_cast<D*>(p);
#pragma unroll
      for (int e = 0; e < kPack; ++e)
        if (e >= span.lo && e < span.hi) to[(j + e) * v.step] = Narrow<D>::from(x[e]);
    });
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
