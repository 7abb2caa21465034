// The log-density of a mixture over pairs of points and components: what its kernels share.
#pragma once

#include "pairs_tiles.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

PYVAE_FN bool weights_each(const Mixture& a) {
  return a.log_weights.data && a.log_weights.strides[0] != 0;
}
// The log-weight that all points share.
template <class T>
PYVAE_FN T shared_log_weight(const Mixture& a, int64_t component) {
  if (!a.log_weights.data) return static_cast<T>(a.log_weight);
  return weights_each(a) ? T(0) : Matrix(a.log_weights).get<T>(0, component);
}

// The others of one part: whole tiles.
struct PartOfOthers {
  int64_t begin, end;
  __device__ __forceinline__ PartOfOthers(int64_t others, int64_t part, int64_t parts) {
    const int64_t tiles = (others + kTeamOthers - 1) / kTeamOthers;
    const int64_t each = (tiles + parts - 1) / parts * kTeamOthers;
    begin = part * each;
    end = begin + each < others ? begin + each : others;
  }
};

// What the columns of log-variances sum up to, in slices of every fourth column: the same sums,
// whether components are owners or others.
template <class M, int kRows, class T>
struct LogVariances {
  static constexpr int kThreads = kTeamThreads / kRows, kOwn = kSlices / kThreads;
  T sum[kOwn] = {};

  // Turns a tile in place into precisions.
  __device__ __forceinline__ void take(T* tile, int width) {
    const int row = threadIdx.x % kRows, first = threadIdx.x / kRows;
#pragma unroll 2
    for (int j = first; j < width; j += kSlices) {
#pragma unroll
      for (int n = 0; n < kOwn; ++n)
        if (j + n * kThreads < width) {
          T* p = tile + (j + n * kThreads) * kColumnStride<kRows> + row;
          sum[n] += *p;
          *p = M::precision(*p);
        }
    }
  }
  __device__ __forceinline__ void put(T* sums) const {
    const int row = threadIdx.x % kRows, first = threadIdx.x / kRows;
#pragma unroll
    for (int n = 0; n < kOwn; ++n) sums[(first + n * kThreads) * kRows + row] = sum[n];
  }
  __device__ __forceinline__ static T total(const T* sums, int row) {
    T total = sums[row];
#pragma unroll
    for (int i = 1; i < kSlices; ++i) total += sums[i * kRows + row];
    return total;
  }
};

// A sum of exponentials relative to the largest so far, finite as on the CPU: where all logits are
// -inf the weights are 0, and +inf gives +inf.
template <class T>
struct SumOfExp {
  T top = -kGreatest<T>, sum = 0;

  // What earlier weights shrink by; with `most` the largest of new logits.
  __device__ __forceinline__ T raise(T most) {
    most = select(most < top, top, most);
    most = select(most > kGreatest<T>, kGreatest<T>, most);
    const T shrink = exp(top - most);
    top = most;
    sum *= shrink;
    return shrink;
  }
  __device__ __forceinline__ T add(T logit) {
    const T weight = exp(logit - top);
    sum += weight;
    return weight;
  }
  __device__ __forceinline__ T value() const { return top + log(sum); }
};
// What the pulls of a point are multiplied by in the end.
template <class T>
PYVAE_FN T slope_over(T slope, T sum) {
  return sum > T(0) ? slope / sum : sum;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
