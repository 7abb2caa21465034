// One element of a view, read as the compute type or written from it, whatever its dtype.
#pragma once

#include <type_traits>

#include "../element.h"
#include "platform.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// f(a number of the type that `dtype` says), for a type of floating point.
template <class Each>
PYVAE_FN void with_float_dtype(Dtype dtype, const Each& f) {
  switch (dtype) {
    case Dtype::f32:
      return f(float());
    case Dtype::f64:
      return f(double());
    case Dtype::bf16:
      return f(Bfloat());
    case Dtype::f16:
      return f(Half());
    default:
      return;
  }
}
// The same for any type.
template <class Each>
PYVAE_FN void with_dtype(Dtype dtype, const Each& f) {
  switch (dtype) {
    case Dtype::u8:
      return f(uint8_t());
    case Dtype::i16:
      return f(int16_t());
    case Dtype::i32:
      return f(int32_t());
    case Dtype::i64:
      return f(int64_t());
    default:
      return with_float_dtype(dtype, f);
  }
}

// A number of any type as the compute type.
template <class T, class D>
PYVAE_FN T as(D x) {
  if constexpr (std::is_integral_v<D>)
    return static_cast<T>(x);
  else
    return static_cast<T>(widen(x));
}
template <class T>
PYVAE_FN T load(const void* data, Dtype dtype, int64_t offset) {
  T x = 0;
  with_dtype(dtype, [&]<class D>(D) { x = as<T>(static_cast<const D*>(data)[offset]); });
  return x;
}
// `offset` in elements from the view's data; strides and step are the caller's business.
template <class T>
PYVAE_FN T load(const View& v, int64_t offset) {
  return load<T>(v.data, v.dtype, offset);
}

// Whether a gradient is there for this incoming one: for `ready` it was made, NaN for none.
template <class T>
PYVAE_FN bool is_ready(const View& incoming, double ready, int64_t offset) {
  return incoming.data && ready == ready && load<T>(incoming, offset) == static_cast<T>(ready);
}

// Data of whole numbers has no gradient: nothing is written there.
template <class T>
PYVAE_FN void store(void* data, Dtype dtype, int64_t offset, T x) {
  with_float_dtype(dtype, [&]<class D>(D) { static_cast<D*>(data)[offset] = Narrow<D>::from(x); });
}
template <class T>
PYVAE_FN void store(const View& v, int64_t offset, T x) {
  store<T>(v.data, v.dtype, offset, x);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
