// The log-density of a mixture over pairs of points and components: log sum_k exp(logit), and what
// flows back. `M` says what a pair adds to a logit and to a gradient.
#pragma once

#include "pairs_tiles.h"
#include "segment.h"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kTiles = 4;  // of points, which share the precisions of a tile of components

// What the logits of components have in common for all points; weights of each point come on top.
template <class M, class T>
void constants(const Mixture& a, int64_t problem, int64_t first, int count, T* out) {
  T logvar[kSpan<T>];
  const int64_t begin = problem * a.width, end = begin + a.width;
  for (int c = 0; c < count; ++c) {
    T sum = 0, log_weight = static_cast<T>(a.log_weight);
    for (int64_t j = begin; j < end; j += kSpan<T>) {
      const int n = up_to(end - j, kSpan<T>);
      sum += sum_of(fetch(a.logvars, place(a.logvars, first + c, j), logvar, n), n);
    }
    if (per_point(a))
      log_weight = 0;
    else if (a.log_weights.data)
      log_weight = *fetch(a.log_weights, place(a.log_weights, 0, first + c), &log_weight, 1);
    out[c] = M::constant(log_weight, sum, static_cast<T>(a.width));
  }
}
template <class M, class T>
void to_precisions(T* logvars, int count) {
  using V = Vec<T>;
  for (int i = 0; i < count; i += V::kLanes) M::precision(V::load(logvars + i)).store(logvars + i);
}

// A sum of exponentials of each owner, relative to the largest so far.
template <class T>
struct LogSumExp {
  T top[kOwners], sum[kOwners], keep[kOwners];

  void open() {
    for (int i = 0; i < kOwners; ++i) top[i] = -kLargest<T>, sum[i] = 0;
  }
  // Logits become weights relative to the new largest; `keep`: what the earlier ones shrink by.
  // It stays finite: where all logits are -inf the weights are 0, and +inf gives +inf.
  void absorb(T* logits, int vectors, int count) {
    using V = Vec<T>;
    for (int lane = 0; lane < vectors * V::kLanes; lane += V::kLanes) {
      const V before = V::load(top + lane);
      V most = before;
      for (int c = 0; c < count; ++c) {
        const V logit = V::load(logits + c * kOwners + lane);
        most = select(most < logit, logit, most);
      }
      most = select(most > V(kLargest<T>), V(kLargest<T>), most);
      const V shrink = exp(before - most);
      V total = V::load(sum + lane) * shrink;
      for (int c = 0; c < count; ++c) {
        const V weight = exp(V::load(logits + c * kOwners + lane) - most);
        total = total + weight;
        weight.store(logits + c * kOwners + lane);
      }
      most.store(top + lane), total.store(sum + lane), shrink.store(keep + lane);
    }
  }
  void value(T* out, int vectors) const {
    using V = Vec<T>;
    for (int i = 0; i < vectors * V::kLanes; i += V::kLanes)
      (V::load(top + i) + log(V::load(sum + i))).store(out + i);
  }
};

// Owners are points: the value, and with kGrad the gradient of the points in the same pass.
template <class M, class T, bool kGrad>
struct PointsLoop {
  using Pair = typename M::OfPoint;
  const Mixture& a;
  Owners<T, 1> points[kTiles];
  Others<T, 2> components;
  Owners<T, 1> log_weights;  // of each point
  Pulls<T, 1> pulls[kGrad ? kTiles : 1];
  LogSumExp<T> state[kTiles];
  T pairs[kMany * kOwners], constant[kMany], zeros[kOwners] = {};

  explicit PointsLoop(const Mixture& given) : a(given) {}

  // Tiles of points from `first` on. More columns than a tile's are gone through once for each span
  // of the gradient.
  void run(int64_t problem, int64_t first, int tiles) {
    const int most = others_at_a_time<T>(a.width);
    int64_t column = 0;
    do {
      const bool known = column > 0 && a.num_components <= most;  // the weights are still there
      for (int t = 0; t < tiles; ++t) {
        if (!known) state[t].open();
        if (kGrad) pulls[t].clear(up_to(a.width - column, kSpan<T>));
      }
      for (int64_t k = 0; k < a.num_components; k += most) {
        const int count = up_to(a.num_components - k, most);
        if (!known) constants<M>(a, problem, k, count, constant);
        for (int t = 0; t < tiles; ++t) {
          if (!known) weigh(t, problem, first + t * kOwners, k, count);
          for (int b = 0; kGrad && b < count; b += kBlock) {
            load(t, problem, first + t * kOwners, k + b, column);
            pull<Pair>(points[t], components, pairs + b * kOwners, pulls[t],
                       b ? nullptr : state[t].keep);
          }
        }
      }
      for (int t = 0; t < tiles; ++t) close(t, problem, first + t * kOwners, column);
      column += kSpan<T>;
    } while (kGrad && column < a.width);
  }

