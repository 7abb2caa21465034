// Sums of kernels over all pairs of two samples, and what flows back. `K` is the kernel, by squared
// distance and rate.
#pragma once

#include "launch.cuh"
#include "pairs_tiles.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

PYVAE_FN Matrix one_of(const View (&v)[2], int i) { return i ? Matrix(v[1]) : Matrix(v[0]); }
template <class T>
PYVAE_FN T one_of(const T (&x)[2], int i) {
  return i ? x[1] : x[0];
}

// The rates of all scales, ready after a barrier.
template <class K, class T>
__device__ __forceinline__ void put_rates(const Discrepancy& a, T* rate) {
  if (threadIdx.x >= static_cast<unsigned>(a.num_scales)) return;
  const double scale = load<double>(a.scales, threadIdx.x * a.scales.step);
  const double r = K::rate(scale, static_cast<double>(a.columns)), most = kLargest<T>;
  rate[threadIdx.x] = static_cast<T>(r < most ? r : most);
}

// Squared distances of owners [first, ..) of one sample from others [i, ..) of another. The span of
// columns from `last` on is taken last, and stays in the tiles.
template <class Pair, class T>
struct PairDistances {
  const Matrix own;
  const int64_t first, columns, last;
  const int owners;
  bool known = false;  // where there is one span, the tile of owners

  __device__ __forceinline__ void find(PairTiles<Pair, T>& s, const PairThread& at,
                                       const Matrix& other, int64_t i, int count) {
    T distance[4][4] = {};
    int64_t column = last;
    do {
      column = is_last_span<T>(columns, column) ? 0 : column + kPairSpan<T>;
      const int n = up_to(columns - column, kPairSpan<T>);
      __syncthreads();
      if (!known || columns > kPairSpan<T>)
        stage<kTeamOwners>(own, first, owners, column, n, s.own[0]);
      known = true;
      stage<kTeamOthers>(other, i, count, column, n, s.other[0]);
      __syncthreads();
      add_distances(s, at, n, distance);
    } while (column != last);
    put_pairs(s, at, distance);
  }
};

// out(c, sums) of this thread's four owners and each of its others: the sums of f(distance, rate)
// over the rates. Distances wait in the tile of pairs, where no other thread touches them.
template <class Pair, class T, class F, class Out>
__device__ __forceinline__ void over_scales(const Discrepancy& a, PairTiles<Pair, T>& s,
                                            const PairThread& at, const T* rates, const F& f,
                                            const Out& out) {
#pragma unroll 1
  for (int c = 0; c < 4; ++c) {
    T distance[4], sum[4] = {};
    four(s.pairs + (4 * at.group + c) * kPairStride + at.owner, distance);
#pragma unroll 1
    for (int n = 0; n < a.num_scales; ++n) {
      const T rate = rates[n];
#pragma unroll
      for (int o = 0; o < 4; ++o) sum[o] += f(distance[o], rate);
    }
    out(4 * at.group + c, sum);
  }
}

// Blocks along x are tiles of the first sample with itself, of the second with itself, and of the
// first with the second; those along y parts of the others.
template <class K, class Pair, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    discrepancy_value_kernel(const Discrepancy a) {
  PairTiles<Pair, T>& s = *cuda::shared_memory<PairTiles<Pair, T>>();
  __shared__ T rate[kMaxScales];
  const int64_t tiles[] = {tiles_of(a.rows[0], kTeamOwners), tiles_of(a.rows[1], kTeamOwners)};
  const int64_t item = blockIdx.x;
  const bool across = item >= tiles[0] + tiles[1];
  const int mine = !across && item >= tiles[0];
  const int its = across ? 1 : mine;
  const int64_t first = (item - (across ? tiles[0] + tiles[1] : mine ? tiles[0] : 0)) * kTeamOwners;
  const PartOfOthers part(one_of(a.rows, its), blockIdx.y, a.parts);
  const bool skip_self = a.skip_self && !across;
  const PairThread at;
  const Matrix other = one_of(a.sample, its);
  PairDistances<Pair, T> pairs{one_of(a.sample, mine), first, a.columns, 0,
                               up_to(one_of(a.rows, mine) - first, kTeamOwners)};
  put_rates<K>(a, rate);
  double total[1] = {};
  for (int64_t i = part.begin; i < part.end; i += kTeamOthers) {
    const int count = up_to(part.end - i, kTeamOthers);
    T sum = 0;
    pairs.find(s, at, other, i, count);
    over_scales(
        a, s, at, rate, [](T d, T r) { return K::value(d, r); },
        [&](int one, const T(&value)[4]) {
#pragma unroll
          for (int o = 0; o < 4; ++o) {
            const int owner = at.owner + o;
            if (owner < pairs.owners && one < count && !(skip_self && first + owner == i + one))
              sum += value[o];
          }
        });
    total[0] += static_cast<double>(sum);
  }
  cuda::block_sums<kTeamThreads>(total);
  if (threadIdx.x == 0)
    a.partial[item * a.parts + blockIdx.y] =
        (across ? a.between : one_of(a.within, mine)) * total[0];
}

