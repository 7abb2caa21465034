#pragma once

#include <tuple>

#include "check.h"

namespace pyvae {

std::tuple<Tensor, Tensor> rank1_gaussian_rsample_kl(const Tensor& mean,
                                                     const Tensor& log_precision, const Tensor& u,
                                                     const Tensor& seed, int64_t batch_ndim);
std::tuple<Tensor, Tensor, Tensor, Tensor> rank1_gaussian_rsample_kl_backward(
    const Optional& grad_z, const Optional& grad_kl, const Tensor& mean,
    const Tensor& log_precision, const Tensor& u, const Tensor& seed, int64_t batch_ndim,
    Masks<4> mask);

}  // namespace pyvae
