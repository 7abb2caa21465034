// The CUDA loop over planes: a thread for each pixel of a block, so that the threads of a warp read
// and write neighbours in every plane. It knows no density and no torch.
//
// Components go by twice: for the normalizers of a pixel, and again, parameters coming out of the
// second cache, for its gradient. What a thread would have to keep of all components would not fit
// its registers.
#pragma once

#include <type_traits>

#include "../planes.h"
#include "launch.cuh"
#include "shape.h"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// sum_m exp(x_m) factor_m = exp(top) sum, with the largest x taken out as it comes.
template <class T>
struct ExpSum {
  T top = -static_cast<T>(INFINITY), sum = 0;

  __device__ __forceinline__ void add(T x, T factor) {
    const T d = x == top ? T(0) : x - top;  // both may be -inf
    const T e = exp_nonpositive(negative_abs(d));
    const bool larger = d > T(0);
    sum = larger ? sum * e + factor : sum + e * factor;
    if (larger) top = x;
  }
};

// A pixel's parameters, their gradient and its data. P: the dtype of parameters and their gradient,
// or void, where that is known only when it runs.
template <class F, class T, class P>
struct PixelPlanes {
  const Planes& a;
  int64_t data, parameters, grad;  // where the pixel lies

  __device__ __forceinline__ PixelPlanes(const Planes& planes, const ImageCursor& at, int64_t j)
      : a(planes), data(at.data + j * a.data.step),
        parameters(at.parameters + j * a.parameters.step), grad(at.grad + j * a.grad.step) {}
  __device__ __forceinline__ typename F::template Pixel<T> pixel() const {
    T x[F::kChannels];
#pragma unroll
    for (int k = 0; k < F::kChannels; ++k) x[k] = load<T>(a.data, data + k * a.data_plane);
    return typename F::template Pixel<T>(x, a.levels);
  }
  __device__ __forceinline__ T parameter(int plane) const {
    const int64_t at = parameters + plane * a.parameters_plane;
    if constexpr (std::is_void_v<P>)
      return load<T>(a.parameters, at);
    else
      return widen(static_cast<const P*>(a.parameters.data)[at]);
  }
  template <class U>
  __device__ __forceinline__ void write(int plane, U value) const {
    const int64_t at = grad + plane * a.grad_plane;
    if constexpr (std::is_void_v<P>)
      store<U>(a.grad, at, value);
    else
      static_cast<P*>(a.grad.data)[at] = Narrow<P>::from(value);
  }
  __device__ __forceinline__ auto component(const typename F::template Pixel<T>& x, int m) const {
    T p[F::kParameters];
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) p[k] = parameter((1 + k) * a.components + m);
    return F::component(x, p);
  }
  __device__ __forceinline__ ExpSum<T> logits() const {
    ExpSum<T> pi;
    for (int m = 0; m < a.components; ++m) pi.add(parameter(m), T(1));
    return pi;
  }
  __device__ __forceinline__ ExpSum<T> joint(const typename F::template Pixel<T>& x) const {
    ExpSum<T> p;
    for (int m = 0; m < a.components; ++m) {
      const auto c = component(x, m);
      p.add(parameter(m) + c.linear, c.factor);
    }
    return p;
  }
  // Adds component m's gradients in logit and parameters, the incoming one being `slope`.
  template <class U>
  __device__ __forceinline__ void add_gradient(const typename F::template Pixel<T>& x, int m,
                                               const ExpSum<T>& joint, T slope,
                                               U (&sum)[1 + F::kParameters]) const {
    const auto c = component(x, m);
    const T share =
        exp_floored(parameter(m) + c.linear - joint.top) * c.factor * (slope / joint.sum);
    sum[0] += share;  // posterior of the component
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) sum[1 + k] += c.slope[k] * share;
  }
};

template <class T>
__device__ __forceinline__ double log_ratio(const ExpSum<T>& joint, const ExpSum<T>& pi) {
  // Impossible under every component: no logarithm of what is left.
  if (joint.top < T(-3e38)) return static_cast<double>(joint.top);
  return static_cast<double>(joint.top - pi.top + log(joint.sum / pi.sum));
}

template <class T>
__device__ __forceinline__ T slope_of(const Planes& a, int64_t offset) {
  return (a.slope.data ? load<T>(a.slope, offset) : T(1)) * static_cast<T>(a.scale);
}
__device__ __forceinline__ void write_block(const Planes& a, int64_t place, double value) {
  if (!a.value) return;
  value = cuda::block_sum<kPixelTeam>(value);
  if (threadIdx.x == 0) a.value[place] = value;
}

