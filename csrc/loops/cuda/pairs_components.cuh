// The gradients of a mixture's components and of the log-weights of each point: owners are
// components, others points of known value.
#pragma once

#include "pairs_mixture.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// A tile of components, and the weights of points: slope x exp(logit - value).
template <class M, class T>
struct ComponentTeam {
  using Pair = typename M::OfComponent;
  const Mixture& a;
  PairTiles<Pair, T>& s;
  const PairThread at;
  const OwnerThread mine;
  const Matrix points, means, logvars;
  const int64_t first;
  const int owners;
  const bool one_span;
  T constant = 0;
  bool known = false;  // the constant, and where there is one span the tile of components

  __device__ __forceinline__ ComponentTeam(const Mixture& given, int64_t tile)
      : a(given), s(*cuda::shared_memory<PairTiles<Pair, T>>()), points(given.points),
        means(given.means), logvars(given.logvars), first(tile * kTeamOwners),
        owners(up_to(given.num_components - first, kTeamOwners)),
        one_span(given.width <= kPairSpan<T>) {}

  __device__ __forceinline__ void load_tiles(int64_t i, int count, int64_t column, int n,
                                             LogVariances<M, kTeamOwners, T>& sums) {
    const bool own = !known || !one_span;
    if (!one_span) __syncthreads();
    if (own) {
      stage<kTeamOwners>(means, first, owners, column, n, s.own[0]);
      stage<kTeamOwners>(logvars, first, owners, column, n, s.own[1]);
    }
    stage<kTeamOthers>(points, i, count, column, n, s.other[0]);
    __syncthreads();
    if (own) sums.take(s.own[1], n);
  }

  // Calls out(c, weight) of this thread's pairs with points [i, i + count). The last span of
  // columns stays in the tiles.
  template <class F>
  __device__ __forceinline__ void weigh(int64_t i, int count, const F& out) {
    T distance[4][4] = {};
    LogVariances<M, kTeamOwners, T> sums;
    each_span<T>(a.width, [&](int64_t column, int n) {
      load_tiles(i, count, column, n, sums);
      sums.put(s.sums);
      __syncthreads();
      add_distances(s, at, n, distance);
    });
    put_pairs(s, at, distance);
    if (static_cast<int>(threadIdx.x) < count) {
      // A value of -inf has no weights: not exp(-inf + inf).
      const T value = Matrix(a.value).get<T>(i + threadIdx.x, 0);
      s.of_other[0][threadIdx.x] = value < -kLargest<T> ? -kLargest<T> : value;
      s.of_other[1][threadIdx.x] = Matrix(a.grad_value).get<T>(i + threadIdx.x, 0);
    }
    if (!known) {
      const int64_t k = first + up_to(mine.owner, owners - 1);
      constant =
          M::constant(shared_log_weight<T>(a, k), sums.total(s.sums, mine.owner), T(a.width));
      known = true;
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < kHalf; ++n) {
      const int c = 2 * n + mine.half;
      T weight = 0;
      if (c < count && mine.owner < owners) {
        T logit = M::logit(constant, s.pairs[c * kPairStride + mine.owner]);
        if (per_point(a)) logit += Matrix(a.log_weights).get<T>(i + c, first + mine.owner);
        weight = s.of_other[1][c] * exp(logit - s.of_other[0][c]);
      }
      out(c, weight);
    }
  }
};

