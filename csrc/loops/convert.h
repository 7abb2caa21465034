// Elements of any dtype, into and out of a tile of the compute type.
#pragma once

#include <string.h>

#include "narrow.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class S, class T>
void load_tile(const void* data, int64_t step, T* tile, int n) {
  const S* p = static_cast<const S*>(data);
  if (step == 1) {
    int j = 0;
    if constexpr (kNarrow<S> && __is_same(T, float))
      for (; j + F32::kLanes <= n; j += F32::kLanes) widen_vector(p + j).store(tile + j);
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
  if constexpr (kNarrow<D> && __is_same(T, float))
    for (; step == 1 && j + F32::kLanes <= n; j += F32::kLanes)
      narrow_vector(F32::load(tile + j), p + j);
  if (step == 1)
    for (; j < n; ++j) p[j] = Narrow<D>::from(tile[j]);
  else
    for (; j < n; ++j) p[j * step] = Narrow<D>::from(tile[j]);
}

// Some rows of columns, side by side in the tile. Of short rows all first columns come first: loops
// of many steps.
constexpr int kShortRow = 16;
struct Patch {
  int rows, cols;
  int64_t stride;  // between rows
  PYVAE_FN bool is_run(int64_t step) const { return rows == 1 || stride == cols * step; }
};
template <class S, class T>
void load_patch(const void* data, int64_t step, const Patch& patch, T* tile) {
  const S* p = static_cast<const S*>(data);
  if (patch.is_run(step)) return load_tile<S>(p, step, tile, patch.rows * patch.cols);
  if (patch.cols >= kShortRow) {
    for (int g = 0; g < patch.rows; ++g)
      load_tile<S>(p + g * patch.stride, step, tile + g * patch.cols, patch.cols);
    return;
  }
  for (int j = 0; j < patch.cols; ++j)
    for (int g = 0; g < patch.rows; ++g)
      tile[g * patch.cols + j] = static_cast<T>(widen(p[g * patch.stride + j * step]));
}
template <class D, class T>
void store_patch(void* data, int64_t step, const Patch& patch, const T* tile) {
  D* p = static_cast<D*>(data);
  if (patch.is_run(step)) return store_tile<D>(p, step, tile, patch.rows * patch.cols);
  if (patch.cols >= kShortRow) {
    for (int g = 0; g < patch.rows; ++g)
      store_tile<D>(p + g * patch.stride, step, tile + g * patch.cols, patch.cols);
    return;
  }
  for (int j = 0; j < patch.cols; ++j)
    for (int g = 0; g < patch.rows; ++g)
      p[g * patch.stride + j * step] = Narrow<D>::from(tile[g * patch.cols + j]);
}

template <class T>
__attribute__((noinline)) const T* fetch_by_tile(const View& v, int64_t offset, const Patch& patch,
                                                 T* tile) {
  const void* p = element(v, offset);
  switch (v.dtype) {
    case Dtype::f32:
      load_patch<float>(p, v.step, patch, tile);
      break;
    case Dtype::f64:
      load_patch<double>(p, v.step, patch, tile);
      break;
    case Dtype::bf16:
      load_patch<Bfloat>(p, v.step, patch, tile);
      break;
    case Dtype::f16:
      load_patch<Half>(p, v.step, patch, tile);
      break;
    case Dtype::u8:
      load_patch<uint8_t>(p, v.step, patch, tile);
      break;
    case Dtype::i16:
      load_patch<int16_t>(p, v.step, patch, tile);
      break;
    case Dtype::i32:
      load_patch<int32_t>(p, v.step, patch, tile);
      break;
    case Dtype::i64:
      load_patch<int64_t>(p, v.step, patch, tile);
      break;
  }
  return tile;
}
template <class T>
PYVAE_FN const T* fetch_by_tile(const View& v, int64_t offset, T* tile, int n) {
  return fetch_by_tile(v, offset, {1, n, 0}, tile);
}
// The patch that begins at `offset`: in place where it lies ready, else by way of the tile.
template <class T>
PYVAE_FN const T* fetch(const View& v, int64_t offset, const Patch& patch, T* tile) {
  if (v.dtype == DtypeOf<T>::value && v.step == 1 && patch.is_run(1))
    return static_cast<const T*>(v.data) + offset;
  return fetch_by_tile(v, offset, patch, tile);
}
template <class T>
PYVAE_FN const T* fetch(const View& v, int64_t offset, T* tile, int n) {
  return fetch(v, offset, {1, n, 0}, tile);
}
// Where to write the patch: in place where memory is ready for it, else the tile, which `put` then
// writes back.
template <class T>
PYVAE_FN T* place(const View& v, int64_t offset, const Patch& patch, T* tile) {
  if (v.dtype != DtypeOf<T>::value || v.step != 1 || !patch.is_run(1)) return tile;
  return static_cast<T*>(v.data) + offset;
}
template <class T>
PYVAE_FN T* place(const View& v, int64_t offset, T* tile) {
  return place(v, offset, {1, 1, 0}, tile);
}
template <class T>
void put(const View& v, int64_t offset, const Patch& patch, const T* tile) {
  void* p = element(v, offset);
  switch (v.dtype) {
    case Dtype::f32:
      store_patch<float>(p, v.step, patch, tile);
      break;
    case Dtype::f64:
      store_patch<double>(p, v.step, patch, tile);
      break;
    case Dtype::bf16:
      store_patch<Bfloat>(p, v.step, patch, tile);
      break;
    case Dtype::f16:
      store_patch<Half>(p, v.step, patch, tile);
      break;
    default:  // integers have no gradient
      break;
  }
}
template <class T>
void put(const View& v, int64_t offset, const T* tile, int n) {
  put(v, offset, {1, n, 0}, tile);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
