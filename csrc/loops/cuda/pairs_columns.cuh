// Mixtures of one column each, with the same weights: problems lie side by side in the lanes of a
// warp, as they do in memory, and a thread holds some owners of one problem in registers.
#pragma once

#include "pairs_mixture.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// Where a thread of a block works. Blocks along z take `lanes` problems, those along x owners.
struct ColumnThread {
  int64_t owner, problem;  // the first of kTeamOwn; the problem by its column
  int lane, lanes;
  bool there;

  __device__ __forceinline__ ColumnThread(const Mixture& a, int lanes_)
      : lane(threadIdx.x % lanes_), lanes(lanes_) {
    owner = (static_cast<int64_t>(blockIdx.x) * (kTeamThreads / lanes) + threadIdx.x / lanes) *
            kTeamOwn;
    const int64_t p = static_cast<int64_t>(blockIdx.z) * lanes + lane;
    there = p < a.problems;
    problem = a.first_problem + p;
  }
};

// What a component is to all points of one problem.
template <class T>
struct Component1d {
  T mean, precision, constant;
};
template <class M, class T>
__device__ __forceinline__ Component1d<T> component_1d(const Mixture& a, int64_t k,
                                                       int64_t column) {
  const T logvar = Matrix(a.logvars).get<T>(k, column);
  Component1d<T> c;
  c.mean = Matrix(a.means).get<T>(k, column);
  c.precision = M::precision(logvar);
  c.constant = M::constant(shared_log_weight<T>(a, k), logvar, T(1));
  return c;
}
template <class M, class T>
__device__ __forceinline__ T logit_1d(const Component1d<T>& c, T z) {
  const T point[1] = {z}, component[2] = {c.mean, c.precision};
  return M::logit(c.constant, M::OfPoint::distance(point, component, T(0)));
}

template <class M, class T, bool kGrad>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_points_1d_kernel(const Mixture a, int lanes) {
  constexpr int kOnce = 8;  // components
  __shared__ Component1d<T> tile[kTeamOthers * kMaxLanes];
  const ColumnThread at(a, lanes);
  const PartOfOthers part(a.num_components, blockIdx.y, a.parts);
  const bool each = per_point(a);
  T z[kTeamOwn], pulls[kTeamOwn] = {};
  SumOfExp<T> state[kTeamOwn];
#pragma unroll
  for (int i = 0; i < kTeamOwn; ++i)
    z[i] = at.there && at.owner + i < a.num_points
               ? Matrix(a.points).get<T>(at.owner + i, at.problem)
               : T(0);

  for (int64_t k = part.begin; k < part.end; k += kTeamOthers) {
    __syncthreads();
    for (int e = threadIdx.x; e < kTeamOthers * lanes; e += kTeamThreads) {
      const int64_t component = k + e / lanes;  // the lane is this thread's own
      tile[e] = component < part.end && at.there ? component_1d<M, T>(a, component, at.problem)
                                                 : Component1d<T>{0, 1, -INFINITY};
    }
    __syncthreads();
#pragma unroll 1
    for (int b = 0; b < kTeamOthers; b += kOnce) {
      Component1d<T> c[kOnce];
#pragma unroll
      for (int n = 0; n < kOnce; ++n) c[n] = tile[(b + n) * lanes + at.lane];
#pragma unroll
      for (int i = 0; i < kTeamOwn; ++i) {
        T logit[kOnce], most = -kLargest<T>;
#pragma unroll
        for (int n = 0; n < kOnce; ++n) {
          logit[n] = logit_1d<M>(c[n], z[i]);
          if (each && at.owner + i < a.num_points && k + b + n < part.end)
            logit[n] += Matrix(a.log_weights).get<T>(at.owner + i, k + b + n);
          most = select(most < logit[n], logit[n], most);
        }
        T pull[1] = {pulls[i] * state[i].raise(most)};
        const T point[1] = {z[i]};
#pragma unroll
        for (int n = 0; n < kOnce; ++n) {
          const T weight = state[i].add(logit[n]), component[2] = {c[n].mean, c[n].precision};
          if constexpr (kGrad) M::OfPoint::pull(point, component, weight, pull);
        }
        pulls[i] = pull[0];
      }
    }
  }

  if (!at.there) return;
  const LeftOfPoints<T, kGrad> left(a, a.num_points, blockIdx.y);
#pragma unroll
  for (int i = 0; i < kTeamOwn; ++i) {
    const int64_t point = at.owner + i, column = at.problem - a.first_problem;
    if (point >= a.num_points) continue;
    if (a.parts > 1) {
      left.state(0, point, column) = state[i].top, left.state(1, point, column) = state[i].sum;
      if constexpr (kGrad) left.pull(0, point, column) = pulls[i];
      continue;
    }
    if (a.value.data) Matrix(a.value).put(point, column, state[i].value());
    if constexpr (kGrad)
      Matrix(a.grad_points)
          .put(point, at.problem,
               pulls[i] * slope_over(Matrix(a.grad_value).get<T>(point, at.problem), state[i].sum));
  }
}

