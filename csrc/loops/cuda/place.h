// One element of a view, read as the compute type or written from it, whatever its dtype.
#pragma once

#include "../element.h"
#include "platform.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
PYVAE_FN T load(const void* data, Dtype dtype, int64_t offset) {
  switch (dtype) {
    case Dtype::f32:
      return static_cast<T>(static_cast<const float*>(data)[offset]);
    case Dtype::f64:
      return static_cast<T>(static_cast<const double*>(data)[offset]);
    case Dtype::bf16:
      return static_cast<T>(widen(static_cast<const Bfloat*>(data)[offset]));
    case Dtype::f16:
      return static_cast<T>(widen(static_cast<const Half*>(data)[offset]));
    case Dtype::u8:
      return static_cast<T>(widen(static_cast<const uint8_t*>(data)[offset]));
    case Dtype::i16:
      return static_cast<T>(widen(static_cast<const int16_t*>(data)[offset]));
    case Dtype::i32:
      return static_cast<T>(static_cast<const int32_t*>(data)[offset]);
    default:
      return static_cast<T>(static_cast<const int64_t*>(data)[offset]);
  }
}
// `offset` in elements from the view's data; strides and step are the caller's business.
template <class T>
PYVAE_FN T load(const View& v, int64_t offset) {
  return load<T>(v.data, v.dtype, offset);
}

// Data of whole numbers has no gradient: nothing is written there.
template <class T>
PYVAE_FN void store(void* data, Dtype dtype, int64_t offset, T x) {
  switch (dtype) {
    case Dtype::f32:
      static_cast<float*>(data)[offset] = static_cast<float>(x);
      break;
    case Dtype::f64:
      static_cast<double*>(data)[offset] = static_cast<double>(x);
      break;
    case Dtype::bf16:
      static_cast<Bfloat*>(data)[offset] = Narrow<Bfloat>::from(x);
      break;
    case Dtype::f16:
      static_cast<Half*>(data)[offset] = Narrow<Half>::from(x);
      break;
    default:
      break;
  }
}
template <class T>
PYVAE_FN void store(const View& v, int64_t offset, T x) {
  store<T>(v.data, v.dtype, offset, x);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
