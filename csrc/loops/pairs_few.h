// Few points under a mixture: the value and every gradient from one computation of the weights.
// Columns, not owners, are the lanes of what is pulled, so that neither side is summed across
// lanes.
#pragma once

#include "pairs_mixture.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// The weights of all owners of a tile under a component.
template <class T>
PYVAE_FN T* few_weights(const Mixture& a, int64_t tile, int64_t component) {
  return static_cast<T*>(a.scratch) + FewScratch(a).weights(tile, component);
}

// The values, and the weights times the incoming gradient: the gradients of the logits.
template <class M, class T>
struct FewWeights : PointsLoop<M, T, false> {
  using Base = PointsLoop<M, T, false>;
  using V = Vec<T>;
  using Base::a, Base::points, Base::state;

  T tops[kTiles][kFewComponents / kBlock][kOwners];  // largest logits up to each block

  explicit FewWeights(const Mixture& given) : Base(given) {}

  // Tiles that share the precisions of a block of components.
  void run(int64_t begin, int tiles) {
    for (int t = 0; t < tiles; ++t) state[t].open();
    for (int64_t k = 0; k < a.num_components; k += kBlock) {
      const int count = up_to(a.num_components - k, kBlock);
      constants<M>(a, 0, k, count, this->constant);
      for (int t = 0; t < tiles; ++t) {
        this->weigh(t, 0, (begin + t) * kOwners, k, count);
        memcpy(few_weights<T>(a, begin + t, k), this->pairs, count * kOwners * sizeof(T));
        memcpy(tops[t][k / kBlock], state[t].top, sizeof(state[t].top));
      }
    }
    for (int t = 0; t < tiles; ++t) {
      this->close(t, 0, (begin + t) * kOwners, 0);
      normalize(t, begin + t);
    }
  }

 private:
  // Weights relative to the largest logit at their time become gradients; those of no point are 0.
  void normalize(int t, int64_t tile) {
    T slope[kOwners] = {};
    this->slopes(t, 0, tile * kOwners, slope);
    for (int64_t k = 0; k < a.num_components; k += kBlock)
      for (int lane = 0; lane < points[t].vectors() * V::kLanes; lane += V::kLanes) {
        const V shrink = exp(V::load(tops[t][k / kBlock] + lane) - V::load(state[t].top + lane));
        const V factor = shrink * V::load(slope + lane);
        for (int c = 0; c < kBlock && k + c < a.num_components; ++c) {
          T* weight = few_weights<T>(a, tile, k + c) + lane;
          (V::load(weight) * factor).store(weight);
        }
      }
    const View& g = a.grad_log_weights;
    const int count = points[t].count;
    for (int64_t k = 0; k < a.num_components; ++k) {
      T* weight = few_weights<T>(a, tile, k);
      for (int i = count; i < kOwners; ++i) weight[i] = 0;
      if (g.data) put(down(g), place(g, tile * kOwners, k), weight, count);
    }
  }
};

// What components and points pull each other by.
template <class M, class T>
struct FewPulls {
  using V = Vec<T>;
  static constexpr int kGroup = PYVAE_VECTOR_BYTES == 64 ? 8 : 4;  // points at a time
  const Mixture& a;
  const FewScratch at;
  const int width, stride;
  Others<T, 2> components;
  alignas(64) T rows[kFewPoints * kFewColumns], sums[kBlock][2][kFewColumns];

  explicit FewPulls(const Mixture& given)
      : a(given), at(given), width(static_cast<int>(a.width)), stride(static_cast<int>(at.stride)) {
    // The lanes past the last column, and the rows past the last point.
    memset(components.at, 0, sizeof(components.at));
    memset(rows, 0, at.tiles * kOwners * stride * sizeof(T));
    for (int64_t i = 0; i < a.num_points; ++i)
      fetch_by_tile(a.points, place(a.points, i, 0), rows + i * stride, width);
  }

