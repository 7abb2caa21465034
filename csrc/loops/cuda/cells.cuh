// A pack of cells in one thread: from memory through the density and back.
#pragma once

#include "../../math/philox.h"
#include "pack.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kGradOf = static_cast<int>(kGrad);  // where a template argument is named kGrad

// Where every operand stands, in elements. Fixed names instead of an array by slot: registers.
template <class F, bool kValue, bool kGrad>
struct Offsets {
  int64_t in[F::kIn] = {}, grad[F::kIn] = {};
  int64_t grad_value = 0, grad_sample = 0, noise = 0, seed = 0, sample = 0;

  // `by` further along a dimension.
  __device__ __forceinline__ void move(const Rows& a, int d, int64_t by) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k] += by * a.view[kInput + k].strides[d];
    if constexpr (kGrad) {
      grad_value += by * a.view[kGradValue].strides[d];
#pragma unroll
      for (int k = 0; k < F::kIn; ++k) grad[k] += by * a.view[kGradOf + k].strides[d];
    }
    if constexpr (kNoise<F>) {
      noise += by * a.view[kNoiseIndex].strides[d];
      seed += by * a.view[kSeed].strides[d];
      if constexpr (kValue) sample += by * a.view[kSample].strides[d];
      if constexpr (kGrad) grad_sample += by * a.view[kGradSample].strides[d];
    }
  }
  // To place `row` of those that dimensions [begin, end) make.
  __device__ __forceinline__ void move_row(const Rows& a, int64_t row, int begin, int end) {
#pragma unroll 1
    for (int d = end - 1; d > begin; --d) {
      const int64_t size = a.sizes[d];
      const bool narrow = ((row | size) >> 32) == 0;  // the usual case: a division by 32 bits
      const int64_t outer =
          narrow ? static_cast<uint32_t>(row) / static_cast<uint32_t>(size) : row / size;
      move(a, d, row - outer * size);
      row = outer;
    }
    if (end > begin) move(a, begin, row);
  }
};

// Column `first` of the row at `offset`; null where the view is not wanted.
__device__ __forceinline__ char* place_of(const View& v, int64_t offset, int64_t first) {
  return v.data ? static_cast<char*>(element(v, offset + first * v.step)) : nullptr;
}

// Pointers to the columns of one row, from `first` on.
template <class F, class T, bool kValue, bool kGrad>
struct Places {
  const char* in[F::kIn];
  const char* grad_sample;
  char* sample;
  char* grad[F::kIn];
  T slope;
  uint64_t seed;
  int64_t noise;

  __device__ __forceinline__ Places(const Rows& a, const Offsets<F, kValue, kGrad>& at,
                                    int64_t first) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k] = place_of(a.view[kInput + k], at.in[k], first);
    if constexpr (kGrad) {
#pragma unroll
      for (int k = 0; k < F::kIn; ++k) grad[k] = place_of(a.view[kGradOf + k], at.grad[k], first);
      const View& v = a.view[kGradValue];
      slope = static_cast<T>(a.scale);
      if (v.data) slope *= load<T>(v, at.grad_value);
    }
    if constexpr (kNoise<F>) {
      seed = static_cast<const uint64_t*>(a.view[kSeed].data)[at.seed];
      noise = at.noise + first;
      if constexpr (kValue) sample = place_of(a.view[kSample], at.sample, first);
      if constexpr (kGrad) grad_sample = place_of(a.view[kGradSample], at.grad_sample, first);
    }
  }
};

// The value of a thread's cells. Factors in [1/2, 2] are multiplied up, 64 at most.
template <class F, class T>
struct Tally {
  T sum = T(0), product = T(1);
  int factors = 0;

  __device__ __forceinline__ void add(const Term<T>& t, bool there) {
    sum += there ? t.sum : T(0);
    if constexpr (F::kFactor) product *= there ? t.factor : T(1);
  }
  // After a pack of n.
  __device__ __forceinline__ void close(int n) {
    if constexpr (F::kFactor) {
      if ((factors += n) + n <= 64) return;
      sum -= log(product), product = T(1), factors = 0;
    }
  }
  __device__ __forceinline__ T total() const {
    if constexpr (F::kFactor) return sum - log(product);
    return sum;
  }
};

template <class F, class T, Path kPath, int kPack, bool kValue, bool kGrad>
struct Cells {
  using P = Pack<kPath, T, kPack>;
  P in[F::kIn];
  P grad_sample;
  T grad[F::kIn][kPack];  // after run()
  T z[kPack];

  // `at`: where the operands of the row begin.
  template <class At>
  __device__ __forceinline__ void fetch(const Rows& a, const At& at, int j, Span span) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k].fetch(a.view[kInput + k], at.in[k], j, span);
    if constexpr (kNoise<F> && kGrad)
      if (a.view[kGradSample].data) grad_sample.fetch(a.view[kGradSample], at.grad_sample, j, span);
  }

  // Element e of the noise: one block of four normals for four columns; packs of less than four
  // make their block for one of its normals.
  __device__ __forceinline__ static void make_noise(uint64_t seed, int64_t index, T (&eps)[kPack]) {
    const Keys<uint32_t> keys(seed);
    constexpr int kBlocks = (kPack + 3) / 4;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      const uint64_t counter = (static_cast<uint64_t>(index) >> 2) + b;
      const Words<uint32_t> w =
          philox(static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), keys);
      if constexpr (kPack >= 4) {
        box_muller(w.x[0], w.x[1], eps[4 * b], eps[4 * b + 1]);
        box_muller(w.x[2], w.x[3], eps[4 * b + 2], eps[4 * b + 3]);
      } else {
        const bool upper = index & 2;
        T first, second;
        box_muller(upper ? w.x[2] : w.x[0], upper ? w.x[3] : w.x[1], first, second);
        eps[0] = index & 1 ? second : first;
      }
    }
  }

  // `index`: that of the first cell's noise.
  __device__ __forceinline__ void run(const Rows& a, T slope, uint64_t seed, int64_t index,
                                      Span span, Tally<F, T>& tally) {
    T x[F::kIn][kPack], eps[kPack], outer[kPack];
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k].unpack(a.view[kInput + k], x[k]);
    if constexpr (kNoise<F>) {
      make_noise(seed, index, eps);
      if constexpr (kGrad) {
#pragma unroll
        for (int e = 0; e < kPack; ++e) outer[e] = T(0);
        if (a.view[kGradSample].data) grad_sample.unpack(a.view[kGradSample], outer);
      }
    }
#pragma unroll
    for (int e = 0; e < kPack; ++e) {
      Cell<T, F::kIn> c;
#pragma unroll
      for (int k = 0; k < F::kIn; ++k) c.in[k] = x[k][e];
      if constexpr (kNoise<F>) c.eps = eps[e];
      const Term<T> term = F::step(c);
      if constexpr (kValue && F::kSum) tally.add(term, e >= span.lo && e < span.hi);
      if constexpr (kValue && kNoise<F>) z[e] = c.z;
      if constexpr (kGrad) {
#pragma unroll
        for (int k = 0; k < F::kIn; ++k) {
          grad[k][e] = F::kSum ? slope * c.grad[k] : T(0);
          if constexpr (kNoise<F>) grad[k][e] += outer[e] * c.path[k];
        }
      }
    }
    if constexpr (kValue && F::kSum) tally.close(kPack);
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