// A point of known value, seen from a component of one problem.
template <class T>
struct Point1d {
  T z, value, slope;
};
template <class T>
__device__ __forceinline__ Point1d<T> point_1d(const Mixture& a, int64_t i, int64_t problem) {
  const T value = Matrix(a.value).get<T>(i, problem - a.first_problem);
  Point1d<T> p;
  p.z = Matrix(a.points).get<T>(i, problem);
  p.value = value < -kLargest<T> ? -kLargest<T> : value;  // as in ComponentTeam
  p.slope = Matrix(a.grad_value).get<T>(i, problem);
  return p;
}

// Three sums of each component and problem, of one part of the points: weights and two pulls.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_components_1d_kernel(const Mixture a, int lanes) {
  __shared__ Point1d<T> tile[kTeamOthers * kMaxLanes];
  const ColumnThread at(a, lanes);
  const PartOfOthers part(a.num_points, blockIdx.y, a.parts);
  const bool each = per_point(a);
  Component1d<T> own[kTeamOwn];
  T sum[kTeamOwn][2] = {};
  double total[kTeamOwn] = {};
#pragma unroll
  for (int k = 0; k < kTeamOwn; ++k)
    own[k] = at.there && at.owner + k < a.num_components
                 ? component_1d<M, T>(a, at.owner + k, at.problem)
                 : Component1d<T>{0, 1, -INFINITY};

  for (int64_t i = part.begin; i < part.end; i += kTeamOthers) {
    const int count = up_to(part.end - i, kTeamOthers);
    __syncthreads();
    for (int e = threadIdx.x; e < count * lanes; e += kTeamThreads)
      tile[e] = at.there ? point_1d<T>(a, i + e / lanes, at.problem) : Point1d<T>{0, 0, 0};
    __syncthreads();
    T weights[kTeamOwn] = {};
#pragma unroll 2
    for (int c = 0; c < count; ++c) {
      const Point1d<T> p = tile[c * lanes + at.lane];
      const T point[1] = {p.z};
#pragma unroll
      for (int k = 0; k < kTeamOwn; ++k) {
        const T component[2] = {own[k].mean, own[k].precision};
        T logit = M::logit(own[k].constant, M::OfComponent::distance(component, point, T(0)));
        if (each && at.owner + k < a.num_components)
          logit += Matrix(a.log_weights).get<T>(i + c, at.owner + k);
        const T weight = p.slope * exp(logit - p.value);
        weights[k] += weight;
        M::OfComponent::pull(component, point, weight, sum[k]);
      }
    }
#pragma unroll
    for (int k = 0; k < kTeamOwn; ++k) total[k] += static_cast<double>(weights[k]);
  }

  if (!at.there) return;
  const LeftOfComponents<T> left(a, a.num_components, blockIdx.y);
  const int64_t column = at.problem - a.first_problem;