// Items are (image, block of pixels); every image has parameters of its own.
template <class F, class T, class P, bool kGrad>
__global__ void __launch_bounds__(kPixelTeam) planes_kernel(const Planes a, int64_t items) {
  const int64_t blocks = a.blocks();
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    ImageCursor at{a};
    const int64_t place = quotient(item, blocks), block = item - place * blocks;
    at.move(place, 0, a.ndim);
    const int64_t j = block * kPixelTeam + threadIdx.x;
    double value = 0;
    if (j < a.pixels) {
      const PixelPlanes<F, T, P> planes(a, at, j);
      const auto x = planes.pixel();
      ExpSum<T> pi, joint;
      for (int m = 0; m < a.components; ++m) {
        const auto c = planes.component(x, m);
        const T logit = planes.parameter(m);
        pi.add(logit, T(1));
        joint.add(logit + c.linear, c.factor);
      }
      value = log_ratio(joint, pi);
      if constexpr (kGrad) {
        const T slope = slope_of<T>(a, at.slope), per_logits = slope / pi.sum;
        for (int m = 0; m < a.components; ++m) {
          T g[1 + F::kParameters] = {-exp_floored(planes.parameter(m) - pi.top) * per_logits};
          planes.add_gradient(x, m, joint, slope, g);
#pragma unroll
          for (int k = 0; k <= F::kParameters; ++k) planes.write(k * a.components + m, g[k]);
        }
      }
    }
    write_block(a, at.value * blocks + block, value);
  }
}

// Where images of data share their parameters: their gradients add up in order, in double.
template <class F, class T>
__global__ void __launch_bounds__(kPixelTeam)
    shared_planes_kernel(const Planes a, int64_t shared, int64_t items) {
  const int64_t blocks = a.blocks();
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    ImageCursor image{a};
    const int64_t place = quotient(item, blocks), block = item - place * blocks;
    image.move(place, 0, a.kept);
    const int64_t j = block * kPixelTeam + threadIdx.x;
    const bool inside = j < a.pixels;
    PixelPlanes<F, T, void> planes(a, image, j);
    const auto move = [&](int64_t s) {
      ImageCursor at = image;
      at.move(s, a.kept, a.ndim);
      planes.data = at.data + j * a.data.step;
      return at;
    };
    const auto normalizers = [&](const ImageCursor& at) {
      return static_cast<T*>(a.normalizers) + 2 * at.value * a.pixels + j;
    };
    const ExpSum<T> pi = inside ? planes.logits() : ExpSum<T>{};
    double slopes = 0;
    for (int64_t s = 0; s < shared; ++s) {
      const ImageCursor at = move(s);
      double value = 0;
      if (inside) {
        const ExpSum<T> joint = planes.joint(planes.pixel());
        T* kept = normalizers(at);
        kept[0] = joint.top, kept[a.pixels] = joint.sum;
        slopes += static_cast<double>(slope_of<T>(a, at.slope));
        value = log_ratio(joint, pi);
      }
      write_block(a, at.value * blocks + block, value);
    }
    for (int m = 0; inside && m < a.components; ++m) {
      double g[1 + F::kParameters] = {
          -slopes * static_cast<double>(exp_floored(planes.parameter(m) - pi.top) / pi.sum)};
      for (int64_t s = 0; s < shared; ++s) {
        const ImageCursor at = move(s);
        const T* kept = normalizers(at);
        const ExpSum<T> joint{kept[0], kept[a.pixels]};
        planes.add_gradient(planes.pixel(), m, joint, slope_of<T>(a, at.slope), g);
      }
#pragma unroll
      for (int k = 0; k <= F::kParameters; ++k) planes.write(k * a.components + m, g[k]);
    }
  }
}

template <class F, class T, class P>
void run_planes(const Planes& a, int64_t items, cuda::Grid grid, void* stream) {
  if (a.grad.data)
    cuda::launch(planes_kernel<F, T, P, true>, grid, kPixelTeam, 0, stream, a, items);
  else
    cuda::launch(planes_kernel<F, T, P, false>, grid, kPixelTeam, 0, stream, a, items);
}

template <class F, class T>
void planes_task(const void* arguments, int64_t items, void* stream) {
  const Planes& a = *static_cast<const Planes*>(arguments);
  const cuda::Grid grid{grid_size(items)};
  int64_t shared = 1;
  for (int d = a.kept; d < a.ndim; ++d) shared *= a.sizes[d];
  if (shared > 1)
    return cuda::launch(shared_planes_kernel<F, T>, grid, kPixelTeam, 0, stream, a, shared, items);
  if constexpr (std::is_same_v<T, float>) {
    if (a.parameters.dtype == Dtype::f32) return run_planes<F, T, float>(a, items, grid, stream);
    if (a.parameters.dtype == Dtype::bf16) return run_planes<F, T, Bfloat>(a, items, grid, stream);
    return run_planes<F, T, Half>(a, items, grid, stream);
  } else {
    run_planes<F, T, void>(a, items, grid, stream);
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
