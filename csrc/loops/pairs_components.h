// The gradients of a mixture's components: owners are components, others points of known value.
#pragma once

#include "pairs_mixture.h"

namespace pyvae {
inline namespace PYVAE_ISA {

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
    int64_t column = 0;
    do {
      for (int b = 0; b < n; b += kBlock) {
        load(problem, i + b, column);
        distances<Pair>(components, points, column > 0, weights + b * kOwners);
      }
      column += kSpan<T>;
    } while (column < a.width);
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