// A block takes a tile of components, one part of the points and one span of columns.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 3>)
    mixture_components_kernel(const Mixture a) {
  using Pair = typename M::OfComponent;
  ComponentTeam<M, T> team(a, blockIdx.x);
  PairTiles<Pair, T>& s = team.s;
  const OwnerThread& mine = team.mine;
  const int64_t span = static_cast<int64_t>(blockIdx.z) * kPairSpan<T>;
  const int span_width = up_to(a.width - span, kPairSpan<T>);
  const PartOfOthers part(a.num_points, blockIdx.y, a.parts);
  double total = 0;
  TeamPulls<Pair, T> pulls;
  pulls.clear();

  for (int64_t i = part.begin; i < part.end; i += kTeamOthers) {
    const int count = up_to(part.end - i, kTeamOthers);
    T sum = 0;
    team.weigh(i, count, [&](int c, T weight) {
      s.pairs[c * kPairStride + mine.owner] = weight;
      sum += weight;
    });
    total += static_cast<double>(sum);
    if (!is_last_span<T>(a.width, span)) {
      LogVariances<M, kTeamOwners, T> sums;
      team.load_tiles(i, count, span, span_width, sums);
    }
    __syncthreads();
    pulls.add(s, team.at, span_width);
    __syncthreads();
  }

  total += __shfl_xor_sync(cuda::kFullMask, total, 16);
  const bool speaks = mine.half == 0 && mine.owner < team.owners;
  if (a.parts > 1) {
    const LeftOfComponents<T> left(a, a.num_components, blockIdx.y);
    if (speaks && span == 0) left.state(0, team.first + mine.owner, 0) = static_cast<T>(total);
    pulls.each(team.at, team.owners, span_width, [&](int k, int j, const T(&sum)[2]) {
      left.pull(0, team.first + k, span + j) = sum[0];
      left.pull(1, team.first + k, span + j) = sum[1];
    });
    return;
  }
  if (speaks) {
    if (a.weight_sums && span == 0) a.weight_sums[team.first + mine.owner] += total;
    s.of_owner[mine.owner] = static_cast<T>(total);
  }
  __syncthreads();
  const Matrix mean(a.grad_means), logvar(a.grad_logvars);
  pulls.each(team.at, team.owners, span_width, [&](int k, int j, const T(&sum)[2]) {
    T grad[2] = {sum[0], sum[1]};
    Pair::grad(s.own[1][j * kOwnerStride + k], s.of_owner[k], grad);
    if (mean.data) mean.put(team.first + k, span + j, grad[0]);
    if (logvar.data) logvar.put(team.first + k, span + j, grad[1]);
  });
}

// A warp puts the parts of one component together, and its weights in all problems.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads) join_components_kernel(const Mixture a) {
  constexpr int kWarps = kTeamThreads / cuda::kWarp;
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int64_t k = static_cast<int64_t>(blockIdx.x) * kWarps + warp;
  if (k >= a.num_components) return;
  const Matrix mean(a.grad_means), logvar(a.grad_logvars);
  const bool pulled = a.width;
  const int64_t width = pulled ? a.width : 1;
  double of_all = 0;
  for (int64_t j = lane; j < a.problems * width; j += cuda::kWarp) {
    double total = 0;
    T sum[2] = {};
#pragma unroll 4
    for (int p = 0; p < a.parts; ++p) {
      const LeftOfComponents<T> left(a, a.num_components, p);
      total += static_cast<double>(left.state(0, k, j / width));
      if (pulled) sum[0] += left.pull(0, k, j), sum[1] += left.pull(1, k, j);
    }
    if (j % width == 0) of_all += total;
    if (!pulled) continue;
    const int64_t column = a.first_problem * width + j;
    const T precision = M::precision(Matrix(a.logvars).get<T>(k, column));
    M::OfComponent::grad(precision, static_cast<T>(total), sum);
    if (mean.data) mean.put(k, column, sum[0]);
    if (logvar.data) logvar.put(k, column, sum[1]);
  }
  of_all = cuda::warp_sum(of_all);
  if (lane == 0 && a.weight_sums) a.weight_sums[k] += of_all;
}

// The gradient of each point's log-weights. A block takes a tile of components and one of points.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_log_weights_kernel(const Mixture a) {
  const int64_t tiles = tiles_of(a.num_components, kTeamOwners);
  ComponentTeam<M, T> team(a, blockIdx.x % tiles);
  const int64_t i = blockIdx.x / tiles * kTeamOthers;
  const Matrix grad(a.grad_log_weights);
  const int count = up_to(a.num_points - i, kTeamOthers);
  team.weigh(i, count, [&](int c, T weight) {
    if (c < count && team.mine.owner < team.owners)
      grad.put(i + c, team.first + team.mine.owner, weight);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
