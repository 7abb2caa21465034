// One pixel of a mixture over planes, in one thread.
#pragma once

#include <type_traits>

#include "../planes.h"
#include "place.h"

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
    if (larger || x != x) top = x;  // NaN stays
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
  // The parameters of component m, without its logit.
  __device__ __forceinline__ void parameters_of(int m, T (&p)[F::kParameters]) const {
#pragma unroll
    for (int k = 0; k < F::kParameters; ++k) p[k] = parameter((1 + k) * a.components + m);
  }
  __device__ __forceinline__ auto component(const typename F::template Pixel<T>& x, int m) const {
    T p[F::kParameters];
    parameters_of(m, p);
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

}  // namespace PYVAE_ISA
}  // namespace pyvae
