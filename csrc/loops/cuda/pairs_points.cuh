// The log-density of a mixture at points, and what flows back to them: owners are points.
#pragma once

#include "pairs_mixture.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

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
  const int owners = at_most(a.num_points - first, kTeamOwners);
  const int64_t span = static_cast<int64_t>(blockIdx.z) * kPairSpan<T>;
  const int span_width = at_most(a.width - span, kPairSpan<T>);
  const bool one_span = a.width <= kPairSpan<T>;
  const PartOfOthers part(a.num_components, blockIdx.y, a.parts);
  SumOfExp<T> state;
  TeamPulls<Pair, T> pulls;
  if constexpr (kGrad) pulls.clear();

  for (int64_t k = part.begin; k < part.end; k += kTeamOthers) {
    const int count = at_most(part.end - k, kTeamOthers);
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

    T logit[kHalf], most = -kGreatest<T>;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const int c = 2 * i + mine.half;
      logit[i] = M::logit(s.of_other[0][c], s.pairs[c * kPairStride + mine.owner]);
      if (weights_each(a) && c < count && mine.owner < owners)
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
    const int64_t row = 2 + kGrad * a.width;
    T* left = static_cast<T*>(a.scratch) + (blockIdx.y * a.num_points + first) * row;
    if (speaks) {
      left[mine.owner * row] = state.top;
      left[mine.owner * row + 1] = state.sum;
    }
    if constexpr (kGrad)
      pulls.each(at, owners, span_width,
                 [&](int i, int j, const T(&sum)[1]) { left[i * row + 2 + span + j] = sum[0]; });
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

// A warp puts the parts of one point together.
template <class M, class T, bool kGrad>
__global__ void __launch_bounds__(kTeamThreads) join_points_kernel(const Mixture a) {
  constexpr int kWarps = kTeamThreads / cuda::kWarp;
  __shared__ T factors[kWarps][kMaxParts];
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int64_t point = static_cast<int64_t>(blockIdx.x) * kWarps + warp;
  if (point >= a.num_points) return;
  const int64_t row = 2 + kGrad * a.width, next = a.num_points * row;
  const int parts = static_cast<int>(a.parts);
  const T* left = static_cast<const T*>(a.scratch) + point * row;
  T top = -kGreatest<T>, sum = 0;
  for (int p = lane; p < parts; p += cuda::kWarp) top = cuda::larger(left[p * next], top);
  top = cuda::warp_max(top);
  for (int p = lane; p < parts; p += cuda::kWarp) {
    const T factor = exp(left[p * next] - top);
    sum += left[p * next + 1] * factor;
    factors[warp][p] = factor;
  }
  sum = cuda::warp_sum(sum);
  __syncwarp();
  if (lane == 0 && a.value.data) Matrix(a.value).put(point, 0, top + log(sum));
  if constexpr (kGrad) {
    const T slope = slope_over(Matrix(a.grad_value).get<T>(point, 0), sum);
    for (int64_t j = lane; j < a.width; j += cuda::kWarp) {
      T total = 0;
#pragma unroll 4
      for (int p = 0; p < parts; ++p) total += left[p * next + 2 + j] * factors[warp][p];
      Matrix(a.grad_points).put(point, j, total * slope);
    }
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
