#pragma once

#include <tuple>

#include "check.h"

namespace pyvae {

// The squared maximum mean discrepancy of the rows of x and y, a scalar, under the radial basis
// function or the inverse multiquadric.
Tensor mmd(const Tensor& x, const Tensor& y, const Tensor& scales, bool imq, bool unbiased);
std::tuple<Tensor, Tensor, Tensor> mmd_backward(const Optional& grad, const Tensor& x,
                                                const Tensor& y, const Tensor& scales, bool imq,
                                                bool unbiased, Masks<3> mask);

}  // namespace pyvae
