// One position of rows of classes, as the threads that share it work on it.
#pragma once

#include <type_traits>

#include "../classes.h"
#include "place.h"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

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

  // body(class of the first element, elements) makes weights into gradients.
  template <class Body>
  __device__ __forceinline__ void write(const P* p, P* to, T factor, const Body& add) const {
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