  void run(int64_t part) {
    T* pulls = static_cast<T*>(a.scratch) + at.pulls(part, 0);
    memset(pulls, 0, at.tiles * kOwners * stride * sizeof(T));
    const int64_t end = up_to(a.num_components, (part + 1) * kFewPart);
    for (int64_t k = part * kFewPart; k < end; k += kBlock) {
      const int count = up_to(end - k, kBlock);
      components.load({&a.means, &a.logvars}, k, count, 0, width);
      for (int c = 0; c < count; ++c) to_precisions<M>(components.at[1] + c * kStride<T>, width);
      for (int i = 0; i < a.num_points; i += kGroup)
        for (int j = 0; j < width; j += V::kLanes) cell(i, j, k, count, pulls);
      for (int c = 0; c < count; ++c) close(k + c, c);
    }
  }

 private:
  // A group of points, a vector of columns, and a block of components.
  void cell(int i, int j, int64_t k, int count, T* pulls) {
    V z[kGroup][1], sum[kGroup][1];
    for (int g = 0; g < kGroup; ++g) {
      z[g][0] = V::load(rows + (i + g) * stride + j);
      sum[g][0] = V::load(pulls + (i + g) * stride + j);
    }
    const T* weight = few_weights<T>(a, i / kOwners, k) + i % kOwners;
    for (int c = 0; c < count; ++c, weight += kOwners) {
      const V component[2] = {V::load(components.at[0] + c * kStride<T> + j),
                              V::load(components.at[1] + c * kStride<T> + j)};
      V own[2] = {V(0), V(0)};
      if (i > 0) own[0] = V::load(sums[c][0] + j), own[1] = V::load(sums[c][1] + j);
#pragma GCC unroll 8
      for (int g = 0; g < kGroup; ++g) {  // their common factors are formed once
        M::OfPoint::pull(z[g], component, V(weight[g]), sum[g]);
        M::OfComponent::pull(component, z[g], V(weight[g]), own);
      }
      own[0].store(sums[c][0] + j), own[1].store(sums[c][1] + j);
    }
    for (int g = 0; g < kGroup; ++g) sum[g][0].store(pulls + (i + g) * stride + j);
  }
  void close(int64_t k, int c) {
    double weight = 0;
    for (int64_t t = 0; t < at.tiles; ++t)
      weight += static_cast<double>(
          sum_of(few_weights<T>(a, t, k), up_to(a.num_points - t * kOwners, kOwners)));
    if (a.weight_sums) a.weight_sums[k] += weight;
    for (int j = 0; j < width; j += V::kLanes) {
      V sum[2] = {V::load(sums[c][0] + j), V::load(sums[c][1] + j)};
      const V precision = V::load(components.at[1] + c * kStride<T> + j);
      M::OfComponent::grad(precision, V(static_cast<T>(weight)), sum);
      sum[0].store(sums[c][0] + j), sum[1].store(sums[c][1] + j);
    }
    const View &m = a.grad_means, &v = a.grad_logvars;
    if (m.data) put(m, place(m, k, 0), sums[c][0], width);
    if (v.data) put(v, place(v, k, 0), sums[c][1], width);
  }
};

// Items are tiles of points.
template <class M, class T>
void mixture_few_weights(const Mixture& a, int64_t begin, int64_t end) {
  FewWeights<M, T> loop(a);
  for (; begin < end; begin += kTiles) loop.run(begin, up_to(end - begin, kTiles));
}
// Items are parts of the components.
template <class M, class T>
void mixture_few_pulls(const Mixture& a, int64_t begin, int64_t end) {
  FewPulls<M, T> loop(a);
  for (; begin < end; ++begin) loop.run(begin);
}
// Items are points, whose gradients of all parts are put together.
template <class M, class T>
void mixture_few_points(const Mixture& a, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const FewScratch at(a);
  T row[kFewColumns];
  for (; begin < end; ++begin) {
    for (int j = 0; j < a.width; j += V::kLanes) {
      V sum(0);
      for (int64_t part = 0; part < at.parts(); ++part)
        sum = sum + V::load(static_cast<const T*>(a.scratch) + at.pulls(part, begin) + j);
      sum.store(row + j);
    }
    put(a.grad_points, place(a.grad_points, begin, 0), row, static_cast<int>(a.width));
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
