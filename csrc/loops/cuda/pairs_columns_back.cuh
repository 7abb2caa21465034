// The gradients of the components and log-weights of mixtures of one column each.
#pragma once

#include "pairs_columns.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

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
  p.value = value < -kGreatest<T> ? -kGreatest<T> : value;  // as in ComponentTeam
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
  const bool each = weights_each(a);
  Component1d<T> own[kTeamOwn];
  T sum[kTeamOwn][2] = {};
  double total[kTeamOwn] = {};
#pragma unroll
  for (int k = 0; k < kTeamOwn; ++k)
    own[k] = at.there && at.owner + k < a.num_components
                 ? component_1d<M, T>(a, at.owner + k, at.problem)
                 : Component1d<T>{0, 1, -INFINITY};

  for (int64_t i = part.begin; i < part.end; i += kTeamOthers) {
    const int count = at_most(part.end - i, kTeamOthers);
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
  const int64_t plane = a.num_components * a.problems;
  T* left = static_cast<T*>(a.scratch) + blockIdx.y * 3 * plane + at.problem - a.first_problem;
#pragma unroll
  for (int k = 0; k < kTeamOwn; ++k)
    if (at.owner + k < a.num_components) {
      T* p = left + (at.owner + k) * a.problems;
      p[0] = static_cast<T>(total[k]), p[plane] = sum[k][0], p[2 * plane] = sum[k][1];
    }
}

// A warp puts the parts of one component together, and its weights in all problems.
template <class M, class T>
__global__ void __launch_bounds__(kTeamThreads) join_components_1d_kernel(const Mixture a) {
  constexpr int kWarps = kTeamThreads / cuda::kWarp;
  const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
  const int64_t k = static_cast<int64_t>(blockIdx.x) * kWarps + warp;
  if (k >= a.num_components) return;
  const int64_t plane = a.num_components * a.problems;
  const T* left = static_cast<const T*>(a.scratch) + k * a.problems;
  const Matrix mean(a.grad_means), logvar(a.grad_logvars);
  double of_all = 0;
  for (int64_t j = lane; j < a.problems; j += cuda::kWarp) {
    double total = 0;
    T sum[2] = {};
    for (int p = 0; p < a.parts; ++p) {
      const T* from = left + p * 3 * plane + j;
      total += static_cast<double>(from[0]);
      sum[0] += from[plane], sum[1] += from[2 * plane];
    }
    of_all += total;
    const int64_t column = a.first_problem + j;
    const T precision = M::precision(Matrix(a.logvars).get<T>(k, column));
    M::OfComponent::grad(precision, static_cast<T>(total), sum);
    if (mean.data) mean.put(k, column, sum[0]);
    if (logvar.data) logvar.put(k, column, sum[1]);
  }
  of_all = cuda::warp_sum(of_all);
  if (lane == 0 && a.weight_sums) a.weight_sums[k] += of_all;
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
  const int64_t tiles = (a.num_components + kTeamOwners - 1) / kTeamOwners;
  const int64_t k = blockIdx.x % tiles * kTeamOwners, i = blockIdx.x / tiles * kTeamOthers;
  const int owners = at_most(a.num_components - k, kTeamOwners);
  const int others = at_most(a.num_points - i, kTeamOthers);
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
  if (weights_each(a))
    each_pair([&](int c, int o, int64_t point, int64_t component) {
      log_weight[c][o] = log_weights.get<T>(point, component);
    });

  for (int64_t j = 0; j < a.problems; j += kOnce) {
    const int n = at_most(a.problems - j, kOnce);
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
      const int64_t component = k + at_most(e % kTeamOwners, owners - 1);
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
        const T value = point[1][c] < -kGreatest<T> ? -kGreatest<T> : point[1][c];
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
