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