 protected:
  void load(int t, int64_t problem, int64_t first, int64_t k, int64_t column) {
    const int n = up_to(a.width - column, kSpan<T>);
    const int64_t from = problem * a.width + column;
    points[t].load({&a.points}, first, up_to(a.num_points - first, kOwners), from, n);
    const int count = up_to(a.num_components - k, kBlock);
    if (components.load({&a.means, &a.logvars}, k, count, from, n))
      for (int c = 0; c < count; ++c) to_precisions<M>(components.at[1] + c * kStride<T>, n);
  }
  // pairs[component][point] = exp(logit - the largest so far)
  void weigh(int t, int64_t problem, int64_t first, int64_t k, int count) {
    using V = Vec<T>;
    all_distances<Pair>(
        points[t], components, a.width, count,
        [&](int b, int64_t column) { load(t, problem, first, k + b, column); }, pairs);
    const int vectors = points[t].vectors();
    for (int c = 0; c < count; ++c) {
      const T* weights = zeros;
      if (per_point(a)) {
        const int b = c / kBlock * kBlock;
        log_weights.load({&a.log_weights}, first, points[t].count, k + b, up_to(count - b, kBlock));
        weights = log_weights.at[0] + (c - b) * kOwners;
      }
      for (int lane = 0; lane < vectors * V::kLanes; lane += V::kLanes) {
        T* p = pairs + c * kOwners + lane;
        (M::logit(V(constant[c]), V::load(p)) + V::load(weights + lane)).store(p);
      }
    }
    state[t].absorb(pairs, vectors, count);
  }
  // The incoming gradient over the sum of weights.
  void slopes(int t, int64_t problem, int64_t first, T* slope) {
    using V = Vec<T>;
    fetch_by_tile(down(a.grad_value), place(a.grad_value, first, problem), slope, points[t].count);
    for (int i = 0; i < points[t].vectors() * V::kLanes; i += V::kLanes) {
      const V sum = V::load(state[t].sum + i);
      select(sum > V(0), V::load(slope + i) / sum, sum).store(slope + i);
    }
  }
  void close(int t, int64_t problem, int64_t first, int64_t column) {
    using V = Vec<T>;
    const int count = points[t].count, vectors = points[t].vectors();
    if (a.value.data && column == 0) {
      T value[kOwners];
      state[t].value(value, vectors);
      put(down(a.value), place(a.value, first, problem - a.first_problem), value, count);
    }
    if constexpr (kGrad) {
      T slope[kOwners];
      slopes(t, problem, first, slope);
      const int n = up_to(a.width - column, kSpan<T>);
      for (int j = 0; j < n; ++j) {
        T* row = pulls[t].at[0] + j * kOwners;
        for (int i = 0; i < vectors * V::kLanes; i += V::kLanes)
          (V::load(row + i) * V::load(slope + i)).store(row + i);
        put(down(a.grad_points), place(a.grad_points, first, problem * a.width + column + j), row,
            count);
      }
    }
  }
};

// Items are (problem, tile of points).
template <class M, class T, bool kGrad>
void mixture_points(const Mixture& a, int64_t begin, int64_t end) {
  const int64_t tiles = owner_tiles(a.num_points);
  const int together = a.width > kSpan<T> ? 1 : kTiles;
  PointsLoop<M, T, kGrad> loop(a);
  while (begin < end) {
    const int64_t tile = begin % tiles, left = end - begin;
    const int n = up_to(left < tiles - tile ? left : tiles - tile, together);
    loop.run(a.first_problem + begin / tiles, tile * kOwners, n);
    begin += n;
  }
}

// The gradients of components: owners are components, others points of known value.
template <class M, class T>
struct ComponentsLoop {
  using Pair = typename M::OfComponent;
  using V = Vec<T>;
  const Mixture& a;
  Owners<T, 2> components;
  Others<T, 1> points;
  Pulls<T, 2> pulls;
  T weights[kMany * kOwners], constant[kOwners];
  int64_t first = 0;  // of the tile
  int count = 0;

  explicit ComponentsLoop(const Mixture& given) : a(given) {}
  void open(int64_t tile) {
    first = tile * kOwners;
    count = up_to(a.num_components - first, kOwners);
  }