// Blocks along x are tiles of the first sample, then of the second; those along y parts of the
// others, first of the same sample, then of the other one; those along z spans of columns.
template <class K, class Pair, class T>
__global__ void __launch_bounds__(kTeamThreads, 2)
    discrepancy_gradient_kernel(const Discrepancy a) {
  PairTiles<Pair, T>& s = *cuda::shared_memory<PairTiles<Pair, T>>();
  __shared__ T rate[kMaxScales];
  const int64_t tiles = tiles_of(a.rows[0], kTeamOwners);
  const int mine = blockIdx.x >= tiles;
  const int64_t first = (blockIdx.x - (mine ? tiles : 0)) * kTeamOwners;
  const int64_t own_tiles = tiles_of(one_of(a.rows, mine), kTeamOthers);
  const int64_t all_tiles = own_tiles + tiles_of(one_of(a.rows, 1 - mine), kTeamOthers);
  const int64_t each = tiles_of(all_tiles, a.parts);
  const int64_t span = static_cast<int64_t>(blockIdx.z) * kPairSpan<T>;
  const int span_width = up_to(a.columns - span, kPairSpan<T>);
  const PairThread at;
  PairDistances<Pair, T> pairs{one_of(a.sample, mine), first, a.columns, span,
                               up_to(one_of(a.rows, mine) - first, kTeamOwners)};
  put_rates<K>(a, rate);
  // The slope is one in the squared distance; within a sample each pair counts twice.
  const double slope = load<double>(a.grad_value, 0);
  const T factors[2] = {static_cast<T>(slope * 4 * one_of(a.within, mine)),
                        static_cast<T>(slope * 2 * a.between)};
  TeamPulls<Pair, T> pulls;
  pulls.clear();
  for (int64_t tile = blockIdx.y * each; tile < all_tiles && tile < (blockIdx.y + 1) * each;
       ++tile) {
    const int turn = tile >= own_tiles;
    const Matrix other = one_of(a.sample, turn ? 1 - mine : mine);
    const int64_t i = (tile - (turn ? own_tiles : 0)) * kTeamOthers;
    const int count = up_to(one_of(a.rows, turn ? 1 - mine : mine) - i, kTeamOthers);
    const T factor = one_of(factors, turn);
    pairs.find(s, at, other, i, count);
    over_scales(
        a, s, at, rate, [&](T d, T r) { return factor * K::slope(d, r); },
        [&](int one, T(&weight)[4]) {
#pragma unroll
          for (int o = 0; o < 4; ++o) weight[o] = one < count ? weight[o] : T(0);
          put_four(s.pairs + one * kPairStride + at.owner, weight);
        });
    __syncthreads();
    pulls.add(s, at, span_width);
  }

  if (a.parts > 1) {
    T* left = static_cast<T*>(a.scratch) +
              (blockIdx.y * pulled_rows(a) + (mine ? a.rows[0] : 0) + first) * a.columns;
    pulls.each(at, pairs.owners, span_width,
               [&](int k, int j, const T(&sum)[1]) { left[k * a.columns + span + j] = sum[0]; });
    return;
  }
  const Matrix grad = one_of(a.grad, mine);
  pulls.each(at, pairs.owners, span_width,
             [&](int k, int j, const T(&sum)[1]) { grad.put(first + k, span + j, sum[0]); });
}

template <class T>
__global__ void __launch_bounds__(kTeamThreads) join_discrepancy_kernel(const Discrepancy a) {
  const int64_t next = pulled_rows(a) * a.columns;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kTeamThreads + threadIdx.x;
  if (item >= next) return;
  const T* left = static_cast<const T*>(a.scratch) + item;
  T sum = 0;
#pragma unroll 4
  for (int p = 0; p < a.parts; ++p) sum += left[p * next];
  const int64_t row = item / a.columns;
  const int mine = row >= a.rows[0];
  one_of(a.grad, mine).put(row - (mine ? a.rows[0] : 0), item % a.columns, sum);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
