// Four neighbouring columns of a row in one thread: the cells of a density that sweeps rows more
// than once (loops/summary.h), with their noise.
#pragma once

#include "../../math/philox.h"
#include "../divide.h"
#include "pack.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// The four normals from `index` on: those of one block, or of two that follow each other.
template <class T>
__device__ __forceinline__ void four_normals(uint64_t seed, int64_t index, T (&eps)[4]) {
  const Keys<uint32_t> keys(seed);
  const uint64_t counter = static_cast<uint64_t>(index) / 4;
  const auto block = [&](uint64_t c, T* out) {
    const Words<uint32_t> w =
        philox(static_cast<uint32_t>(c), static_cast<uint32_t>(c >> 32), keys);
    box_muller(w.x[0], w.x[1], out[0], out[1]);
    box_muller(w.x[2], w.x[3], out[2], out[3]);
  };
  block(counter, eps);
  if (index % 4 == 0) return;
  T both[8];
#pragma unroll
  for (int e = 0; e < 4; ++e) both[e] = eps[e];
  block(counter + 1, both + 4);
#pragma unroll
  for (int e = 0; e < 7; ++e) both[e] = index & 1 ? both[e + 1] : both[e];
#pragma unroll
  for (int e = 0; e < 4; ++e) eps[e] = index & 2 ? both[e + 2] : both[e];
}

// Where a row begins in each tensor, and its own numbers.
template <class F, class T, bool kGradient>
struct SummaryPlace {
  static constexpr int kOut = kGradient ? F::kIn : 1;
  static constexpr int kOutSlot = kGradient ? static_cast<int>(Slot::kGrad) : Slot::kSample;

  int64_t in[F::kIn] = {}, out[kOut] = {}, grad_z = 0, slope = 0, noise = 0, seed = 0;

  __device__ __forceinline__ SummaryPlace(const Rows& a, int64_t row) {
#pragma unroll 1
    for (int d = a.ndim - 1; d >= 0; --d) {
      const int64_t outer = quotient(row, a.sizes[d]), at = row - outer * a.sizes[d];
      row = outer;
#pragma unroll
      for (int k = 0; k < F::kIn; ++k) in[k] += at * a.view[kInput + k].strides[d];
#pragma unroll
      for (int k = 0; k < kOut; ++k) out[k] += at * a.view[kOutSlot + k].strides[d];
      if constexpr (kGradient) {
        grad_z += at * a.view[kGradSample].strides[d];
        slope += at * a.view[kGradValue].strides[d];
      }
      noise += at * a.view[kNoiseIndex].strides[d];
      seed += at * a.view[kSeed].strides[d];
    }
  }
};

// kPath: packs of four, or element by element.
template <class F, class T, Path kPath, bool kGradient>
struct Quad {
  using Place = SummaryPlace<F, T, kGradient>;
  using Piece = Pack<kPath, T, 4>;
  typename F::template Cell<T> cell[4];

  // Columns from j on; beyond the last one zeros, which add nothing to any sum.
  __device__ __forceinline__ void load(const Rows& a, const Place& at, int64_t j, bool there) {
    const int64_t left = there ? a.cols - j : 0;
    const Span span{0, static_cast<int>(left < 0 ? 0 : left < 4 ? left : 4)};
    T x[4];
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) {
      fetch(a.view[kInput + k], at.in[k], j, span, x);
#pragma unroll
      for (int e = 0; e < 4; ++e) cell[e].in[k] = x[e];
    }
    if (kGradient) {
      fetch(a.view[kGradSample], at.grad_z, j, span, x);
#pragma unroll
      for (int e = 0; e < 4; ++e) cell[e].grad_z = x[e];
    }
    // A gradient that no sample has a part in has no use for noise.
    T eps[4] = {};
    if (span.hi && (!kGradient || a.view[kGradSample].data))
      four_normals(static_cast<const uint64_t*>(a.view[kSeed].data)[at.seed], at.noise + j, eps);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      cell[e].eps = e < span.hi ? eps[e] : T(0);
      F::hold(cell[e]);
    }
  }
  __device__ __forceinline__ void write(const Rows& a, const Place& at, int64_t j, bool there) {
    const int64_t left = a.cols - j;
    if (!there || left <= 0) return;
    const Span span{0, static_cast<int>(left < 4 ? left : 4)};
#pragma unroll
    for (int k = 0; k < Place::kOut; ++k) {
      const View& v = a.view[Place::kOutSlot + k];
      T x[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) x[e] = kGradient ? cell[e].grad[k] : cell[e].z;
      if (v.data) Piece::write(v, where(v, at.out[k], j), 0, span, x);
    }
  }

 private:
  __device__ __forceinline__ static char* where(const View& v, int64_t offset, int64_t j) {
    return static_cast<char*>(element(v, offset + j * v.step));
  }
  __device__ __forceinline__ static void fetch(const View& v, int64_t offset, int64_t j, Span span,
                                               T (&x)[4]) {
    if (span.hi && v.data) {
      Piece piece;
      piece.fetch(v, where(v, offset, j), 0, span);
      piece.unpack(v, x);
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e) x[e] = T(0);
    }
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
