// Rows of classes on CUDA: so many lanes for each position that each has a few classes, or a block
// for it. Up to 1024 logits are read once, into registers; of more, the largest and the sum of the
// weights come of one pass, and the gradient of another, whose logits come out of a cache. F says
// what a weight is.
#pragma once

#include "launch.cuh"
#include "position.cuh"
#include "shape.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// The values of an item: one, of all its positions; or one for each group, whose positions' own
// values are in `held`. All threads of the block take part.
template <class T>
__device__ __forceinline__ void write_class_values(const ClassRows& a, int64_t item,
                                                   int64_t first_group, int count, double total,
                                                   const T* held) {
  const Map& r = a.rows;
  if (!a.group) {
    total = cuda::block_sum<kClassTeam>(total);
    if (threadIdx.x) return;
    if (r.partial)
      static_cast<double*>(r.value)[item] = total;
    else
      static_cast<T*>(r.value)[item] = static_cast<T>(total);
    return;
  }
  __syncthreads();
  const int group = static_cast<int>(a.group), groups = count / group;
  T* const value = static_cast<T*>(r.value) + first_group;
  const bool few = group < cuda::kWarp;  // positions of a group: a thread's work, else a warp's
  const int team = few ? 1 : cuda::kWarp, lane = threadIdx.x % team;
  for (int g = threadIdx.x / team; g < groups; g += kClassTeam / team) {
    total = 0;
    for (int i = lane; i < group; i += team) total += static_cast<double>(held[g * group + i]);
    if (!few) total = cuda::warp_sum(total);
    if (lane == 0) value[g] = static_cast<T>(total);
  }
  __syncthreads();  // before the next item's
}

// The gradient of logits that many rows share: for each class the weights of all, and what rows add
// to the class that they ask for, in order.
template <class F, class P>
__device__ __forceinline__ void write_shared(const Position<F, P, ClassTeam::block>& x, const P* p,
                                             P* to, const ClassPlace& at, int64_t j) {
  using T = typename Position<F, P, ClassTeam::block>::T;
  constexpr int kPack = Position<F, P, ClassTeam::block>::kPack;
  __shared__ int64_t classes[kClassTeam];
  __shared__ T slopes[kClassTeam];
  const ClassRows& a = x.a;
  const Map& r = a.rows;
  int64_t summed = 1;
  for (int d = a.kept; d < r.ndim; ++d) summed *= r.sizes[d];
  const T shift = F::shift(x.largest);
  double total = 0;  // of the slopes; complete after the first round
  T factor = 0;
  // Rounds over the classes on the outside, so that all threads go through all of them.
  for (int64_t c = x.first(), round = 0; round < a.classes; c += x.stride(), round += x.stride()) {
    double added[kPack] = {};  // a team's rows at a time
    for (int64_t k = 0; k < summed; k += kClassTeam) {
      __syncthreads();
      if (k + threadIdx.x < summed) {
        ClassPlace row = at;
        row.move(r, k + threadIdx.x, a.kept, r.ndim);
        const int64_t own = class_at(a, row.index + j * r.view[kInput].step);
        const T slope = own < 0 ? static_cast<T>(NAN) : class_slope<T>(r, row.slope);
        classes[threadIdx.x] = own;
        slopes[threadIdx.x] = slope;
        if (round == 0) total += static_cast<double>(slope);
      }
      __syncthreads();
      const int n = static_cast<int>(summed - k < kClassTeam ? summed - k : kClassTeam);
      T sum[kPack] = {};
      for (int i = 0; i < n; ++i) {
        const int64_t own = classes[i] - c;
#pragma unroll
        for (int e = 0; e < kPack; ++e) sum[e] += own == e * x.spread() ? slopes[i] : T(0);
      }
#pragma unroll
      for (int e = 0; e < kPack; ++e) added[e] += static_cast<double>(sum[e]);
    }
    if (round == 0) {
      total = cuda::block_sum<kClassTeam>(total);
      factor = F::factor(static_cast<T>(total), x.sum);
    }
    if (c >= a.classes) continue;
    T g[kPack];
    x.load(p, c, g);
#pragma unroll
    for (int e = 0; e < kPack; ++e)
      g[e] = static_cast<T>(static_cast<double>(F::weight(g[e], shift) * factor) + added[e]);
    x.store(to, c, g);
  }
}

