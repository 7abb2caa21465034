// Sums of kernels over all pairs of two samples, and what flows back. `K` is the kernel, by squared
// distance and rate.
#pragma once

#include "pairs_tiles.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class K, class Pair, class T>
struct DiscrepancyLoop {
  using V = Vec<T>;
  const Discrepancy& a;
  Owners<T, 1> owners;
  Others<T, 1> others;
  Pulls<T, 1> pulls;
  T pairs[kMany * kOwners], rate[kMaxScales];

  explicit DiscrepancyLoop(const Discrepancy& given) : a(given) {
    for (int s = 0; s < a.num_scales; ++s) {
      double scale;
      fetch_by_tile(a.scales, s * a.scales.step, &scale, 1);
      const double r = K::rate(scale, static_cast<double>(a.columns)), most = kLargest<T>;
      rate[s] = static_cast<T>(r < most ? r : most);
    }
  }

  // The kernels of a tile of sample `own` with all of sample `other`.
  double value(int own, int other, int64_t first) {
    const int most = others_at_a_time<T>(a.columns);
    double total[kOwners] = {};
    for (int64_t i = 0; i < a.rows[other]; i += most) {
      const int n = up_to(a.rows[other] - i, most);
      measure(own, other, first, i, n);
      each_pair(n, [](V s, V r) { return K::value(s, r); });
      if (a.skip_self && own == other && i <= first && first < i + n)
        for (int k = 0; k < owners.count; ++k) pairs[(first - i + k) * kOwners + k] = 0;
      add_others(pairs, n, total);
    }
    double sum = 0;
    for (int k = 0; k < owners.count; ++k) sum += total[k];
    return sum;
  }

  // The gradient of a tile of sample `own`. A row with itself pulls nothing.
  void gradient(int own, int64_t first) {
    double slope;
    fetch_by_tile(a.grad_value, 0, &slope, 1);
    const View& g = a.grad[own];
    const int most = others_at_a_time<T>(a.columns);
    for (int64_t column = 0; column < a.columns; column += kSpan<T>) {
      const int n = up_to(a.columns - column, kSpan<T>);
      pulls.clear(n);
      for (int turn = 0; turn < 2; ++turn) {
        const int other = turn ? 1 - own : own;
        // The slope is one in the squared distance; within a sample each pair counts twice.
        const V factor(static_cast<T>(slope * (turn ? 2 * a.between : 4 * a.within[own])));
        for (int64_t i = 0; i < a.rows[other]; i += most) {
          const int count = up_to(a.rows[other] - i, most);
          measure(own, other, first, i, count);
          each_pair(count, [factor](V s, V r) { return factor * K::slope(s, r); });
          for (int b = 0; b < count; b += kBlock) {
            load(own, other, first, i + b, column);
            pull<Pair>(owners, others, pairs + b * kOwners, pulls);
          }
        }
      }
      for (int j = 0; j < n; ++j)
        put(down(g), place(g, first, column + j), pulls.at[0] + j * kOwners, owners.count);
    }
  }

 private:
  void load(int own, int other, int64_t first, int64_t i, int64_t column) {
    const int n = up_to(a.columns - column, kSpan<T>);
    owners.load({&a.sample[own]}, first, up_to(a.rows[own] - first, kOwners), column, n);
    others.load({&a.sample[other]}, i, up_to(a.rows[other] - i, kBlock), column, n);
  }
  void measure(int own, int other, int64_t first, int64_t i, int count) {
    all_distances<Pair>(
        owners, others, a.columns, count,
        [&](int b, int64_t column) { load(own, other, first, i + b, column); }, pairs);
  }
  // pairs = sum of f(pairs, rate) over the rates
  template <class F>
  void each_pair(int count, const F& f) {
    for (int c = 0; c < count; ++c)
      for (int lane = 0; lane < owners.vectors() * V::kLanes; lane += V::kLanes) {
        T* p = pairs + c * kOwners + lane;
        const V s = V::load(p);
        V sum(0);
        for (int k = 0; k < a.num_scales; ++k) sum = sum + f(s, V(rate[k]));
        sum.store(p);
      }
  }
};

// Items are tiles of the first sample with itself, of the second with itself, and of the first with
// the second.
template <class K, class Pair, class T>
void discrepancy_value(const Discrepancy& a, int64_t begin, int64_t end) {
  const int64_t tiles[] = {owner_tiles(a.rows[0]), owner_tiles(a.rows[1])};
  DiscrepancyLoop<K, Pair, T> loop(a);
  for (int64_t item = begin; item < end; ++item) {
    const bool across = item >= tiles[0] + tiles[1];
    const int own = !across && item >= tiles[0];
    const int64_t tile = item - (across ? tiles[0] + tiles[1] : own ? tiles[0] : 0);
    const double weight = across ? a.between : a.within[own];
    a.partial[item] = weight * loop.value(own, across ? 1 : own, tile * kOwners);
  }
}
// Items are tiles of the first sample, then of the second.
template <class K, class Pair, class T>
void discrepancy_gradient(const Discrepancy& a, int64_t begin, int64_t end) {
  const int64_t tiles = owner_tiles(a.rows[0]);
  DiscrepancyLoop<K, Pair, T> loop(a);
  for (int64_t item = begin; item < end; ++item) {
    const int own = item >= tiles;
    loop.gradient(own, (own ? item - tiles : item) * kOwners);
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