#pragma unroll
  for (int k = 0; k < kTeamOwn; ++k)
    if (at.owner + k < a.num_components) {
      left.state(0, at.owner + k, column) = static_cast<T>(total[k]);
      left.pull(0, at.owner + k, column) = sum[k][0];
      left.pull(1, at.owner + k, column) = sum[k][1];
    }
}

// The gradient of each point's log-weights, over all problems: 64 components and 32 points in a
// block, 4 x 4 pairs in each thread.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads, kTeamBlocks<T, 4>)
    mixture_log_weights_1d_kernel(const Mixture a) {
  constexpr int kOnce = 8;                                    // problems
  __shared__ __align__(16) T own[3][kOnce * kOwnerStride];    // mean, precision, constant
  __shared__ __align__(16) T other[3][kOnce * kOtherStride];  // z, value, slope
  const PairThread at;
  const int64_t tiles = tiles_of(a.num_components, kTeamOwners);
  const int64_t k = blockIdx.x % tiles * kTeamOwners, i = blockIdx.x / tiles * kTeamOthers;
  const int owners = up_to(a.num_components - k, kTeamOwners);
  const int others = up_to(a.num_points - i, kTeamOthers);
  const Matrix log_weights(a.log_weights), grad(a.grad_log_weights);
  const auto each_pair = [&](const auto& f) {
#pragma unroll
    for (int c = 0; c < 4; ++c)
#pragma unroll
      for (int o = 0; o < 4; ++o)
        if (4 * at.group + c < others && at.owner + o < owners)
          f(c, o, i + 4 * at.group + c, k + at.owner + o);
  };
  T log_weight[4][4] = {}, total[4][4] = {};
  if (per_point(a))
    each_pair([&](int c, int o, int64_t point, int64_t component) {
      log_weight[c][o] = log_weights.get<T>(point, component);
    });

  for (int64_t j = 0; j < a.problems; j += kOnce) {
    const int n = up_to(a.problems - j, kOnce);
    const int64_t column = a.first_problem + j;
    __syncthreads();
    stage<kTeamOwners>(Matrix(a.means), k, owners, column, n, own[0]);
    stage<kTeamOwners>(Matrix(a.logvars), k, owners, column, n, own[2]);
    stage<kTeamOthers>(Matrix(a.points), i, others, column, n, other[0]);
    stage<kTeamOthers>(Matrix(a.value), i, others, j, n, other[1]);
    stage<kTeamOthers>(Matrix(a.grad_value), i, others, column, n, other[2]);
    __syncthreads();
    for (int e = threadIdx.x; e < n * kTeamOwners; e += kTeamThreads) {
      const int p = e / kTeamOwners * kOwnerStride + e % kTeamOwners;
      const T logvar = own[2][p];
      const int64_t component = k + up_to(e % kTeamOwners, owners - 1);
      own[1][p] = M::precision(logvar);
      own[2][p] = M::constant(shared_log_weight<T>(a, component), logvar, T(1));
    }
    __syncthreads();
#pragma unroll 1
    for (int p = 0; p < n; ++p) {
      T component[3][4], point[3][4];
#pragma unroll
      for (int f = 0; f < 3; ++f) four(own[f] + p * kOwnerStride + at.owner, component[f]);
#pragma unroll
      for (int f = 0; f < 3; ++f) four(other[f] + p * kOtherStride + 4 * at.group, point[f]);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const T z[1] = {point[0][c]};
        const T value = point[1][c] < -kLargest<T> ? -kLargest<T> : point[1][c];
#pragma unroll
        for (int o = 0; o < 4; ++o) {
          const T of[2] = {component[0][o], component[1][o]};
          const T logit =
              M::logit(component[2][o], M::OfComponent::distance(of, z, T(0))) + log_weight[c][o];
          total[c][o] += point[2][c] * exp(logit - value);
        }
      }
    }
  }
  each_pair([&](int c, int o, int64_t point, int64_t component) {
    grad.put(point, component, total[c][o]);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
