// The loss of a batch from the values of its rows.
#pragma once

#include "cells.cuh"
#include "launch.cuh"
#include "team.cuh"

#include "../scale.h"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kLossThreads = 512;

// One block, so that the sum is added in one order and nothing comes after it: a batch has
// thousands of rows at most, where its operands have millions of numbers.
__global__ void __launch_bounds__(kLossThreads) loss_kernel(const __grid_constant__ Loss a) {
  const double beta = a.beta.data ? load<double>(a.beta, 0) : 1;
  double total = 0;
  for (int64_t i = threadIdx.x; i < a.rows; i += kLossThreads)
    total += beta * load<double>(a.kl, i) - load<double>(a.log_prob, i);
  total = cuda::block_sum<kLossThreads>(total);
  if (threadIdx.x == 0) store(a.out, a.dtype, 0, a.scale * total);
}
inline void run_loss(const Loss& a, void* stream) {
  cuda::launch(loss_kernel, {1}, kLossThreads, 0, stream, a);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