  // Means, log-variances, and weights that all points share.
  void parameters() {
    const bool pulled = a.grad_means.data || a.grad_logvars.data;
    const int most = others_at_a_time<T>(a.width);
    for (int64_t p = a.first_problem; p < a.first_problem + a.problems; ++p) {
      double sums[kOwners] = {};
      constants<M>(a, p, first, count, constant);
      int64_t column = 0;
      do {
        pulls.clear(up_to(a.width - column, kSpan<T>));
        for (int64_t i = 0; i < a.num_points; i += most) {
          const int n = up_to(a.num_points - i, most);
          if (column == 0 || a.num_points > most) weigh(p, i, n);
          if (column == 0) add_others(weights, n, sums);
          for (int b = 0; pulled && b < n; b += kBlock) {
            load(p, i + b, column);
            pull<Pair>(components, points, weights + b * kOwners, pulls);
          }
        }
        if (pulled) close(p, column, sums);
        column += kSpan<T>;
      } while (pulled && column < a.width);
      for (int k = 0; a.weight_sums && k < count; ++k) a.weight_sums[first + k] += sums[k];
    }
  }

  // The log-weights of each point, summed over problems.
  void log_weights() {
    T total[kBlock * kOwners];
    for (int64_t i = 0; i < a.num_points; i += kBlock) {
      const int n = up_to(a.num_points - i, kBlock);
      memset(total, 0, sizeof(total));
      for (int64_t p = a.first_problem; p < a.first_problem + a.problems; ++p) {
        constants<M>(a, p, first, count, constant);
        weigh(p, i, n);
        for (int c = 0; c < n * kOwners; ++c) total[c] += weights[c];
      }
      const View& g = a.grad_log_weights;
      for (int c = 0; c < n; ++c) put(g, place(g, i + c, first), total + c * kOwners, count);
    }
  }

 private:
  void load(int64_t problem, int64_t i, int64_t column) {
    const int n = up_to(a.width - column, kSpan<T>);
    const int64_t from = problem * a.width + column;
    if (components.load({&a.means, &a.logvars}, first, count, from, n))
      to_precisions<M>(components.at[1], n * kOwners);
    points.load({&a.points}, i, up_to(a.num_points - i, kBlock), from, n);
  }
  // weights[point][component] = slope of the point x exp(logit - value)
  void weigh(int64_t problem, int64_t i, int n) {
    all_distances<Pair>(
        components, points, a.width, n,
        [&](int b, int64_t column) { load(problem, i + b, column); }, weights);
    T value[kMany], slope[kMany], log_weight[kOwners] = {};
    fetch_by_tile(down(a.value), place(a.value, i, problem - a.first_problem), value, n);
    fetch_by_tile(down(a.grad_value), place(a.grad_value, i, problem), slope, n);
    for (int c = 0; c < n; ++c) {
      const View& w = a.log_weights;
      if (per_point(a)) fetch_by_tile(w, place(w, i + c, first), log_weight, count);
      // A value of -inf has no weights: not exp(-inf + inf).
      const V whole(value[c] < -kLargest<T> ? -kLargest<T> : value[c]), s(slope[c]);
      for (int lane = 0; lane < components.vectors() * V::kLanes; lane += V::kLanes) {
        T* p = weights + c * kOwners + lane;
        const V logit = M::logit(V::load(constant + lane), V::load(p)) + V::load(log_weight + lane);
        (s * exp(logit - whole)).store(p);
      }
    }
  }
  void close(int64_t problem, int64_t column, const double* sums) {
    T total[kOwners] = {};
    for (int k = 0; k < count; ++k) total[k] = static_cast<T>(sums[k]);
    load(problem, 0, column);
    for (int j = 0; j < components.width; ++j) {
      T *mean = pulls.at[0] + j * kOwners, *logvar = pulls.at[1] + j * kOwners;
      for (int lane = 0; lane < components.vectors() * V::kLanes; lane += V::kLanes) {
        V sum[2] = {V::load(mean + lane), V::load(logvar + lane)};
        Pair::grad(V::load(components.at[1] + j * kOwners + lane), V::load(total + lane), sum);
        sum[0].store(mean + lane), sum[1].store(logvar + lane);
      }
      const int64_t at = problem * a.width + column + j;
      const View &m = a.grad_means, &v = a.grad_logvars;
      if (m.data) put(down(m), place(m, first, at), mean, count);
      if (v.data) put(down(v), place(v, first, at), logvar, count);
    }
  }
};

// Items are tiles of components.
template <class M, class T>
void mixture_components(const Mixture& a, int64_t begin, int64_t end) {
  ComponentsLoop<M, T> loop(a);
  for (int64_t tile = begin; tile < end; ++tile) {
    loop.open(tile);
    loop.parameters();
  }
}
template <class M, class T>
void mixture_log_weights(const Mixture& a, int64_t begin, int64_t end) {
  ComponentsLoop<M, T> loop(a);
  for (int64_t tile = begin; tile < end; ++tile) {
    loop.open(tile);
    loop.log_weights();
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
