// The CUDA loop over planes: a thread for each pixel of a block, so that the threads of a warp read
// and write neighbours in every plane. It knows no density and no torch.
//
// A pixel's components are read and evaluated once. For its gradient a thread keeps of them in
// shared memory what would not fit its registers; nobody else looks at it, so nothing waits.
#pragma once

#include "launch.cuh"
#include "pixel.cuh"
#include "shape.h"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// The sum over a block of pixels, to the place of image and block among the values.
__device__ __forceinline__ void write_block(const Planes& a, int64_t place, double value) {
  if (!a.value) return;
  value = cuda::block_sum<kPixelTeam>(value);
  if (threadIdx.x == 0) a.value[place] = value;
}

// What a thread keeps of its pixel's components: (number, component), numbers of threads side by
// side. The logit becomes its weight; parameters are their slopes.
template <class F, class T>
struct KeptComponents {
  static constexpr int kJoint = 1 + F::kParameters, kFactor = kJoint + 1, kNumbers = kFactor + 1;

  T* const own;
  const int components, pixels;

  __device__ __forceinline__ explicit KeptComponents(const Planes& a)
      : own(cuda::shared_memory<T>() + threadIdx.x), components(a.components),
        pixels(static_cast<int>(a.block)) {}
  __device__ __forceinline__ T& at(int number, int m) const {
    return own[(number * components + m) * pixels];
  }
};

// A pixel's value, and its gradient into memory.
template <class F, class T, class P>
__device__ __forceinline__ double write_gradient(const PixelPlanes<F, T, P>& planes, T slope) {
  using Kept = KeptComponents<F, T>;
  const int components = planes.a.components;
  const Kept kept(planes.a);
  const auto x = planes.pixel();
  T top = -static_cast<T>(INFINITY), top_logit = top;
  T p[F::kParameters], logit = planes.parameter(0);
  planes.parameters_of(0, p);
#pragma unroll 1
  for (int m = 0; m < components; ++m) {
    // The next component is on its way while this one is worked on.
    const int soon = m + 1 < components ? m + 1 : m;
    T next[F::kParameters];
    const T next_logit = planes.parameter(soon);
    planes.parameters_of(soon, next);
    const auto c = F::component(x, p);
    const T joint = logit + c.linear;
    top = joint > top || joint != joint ? joint : top;  // NaN stays
    top_logit = logit > top_logit ? logit : top_logit;
    kept.at(0, m) = logit, kept.at(Kept::kJoint, m) = joint, kept.at(Kept::kFactor, m) = c.factor;
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) kept.at(1 + k, m) = c.slope[k], p[k] = next[k];
    logit = next_logit;
  }
  ExpSum<T> joint{top, T(0)}, pi{top_logit, T(0)};
#pragma unroll 2
  for (int m = 0; m < components; ++m) {
    const T e = exp_floored(kept.at(Kept::kJoint, m) - top) * kept.at(Kept::kFactor, m);
    const T weight = exp_floored(kept.at(0, m) - top_logit);
    joint.sum += e, pi.sum += weight;
    kept.at(Kept::kJoint, m) = e, kept.at(0, m) = weight;
  }
  const T per_joint = slope / joint.sum, per_logits = slope / pi.sum;
#pragma unroll 2
  for (int m = 0; m < components; ++m) {
    const T share = kept.at(Kept::kJoint, m) * per_joint;  // posterior of the component
    planes.write(m, share - kept.at(0, m) * per_logits);
#pragma unroll
    for (int k = 1; k <= F::kParameters; ++k)
      planes.write(k * components + m, kept.at(k, m) * share);
  }
  return log_ratio(joint, pi);
}

// Items are (image, block of pixels); every image has parameters of its own.
template <class F, class T, class P, bool kGrad>
__global__ void __launch_bounds__(kPixelTeam) planes_kernel(const Planes a, int64_t items) {
  const int64_t blocks = a.blocks();
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    ImageCursor at{a};
    const int64_t place = quotient(item, blocks), block = item - place * blocks;
    at.move(place, 0, a.ndim);
    const int64_t j = block * a.block + threadIdx.x;
    double value = 0;
    const bool ready = kGrad && is_ready<T>(a.slope, a.ready, at.slope);
    if (threadIdx.x < a.block && j < a.pixels && !ready) {
      const PixelPlanes<F, T, P> planes(a, at, j);
      if constexpr (kGrad)
        value = write_gradient(planes, slope_of<T>(a, at.slope));
      else
        value = log_ratio(planes.joint(planes.pixel()), planes.logits());
    }
    write_block(a, at.value * blocks + block, value);
  }
}

// Where images of data share their parameters: their gradients add up in order, in double.
template <class F, class T>
__global__ void __launch_bounds__(kPixelTeam, 4)
    shared_planes_kernel(const Planes a, int64_t shared, int64_t items) {
  const int64_t blocks = a.blocks();
  for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    ImageCursor image{a};
    const int64_t place = quotient(item, blocks), block = item - place * blocks;
    image.move(place, 0, a.kept);
    const int64_t j = block * a.block + threadIdx.x;
    const bool inside = threadIdx.x < a.block && j < a.pixels;
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
#pragma unroll 1
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
#pragma unroll 1
    for (int m = 0; inside && m < a.components; ++m) {
      double g[1 + F::kParameters] = {
          -slopes * static_cast<double>(exp_floored(planes.parameter(m) - pi.top) / pi.sum)};
#pragma unroll 1
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
  const size_t kept = KeptComponents<F, T>::kNumbers * a.components * a.block * sizeof(T);
  if (a.grad.data)
    cuda::launch(planes_kernel<F, T, P, true>, grid, kPixelTeam, kept, stream, a, items);
  else
    cuda::launch(planes_kernel<F, T, P, false>, grid, kPixelTeam, 0, stream, a, items);
}

template <class F, class T>
void planes_task(const Planes& a, int64_t items, void* stream) {
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
