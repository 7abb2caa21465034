// The CUDA loop over planes: a thread for each pixel of a block, so that the threads of a warp read
// and write neighbours in every plane. It knows no density and no torch.
//
// Components go by twice: for the normalizers of a pixel, and again, parameters coming out of the
// second cache, for its gradient. What a thread would have to keep of all components would not fit
// its registers.
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
__global__ void __launch_bounds__(kPixelTeam, 2)
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
  if (a.grad.data)
    cuda::launch(planes_kernel<F, T, P, true>, grid, kPixelTeam, 0, stream, a, items);
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
