// The log-density of a mixture at points, and what flows back to them: owners are points. And what
// the kernels of a mixture share.
#pragma once

#include "pairs_tiles.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// The log-weight that all points share.
template <class T>
PYVAE_FN T shared_log_weight(const Mixture& a, int64_t component) {
  if (!a.log_weights.data) return static_cast<T>(a.log_weight);
  return per_point(a) ? T(0) : Matrix(a.log_weights).get<T>(0, component);
}

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
  T top = -kLargest<T>, sum = 0;

  // What earlier weights shrink by; with `most` the largest of new logits.
  __device__ __forceinline__ T raise(T most) {
    most = select(most < top, top, most);
    most = select(most > kLargest<T>, kLargest<T>, most);
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

// What a part of the others leaves: numbers of each owner and problem, then pulls of each owner and
// column. Columns and problems are those of the call.
template <class T, int kStates, int kPulls>
struct LeftByPart {
  T* data;
  int64_t problems, columns, states, pulls;

  __device__ __forceinline__ LeftByPart(const Mixture& a, int64_t owners, int64_t part)
      : problems(a.problems), columns(a.problems * a.width), states(owners * problems),
        pulls(owners * columns) {
    data = static_cast<T*>(a.scratch) + part * (kStates * states + kPulls * pulls);
  }
  __device__ __forceinline__ T& state(int n, int64_t owner, int64_t problem) const {
    return data[n * states + owner * problems + problem];
  }
  __device__ __forceinline__ T& pull(int n, int64_t owner, int64_t column) const {
    return data[kStates * states + n * pulls + owner * columns + column];
  }
};
template <class T, bool kGrad>
using LeftOfPoints = LeftByPart<T, 2, kGrad>;  // the top and the sum of a SumOfExp
template <class T>
using LeftOfComponents = LeftByPart<T, 1, 2>;  // the sum of weights

// A block takes a tile of points, one part of the components and, of a gradient, one span of
// columns.
template <class M, class T, bool kGrad>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_points_kernel(const Mixture a) {
  using Pair = typename M::OfPoint;
  PairTiles<Pair, T>& s = *cuda::shared_memory<PairTiles<Pair, T>>();
  const PairThread at;
  const OwnerThread mine;
  const Matrix points(a.points), means(a.means), logvars(a.logvars);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTeamOwners;
  const int owners = up_to(a.num_points - first, kTeamOwners);
  const int64_t span = static_cast<int64_t>(blockIdx.z) * kPairSpan<T>;
  const int span_width = up_to(a.width - span, kPairSpan<T>);
  const bool one_span = a.width <= kPairSpan<T>;
  const PartOfOthers part(a.num_components, blockIdx.y, a.parts);
  SumOfExp<T> state;
  TeamPulls<Pair, T> pulls;
  if constexpr (kGrad) pulls.clear();

  for (int64_t k = part.begin; k < part.end; k += kTeamOthers) {
    const int count = up_to(part.end - k, kTeamOthers);
    const auto load_tiles = [&](int64_t column, int n, LogVariances<M, kTeamOthers, T>& sums) {
      if (!one_span) __syncthreads();
      if (!one_span || k == part.begin)
        stage<kTeamOwners>(points, first, owners, column, n, s.own[0]);
      stage<kTeamOthers>(means, k, count, column, n, s.other[0]);
      stage<kTeamOthers>(logvars, k, count, column, n, s.other[1]);
      __syncthreads();
      sums.take(s.other[1], n);
    };
    T distance[4][4] = {};
    LogVariances<M, kTeamOthers, T> sums;
    each_span<T>(a.width, [&](int64_t column, int n) {
      load_tiles(column, n, sums);
      sums.put(s.sums);
      __syncthreads();
      add_distances(s, at, n, distance);
    });
    put_pairs(s, at, distance);
    if (threadIdx.x < kTeamOthers) {
      const int c = threadIdx.x;
      s.of_other[0][c] =
          c < count ? M::constant(shared_log_weight<T>(a, k + c), sums.total(s.sums, c), T(a.width))
                    : -INFINITY;
    }
    __syncthreads();

    T logit[kHalf], most = -kLargest<T>;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const int c = 2 * i + mine.half;
      logit[i] = M::logit(s.of_other[0][c], s.pairs[c * kPairStride + mine.owner]);
      if (per_point(a) && c < count && mine.owner < owners)
        logit[i] += Matrix(a.log_weights).get<T>(first + mine.owner, k + c);
      most = select(most < logit[i], logit[i], most);
    }
    most = cuda::larger(most, __shfl_xor_sync(cuda::kFullMask, most, 16));
    const T shrink = state.raise(most);
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const T weight = state.add(logit[i]);
      if (kGrad) s.pairs[(2 * i + mine.half) * kPairStride + mine.owner] = weight;
    }
    if constexpr (kGrad) {
      s.of_owner[mine.owner] = shrink;
      if (!is_last_span<T>(a.width, span)) load_tiles(span, span_width, sums);
      __syncthreads();
      pulls.shrink(s.of_owner, at);
      pulls.add(s, at, span_width);
      __syncthreads();
    }
  }

  state.sum += __shfl_xor_sync(cuda::kFullMask, state.sum, 16);
  const int64_t point = first + mine.owner;
  const bool speaks = span == 0 && mine.half == 0 && mine.owner < owners;
  if (a.parts > 1) {
    const LeftOfPoints<T, kGrad> left(a, a.num_points, blockIdx.y);
    if (speaks) left.state(0, point, 0) = state.top, left.state(1, point, 0) = state.sum;
    if constexpr (kGrad)
      pulls.each(at, owners, span_width, [&](int i, int j, const T(&sum)[1]) {
        left.pull(0, first + i, span + j) = sum[0];
      });
    return;
  }
  if (speaks && a.value.data) Matrix(a.value).put(point, 0, state.value());
  if constexpr (kGrad) {
    if (mine.half == 0 && mine.owner < owners)
      s.of_owner[mine.owner] = slope_over(Matrix(a.grad_value).get<T>(point, 0), state.sum);
    __syncthreads();
    const Matrix out(a.grad_points);
    pulls.each(at, owners, span_width, [&](int i, int j, const T(&sum)[1]) {
      out.put(first + i, span + j, sum[0] * s.of_owner[i]);
    });
  }
}