// Items are (kept row, chunk of positions); `lanes` threads are on each position.
template <class F, class P, bool kGradient, ClassTeam kTeam>
__global__ void __launch_bounds__(kClassTeam, 1)
    class_kernel(const ClassRows a, int lanes, bool whole, bool shared, int64_t items) {
  using Own = Position<F, P, kTeam>;
  using T = typename Own::T;
  constexpr int kPack = Own::kPack;
  const Map& r = a.rows;
  const View &index = r.view[kInput], &logits = r.view[kInput + 1], &grad = r.view[kGrad + 1];
  const int64_t chunks = a.chunks();
  const int lane = threadIdx.x % lanes, teams = kClassTeam / lanes;
  T* const held = cuda::shared_memory<T>();
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const int64_t row = quotient(item, chunks), begin = (item - row * chunks) * a.chunk;
    const int64_t left = r.cols - begin;
    const int count = static_cast<int>(left < a.chunk ? left : a.chunk);
    ClassPlace at;
    at.move(r, row, 0, a.kept);
    // An item of groups begins with one, and has whole ones.
    const int group = static_cast<int>(a.group);
    const int64_t first_group = group ? quotient(row * r.cols + begin, group) : 0;
    double total = 0;
    for (int start = 0; start < count; start += teams) {
      const int own = start + threadIdx.x / lanes, i = own < count ? own : count - 1;
      const int64_t incoming = group ? first_group + i / group : at.slope;
      // Teams that are left without a position, or whose gradient is there, go along, and neither
      // read nor write.
      const bool there =
          own < count && !(kGradient && is_ready<T>(r.view[kGradValue], r.ready, incoming));
      const int64_t j = begin + i;
      const P* p = static_cast<const P*>(logits.data) + at.logits + j * logits.step;
      const int64_t c = class_at(a, at.index + j * index.step);
      T value = static_cast<T>(NAN);
      if (lane == 0 && r.value && c >= 0) value = widen(p[c * a.step]);
      Own x(a, lanes, lane, whole);
      x.scan(p, there);
      if (lane == 0 && r.value && own < count) {
        value = F::log_prob(value, F::shift(x.largest), x.sum);
        if (group)
          held[i] = value;
        else
          total += static_cast<double>(value);
      }
      if constexpr (kGradient) {
        __syncwarp();  // the gradient may take the logits' place
        P* to = static_cast<P*>(grad.data) + at.grad + j * grad.step;
        if constexpr (kTeam == ClassTeam::block) {
          if (shared) {
            write_shared(x, p, to, at, j);
            continue;
          }
        }
        if (there) {
          T slope = static_cast<T>(NAN);
          if (c >= 0) slope = class_slope<T>(r, incoming);
          x.write(p, to, F::factor(slope, x.sum), [&](int64_t first, T(&g)[kPack]) {
#pragma unroll
            for (int e = 0; e < kPack; ++e) g[e] += c - first == e * x.spread() ? slope : T(0);
          });
        }
      }
    }
    if (r.value) write_class_values<T>(a, item, first_group, count, total, held);
  }
}

// Whether packs of a tensor's neighbouring classes are there and aligned at every position.
template <class P>
bool has_packs(const Rows& r, const View& v, int64_t classes, int64_t step) {
  constexpr int64_t kPack = 16 / sizeof(P);
  if (!v.data) return true;
  bool whole = step == 1 && classes % kPack == 0 && v.step % kPack == 0 &&
               reinterpret_cast<uintptr_t>(v.data) % 16 == 0;
  for (int d = 0; d < r.ndim; ++d) whole = whole && v.strides[d] % kPack == 0;
  return whole;
}

template <class F, class P, bool kGradient>
void run_classes(const ClassRows& a, int64_t items, void* stream) {
  using T = std::conditional_t<std::is_same_v<P, double>, double, float>;
  const Map& r = a.rows;
  const bool whole = has_packs<P>(r, r.view[kInput + 1], a.classes, a.step) &&
                     has_packs<P>(r, r.view[kGrad + 1], a.classes, a.grad_step);
  const bool shared = a.kept < r.ndim;
  int lanes = 1;
  while (!a.planes && lanes < cuda::kWarp && 8 * lanes < a.classes) lanes *= 2;
  const cuda::Grid grid{grid_size(items)};
  const size_t held = r.value && a.group ? a.chunk * sizeof(T) : 0;
  const auto go = [&](auto kernel) {
    cuda::launch(kernel, grid, kClassTeam, held, stream, a, lanes, whole, shared, items);
  };
  if (shared || (!a.planes && a.classes > kMaxPlanes)) {
    lanes = kClassTeam;
    go(class_kernel<F, P, kGradient, ClassTeam::block>);
  } else if (a.classes <= kHeldClasses * lanes) {
    go(class_kernel<F, P, kGradient, ClassTeam::held>);
  } else {
    go(class_kernel<F, P, kGradient, ClassTeam::lanes>);
  }
}
template <class F, class P>
void run_classes(const ClassRows& a, int64_t items, void* stream) {
  if (a.rows.view[kGrad + 1].data)
    run_classes<F, P, true>(a, items, stream);
  else
    run_classes<F, P, false>(a, items, stream);
}

template <class F, class T>
void class_task(const ClassRows& a, int64_t items, void* stream) {
  if constexpr (std::is_same_v<T, double>) {
    run_classes<F, double>(a, items, stream);
  } else {
    const Dtype dtype = a.rows.view[kInput + 1].dtype;
    if (dtype == Dtype::f32) return run_classes<F, float>(a, items, stream);
    if (dtype == Dtype::bf16) return run_classes<F, Bfloat>(a, items, stream);
    run_classes<F, Half>(a, items, stream);
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
