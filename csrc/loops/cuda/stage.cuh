// From matrices of any dtype and any strides to tiles in shared memory, by column: neighbouring
// owners of a column lie side by side, so that a thread reads four of them at once.
#pragma once

#include <type_traits>

#include "../pairs.h"
#include "place.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// What a kernel needs of a view of a matrix.
struct Matrix {
  void* data;
  int64_t stride, step;
  Dtype dtype;

  PYVAE_FN explicit Matrix(const View& v)
      : data(v.data), stride(v.strides[0]), step(v.step), dtype(v.dtype) {}
  PYVAE_FN int64_t place(int64_t row, int64_t column) const { return row * stride + column * step; }
  template <class T>
  PYVAE_FN T get(int64_t row, int64_t column) const {
    return load<T>(data, dtype, place(row, column));
  }
  template <class T>
  PYVAE_FN void put(int64_t row, int64_t column, T x) const {
    store<T>(data, dtype, place(row, column), x);
  }
};

// From one column of a tile to the next. Four modulo the 32 banks: what a warp stages below goes
// to banks of its own, and fours of rows stay aligned.
template <int kRows>
constexpr int kColumnStride = kRows + 4;

// 16 bytes of a matrix.
template <class T>
struct Quarter;
template <>
struct Quarter<float> {
  using Words = float4;
};
template <>
struct Quarter<double> {
  using Words = double2;
};

// The compute type, rows of whole 16-byte words: a warp takes 16 rows and two words of each.
template <int kRows, class T>
__device__ __forceinline__ void stage_words(const T* from, int64_t stride, int rows, int width,
                                            T* tile) {
  using Words = typename Quarter<T>::Words;
  constexpr int kPack = 16 / sizeof(T), kStride = kColumnStride<kRows>, kMany = 4;
  constexpr int kAcross = kTeamThreads / kRows * kPack;  // columns that the block takes at once
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int row = warp % (kRows / 16) * 16 + lane % 16;
  const int first = (warp / (kRows / 16) * 2 + lane / 16) * kPack;
#pragma unroll 1
  for (int j = first; j < width; j += kMany * kAcross) {
    T held[kMany][kPack];
#pragma unroll
    for (int m = 0; m < kMany; ++m) {
      const int column = j + m * kAcross;
      Words words{};
      if (row < rows && column < width)
        words = *reinterpret_cast<const Words*>(from + row * stride + column);
      memcpy(held[m], &words, sizeof(words));
    }
#pragma unroll
    for (int m = 0; m < kMany; ++m) {
      const int column = j + m * kAcross;
      if (column < width) {
#pragma unroll
        for (int e = 0; e < kPack; ++e) tile[(column + e) * kStride + row] = held[m][e];
      }
    }
  }
}

// One element as it lies in memory, so that many are under way before the first is needed.
template <class T>
struct RawElement {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  Bits bits;

  __device__ __forceinline__ void fetch(const void* data, Dtype dtype, int64_t place) {
    switch (element_size(dtype)) {
      case 1:
        bits = static_cast<const uint8_t*>(data)[place];
        break;
      case 2:
        bits = static_cast<const uint16_t*>(data)[place];
        break;
      case 4:
        bits = static_cast<const uint32_t*>(data)[place];
        break;
      default:  // only where the compute type is as wide
        if constexpr (sizeof(T) == 8) bits = static_cast<const uint64_t*>(data)[place];
    }
  }
  __device__ __forceinline__ T value(Dtype dtype) const {
    const auto low = static_cast<uint32_t>(bits);
    const auto half = static_cast<uint16_t>(low);
    switch (dtype) {
      case Dtype::u8:
        return static_cast<T>(low);
      case Dtype::bf16:
        return static_cast<T>(widen(Bfloat{half}));
      case Dtype::f16:
        return static_cast<T>(widen(Half{half}));
      case Dtype::f32:
        return static_cast<T>(float_of(low));
      default: {
        T x;
        memcpy(&x, &bits, sizeof(x));
        return x;
      }
    }
  }
};

// Any dtype and step: a warp takes 4 rows and 8 columns.
template <int kRows, class T>
__device__ __forceinline__ void stage_singles(const Matrix& m, int64_t place, int rows, int width,
                                              T* tile) {
  constexpr int kStride = kColumnStride<kRows>, kMany = kRows / 16;
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int row = warp * 4 + lane % 4;
#pragma unroll 1
  for (int j = lane / 4; j < width; j += 8) {
    RawElement<T> held[kMany];
#pragma unroll
    for (int n = 0; n < kMany; ++n) {
      held[n].bits = 0;
      if (row + 16 * n < rows)
        held[n].fetch(m.data, m.dtype, place + (row + 16 * n) * m.stride + j * m.step);
    }
#pragma unroll
    for (int n = 0; n < kMany; ++n) tile[j * kStride + row + 16 * n] = held[n].value(m.dtype);
  }
}

// Rows [row, row + rows) and columns [column, column + width); rows up to kRows are 0.
template <int kRows, class T>
__device__ __forceinline__ void stage(const Matrix& m, int64_t row, int rows, int64_t column,
                                      int width, T* tile) {
  static_assert(kTeamThreads == 128 && (kRows == 64 || kRows == 32));
  constexpr int kPack = 16 / sizeof(T);
  const int64_t place = m.place(row, column);
  const T* from = static_cast<const T*>(m.data) + place;
  if (m.dtype == DtypeOf<T>::value && m.step == 1 && m.stride % kPack == 0 && width % kPack == 0 &&
      reinterpret_cast<uintptr_t>(from) % 16 == 0)
    stage_words<kRows>(from, m.stride, rows, width, tile);
  else
    stage_singles<kRows>(m, place, rows, width, tile);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
