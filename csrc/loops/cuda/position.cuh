// One position of rows of classes, as the threads that share it work on it.
#pragma once

#include <type_traits>

#include "../classes.h"
#include "place.h"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// Where a row, or one of those that share its logits, begins.
struct ClassPlace {
  int64_t index = 0, logits = 0, grad = 0, slope = 0;

  // Moves to index `i` of dimensions [from, to).
  __device__ __forceinline__ void move(const Rows& r, int64_t i, int from, int to) {
#pragma unroll 1
    for (int d = to - 1; d >= from; --d) {
      const int64_t outer = quotient(i, r.sizes[d]), at = i - outer * r.sizes[d];
      i = outer;
      index += at * r.view[kInput].strides[d];
      logits += at * r.view[kInput + 1].strides[d];
      grad += at * r.view[kGrad + 1].strides[d];
      slope += at * r.view[kGradValue].strides[d];
    }
  }
};

// The class that a position asks for, -1 for one that does not exist.
__device__ __forceinline__ int64_t class_at(const ClassRows& a, int64_t offset) {
  const void* data = a.rows.view[kInput].data;
  const int64_t c = a.index_bytes == 1   ? static_cast<const uint8_t*>(data)[offset]
                    : a.index_bytes == 2 ? static_cast<const int16_t*>(data)[offset]
                    : a.index_bytes == 4 ? static_cast<const int32_t*>(data)[offset]
                                         : static_cast<const int64_t*>(data)[offset];
  return c < a.classes ? c : -1;
}
template <class T>
__device__ __forceinline__ T class_slope(const Rows& r, int64_t offset) {
  const View& v = r.view[kGradValue];
  return (v.data ? load<T>(v, offset) : T(1)) * static_cast<T>(r.scale);
}

// P: the dtype of logits and gradient. A lane has packs of 16 bytes of neighbouring
// classes (`whole`); or, where those are not there or not aligned, its neighbours have neighbours.
template <class F, class P>
struct Position {
  using T = std::conditional_t<std::is_same_v<P, double>, double, float>;
  static constexpr int kPack = 16 / static_cast<int>(sizeof(P));

  const ClassRows& a;
  int lanes, lane;
  bool whole;
  T largest = -static_cast<T>(INFINITY), sum = 0;

  __device__ __forceinline__ int64_t first() const { return whole ? lane * kPack : lane; }
  __device__ __forceinline__ int64_t stride() const { return lanes * kPack; }
  __device__ __forceinline__ int spread() const { return whole ? 1 : lanes; }

  // Logits from class c on, -inf where there is no class.
  __device__ __forceinline__ void load(const P* p, int64_t c, T (&x)[kPack]) const {
    if (whole) {
      P pack[kPack];
      const uint4 words = *reinterpret_cast<const uint4*>(p + c);
      memcpy(pack, &words, sizeof(words));
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = widen(pack[e]);
    } else {
#pragma unroll
      for (int e = 0; e < kPack; ++e, c += lanes)
        x[e] = c < a.classes ? static_cast<T>(widen(p[c * a.step])) : -static_cast<T>(INFINITY);
    }
  }
  __device__ __forceinline__ void store(P* p, int64_t c, const T (&x)[kPack]) const {
    if (whole) {
      P pack[kPack];
#pragma unroll
      for (int e = 0; e < kPack; ++e) pack[e] = Narrow<P>::from(x[e]);
      uint4 words;
      memcpy(&words, pack, sizeof(words));
      *reinterpret_cast<uint4*>(p + c) = words;
    } else {
#pragma unroll
      for (int e = 0; e < kPack; ++e, c += lanes)
        if (c < a.classes) p[c * a.grad_step] = Narrow<P>::from(x[e]);
    }
  }

  // The largest of this lane's logits, and the sum of its weights.
  __device__ __forceinline__ void scan(const P* p) {
    for (int64_t c = first(); c < a.classes; c += stride()) {
      T x[kPack], most = largest;
      load(p, c, x);
#pragma unroll
      for (int e = 0; e < kPack; ++e) most = x[e] > most ? x[e] : most;
      raise(most);
      const T shift = F::shift(largest);
#pragma unroll
      for (int e = 0; e < kPack; ++e) sum += F::weight(x[e], shift);
    }
  }
  // A sum of nothing yet stays 0, one of NaN stays NaN.
  __device__ __forceinline__ void raise(T most) {
    if (most > largest && sum > T(0)) sum *= F::weight(F::shift(largest), most);
    largest = most;
  }
  // Those of all lanes of the position, in all of them.
  template <bool kBlock>
  __device__ __forceinline__ void join() {
    if constexpr (kBlock) {
      raise(cuda::block_max<kClassTeam>(largest));
      sum = cuda::block_sum<kClassTeam>(sum);
    } else {
      T most = largest;
      for (int step = lanes / 2; step; step /= 2) {
        const T other = __shfl_xor_sync(cuda::kFullMask, most, step);
        most = other > most ? other : most;
      }
      raise(most);
      for (int step = lanes / 2; step; step /= 2)
        sum += __shfl_xor_sync(cuda::kFullMask, sum, step);
    }
  }

  // Weights times factor, and what `add` has to add to those from class c on.
  template <class Add>
  __device__ __forceinline__ void write(const P* p, P* to, T factor, const Add& add) const {
    const T shift = F::shift(largest);
    for (int64_t c = first(); c < a.classes; c += stride()) {
      T x[kPack];
      load(p, c, x);
#pragma unroll
      for (int e = 0; e < kPack; ++e) x[e] = F::weight(x[e], shift) * factor;
      add(c, x);
      store(to, c, x);
    }
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
