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

// Who works on a position: lanes of a warp that hold its logits, then its weights, in registers;
// lanes that go over more classes than that; a block.
enum class ClassTeam : int { held, lanes, block };
constexpr int kHeldClasses = 32;  // of a lane

// P: the dtype of logits and gradient. A lane has packs of 16 bytes of neighbouring
// classes (`whole`); or, where those are not there or not aligned, its neighbours have neighbours.
template <class F, class P, ClassTeam kTeam>
struct Position {
  using T = std::conditional_t<std::is_same_v<P, double>, double, float>;
  static constexpr int kPack = 16 / static_cast<int>(sizeof(P));
  static constexpr bool kHold = kTeam == ClassTeam::held;
  static constexpr int kHeld = kHold ? kHeldClasses / kPack : 1;

  const ClassRows& a;
  int lanes, lane;
  bool whole;
  T largest = -static_cast<T>(INFINITY), sum = 0;
  T held[kHeld][kPack];

  __device__ __forceinline__ Position(const ClassRows& rows, int lanes_, int lane_, bool whole_)
      : a(rows), lanes(lanes_), lane(lane_), whole(whole_) {}

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

  // f(first class, pack) of the packs that are held.
  template <class Each>
  __device__ __forceinline__ void each_held(const Each& f) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      const int64_t c = first() + i * stride();
      if (c < a.classes) f(c, held[i]);
    }
  }

  // The largest of all logits, and the sum of the weights, in all lanes of the position. `there`:
  // whether this lane has a position, or only goes along.
  __device__ __forceinline__ void scan(const P* p, bool there) {
    if constexpr (kHold) {
      if (there)
        each_held([&](int64_t c, T(&x)[kPack]) {
          load(p, c, x);
          see(x);
        });
      join_largest();
      const T shift = F::shift(largest);
      if (there)
        each_held([&](int64_t, T(&x)[kPack]) {
#pragma unroll
          for (int e = 0; e < kPack; ++e) sum += x[e] = F::weight(x[e], shift);
        });
    } else {
      for (int64_t c = first(); there && c < a.classes; c += stride()) {
        T x[kPack];
        load(p, c, x);
        const T before = largest;
        see(x);
        raise(before);
        const T shift = F::shift(largest);
#pragma unroll
        for (int e = 0; e < kPack; ++e) sum += F::weight(x[e], shift);
      }
      const T before = largest;
      join_largest();
      raise(before);
    }
    join_sum();
  }

 private:
  __device__ __forceinline__ void see(const T (&x)[kPack]) {
#pragma unroll
    for (int e = 0; e < kPack; ++e) largest = x[e] > largest ? x[e] : largest;
  }
  // A sum of nothing yet stays 0, one of NaN stays NaN.
  __device__ __forceinline__ void raise(T before) {
    if (largest > before && sum > T(0)) sum *= F::weight(F::shift(before), largest);
  }
  __device__ __forceinline__ void join_largest() {
    if constexpr (kTeam == ClassTeam::block) {
      largest = cuda::block_max<kClassTeam>(largest);
    } else {
      for (int step = lanes / 2; step; step /= 2) {
        const T other = __shfl_xor_sync(cuda::kFullMask, largest, step);
        largest = other > largest ? other : largest;
      }
    }
  }
  __device__ __forceinline__ void join_sum() {
    if constexpr (kTeam == ClassTeam::block) {
      sum = cuda::block_sum<kClassTeam>(sum);
    } else {
      for (int step = lanes / 2; step; step /= 2)
        sum += __shfl_xor_sync(cuda::kFullMask, sum, step);
    }
  }

 public:
  // Weights times factor, and what `add` has to add to those from class c on.
  template <class Add>
  __device__ __forceinline__ void write(const P* p, P* to, T factor, const Add& add) {
    if constexpr (kHold) {
      each_held([&](int64_t c, T(&x)[kPack]) {
#pragma unroll
        for (int e = 0; e < kPack; ++e) x[e] *= factor;
        add(c, x);
        store(to, c, x);
      });
    } else {
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
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
