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
  const bool each = weights_each(a);
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
        T logit[kOnce], most = -kGreatest<T>;
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
  const int64_t plane = a.num_points * a.problems;  // tops, sums, pulls of each part
  T* left = static_cast<T*>(a.scratch) + blockIdx.y * (2 + kGrad) * plane;
#pragma unroll
  for (int i = 0; i < kTeamOwn; ++i) {
    const int64_t point = at.owner + i, column = at.problem - a.first_problem;
    if (point >= a.num_points) continue;
    if (a.parts > 1) {
      T* p = left + point * a.problems + column;
      p[0] = state[i].top, p[plane] = state[i].sum;
      if constexpr (kGrad) p[2 * plane] = pulls[i];
      continue;
    }
    if (a.value.data) Matrix(a.value).put(point, column, state[i].value());
    if constexpr (kGrad)
      Matrix(a.grad_points)
          .put(point, at.problem,
               pulls[i] * slope_over(Matrix(a.grad_value).get<T>(point, at.problem), state[i].sum));
  }
}

// A thread puts the parts of one point and problem together.
template <class M, class T, bool kGrad>
__global__ void __launch_bounds__(kTeamThreads) join_points_1d_kernel(const Mixture a) {
  const int64_t plane = a.num_points * a.problems, next = (2 + kGrad) * plane;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kTeamThreads + threadIdx.x;
  if (item >= plane) return;
  const int64_t point = item / a.problems, column = item % a.problems;
  const T* left = static_cast<const T*>(a.scratch) + item;
  T top = -kGreatest<T>, sum = 0, pull = 0;
  for (int p = 0; p < a.parts; ++p) top = cuda::larger(left[p * next], top);
  for (int p = 0; p < a.parts; ++p) {
    const T* from = left + p * next;
    const T factor = exp(from[0] - top);
    sum += from[plane] * factor;
    if constexpr (kGrad) pull += from[2 * plane] * factor;
  }
  if (a.value.data) Matrix(a.value).put(point, column, top + log(sum));
  if constexpr (kGrad) {
    const int64_t problem = a.first_problem + column;
    Matrix(a.grad_points)
        .put(point, problem, pull * slope_over(Matrix(a.grad_value).get<T>(point, problem), sum));
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
