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
        owners(at_most(given.num_components - first, kTeamOwners)),
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
      s.of_other[0][threadIdx.x] = value < -kGreatest<T> ? -kGreatest<T> : value;
      s.of_other[1][threadIdx.x] = Matrix(a.grad_value).get<T>(i + threadIdx.x, 0);
    }
    if (!known) {
      const int64_t k = first + at_most(mine.owner, owners - 1);
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
        if (weights_each(a)) logit += Matrix(a.log_weights).get<T>(i + c, first + mine.owner);
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
  const int span_width = at_most(a.width - span, kPairSpan<T>);
  const PartOfOthers part(a.num_points, blockIdx.y, a.parts);
  double total = 0;
  TeamPulls<Pair, T> pulls;
  pulls.clear();

  for (int64_t i = part.begin; i < part.end; i += kTeamOthers) {
    const int count = at_most(part.end - i, kTeamOthers);
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
    const int64_t row = 1 + 2 * a.width;
    T* left = static_cast<T*>(a.scratch) + (blockIdx.y * a.num_components + team.first) * row;
    if (speaks && span == 0) left[mine.owner * row] = static_cast<T>(total);
    pulls.each(team.at, team.owners, span_width, [&](int k, int j, const T(&sum)[2]) {
      left[k * row + 1 + span + j] = sum[0];
      left[k * row + 1 + a.width + span + j] = sum[1];
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

// A warp puts the parts of one component together.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads) join_components_kernel(const Mixture a) {
  constexpr int kWarps = kTeamThreads / cuda::kWarp;
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int64_t k = static_cast<int64_t>(blockIdx.x) * kWarps + warp;
  if (k >= a.num_components) return;
  const int64_t row = 1 + 2 * a.width, next = a.num_components * row;
  const int parts = static_cast<int>(a.parts);
  const T* left = static_cast<const T*>(a.scratch) + k * row;
  double total = 0;
  for (int p = lane; p < parts; p += cuda::kWarp) total += static_cast<double>(left[p * next]);
  total = cuda::warp_sum(total);
  if (lane == 0 && a.weight_sums) a.weight_sums[k] += total;
  const Matrix mean(a.grad_means), logvar(a.grad_logvars);
  if (!mean.data && !logvar.data) return;
  for (int64_t j = lane; j < a.width; j += cuda::kWarp) {
    T sum[2] = {};
#pragma unroll 4
    for (int p = 0; p < parts; ++p) {
      sum[0] += left[p * next + 1 + j];
      sum[1] += left[p * next + 1 + a.width + j];
    }
    M::OfComponent::grad(M::precision(Matrix(a.logvars).get<T>(k, j)), static_cast<T>(total), sum);
    if (mean.data) mean.put(k, j, sum[0]);
    if (logvar.data) logvar.put(k, j, sum[1]);
  }
}

// The gradient of each point's log-weights. A block takes a tile of components and one of points.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_log_weights_kernel(const Mixture a) {
  const int64_t tiles = (a.num_components + kTeamOwners - 1) / kTeamOwners;
  ComponentTeam<M, T> team(a, blockIdx.x % tiles);
  const int64_t i = blockIdx.x / tiles * kTeamOthers;
  const Matrix grad(a.grad_log_weights);
  const int count = at_most(a.num_points - i, kTeamOthers);
  team.weigh(i, count, [&](int c, T weight) {
    if (c < count && team.mine.owner < team.owners)
      grad.put(i + c, team.first + team.mine.owner, weight);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
