// From matrices of any dtype and any strides to tiles in shared memory, by column: neighbouring
// owners of a column lie side by side, so that a thread reads four of them at once.
#pragma once

#include "../pairs_parts.h"
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

PYVAE_FN int at_most(int64_t n, int most) { return static_cast<int>(n < most ? n : most); }

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

// Any dtype and step: a warp takes 4 rows and 8 columns.
template <int kRows, class S, class T>
__device__ __forceinline__ void stage_singles(const S* from, int64_t stride, int64_t step, int rows,
                                              int width, T* tile) {
  constexpr int kStride = kColumnStride<kRows>, kMany = kRows / 16;
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int row = warp * 4 + lane % 4;
#pragma unroll 2
  for (int j = lane / 4; j < width; j += 8) {
    S held[kMany] = {};
#pragma unroll
    for (int m = 0; m < kMany; ++m)
      if (row + 16 * m < rows) held[m] = from[(row + 16 * m) * stride + j * step];
#pragma unroll
    for (int m = 0; m < kMany; ++m)
      tile[j * kStride + row + 16 * m] = static_cast<T>(widen(held[m]));
  }
}

// Rows [row, row + rows) and columns [column, column + width); rows up to kRows are 0.
template <int kRows, class T>
__device__ __forceinline__ void stage(const Matrix& m, int64_t row, int rows, int64_t column,
                                      int width, T* tile) {
  static_assert(kTeamThreads == 128 && (kRows == 64 || kRows == 32));
  constexpr int kPack = 16 / sizeof(T);
  const int64_t place = m.place(row, column);
  if (m.dtype == DtypeOf<T>::value) {
    const T* from = static_cast<const T*>(m.data) + place;
    if (m.step == 1 && m.stride % kPack == 0 && width % kPack == 0 &&
        reinterpret_cast<uintptr_t>(from) % 16 == 0)
      stage_words<kRows>(from, m.stride, rows, width, tile);
    else
      stage_singles<kRows>(from, m.stride, m.step, rows, width, tile);
    return;
  }
  const auto as = [&](auto zero) {
    using S = decltype(zero);
    stage_singles<kRows>(static_cast<const S*>(m.data) + place, m.stride, m.step, rows, width,
                         tile);
  };
  if (m.dtype == Dtype::bf16)
    as(Bfloat{});
  else if (m.dtype == Dtype::f16)
    as(Half{});
  else if (m.dtype == Dtype::u8)
    as(uint8_t{});
  else
    as(float{});  // in float64
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