// A thread puts the parts of one point and problem together, or of one of its columns.
template <class T, bool kGrad>
__global__ void __launch_bounds__(kTeamThreads) join_points_kernel(const Mixture a) {
  const bool pulled = kGrad && a.width;
  const int64_t width = pulled ? a.width : 1, columns = a.problems * width;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kTeamThreads + threadIdx.x;
  const int64_t point = item / columns, column = item % columns, problem = column / width;
  if (point >= a.num_points) return;
  T top = -kLargest<T>, sum = 0, pull = 0;
#pragma unroll 4
  for (int p = 0; p < a.parts; ++p)
    top = cuda::larger(LeftOfPoints<T, kGrad>(a, a.num_points, p).state(0, point, problem), top);
#pragma unroll 4
  for (int p = 0; p < a.parts; ++p) {
    const LeftOfPoints<T, kGrad> left(a, a.num_points, p);
    const T factor = exp(left.state(0, point, problem) - top);
    sum += left.state(1, point, problem) * factor;
    if (pulled) pull += left.pull(0, point, column) * factor;
  }
  if (a.value.data && column % width == 0) Matrix(a.value).put(point, problem, top + log(sum));
  if (pulled) {
    const T slope = Matrix(a.grad_value).get<T>(point, a.first_problem + problem);
    Matrix(a.grad_points)
        .put(point, a.first_problem * width + column, pull * slope_over(slope, sum));
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
