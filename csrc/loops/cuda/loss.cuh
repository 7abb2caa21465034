// The loss of a batch from the values of its rows, and what it asks of them.
#pragma once

#include "cells.cuh"
#include "launch.cuh"
#include "team.cuh"

#include "../scale.h"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kLossThreads = 512;

__device__ __forceinline__ double loss_sum(const Loss::Term& term) {
  double total = 0;
  for (int64_t i = threadIdx.x; i < term.count; i += kLossThreads)
    total += load<double>(term.values, i);
  return total;
}
__device__ __forceinline__ void loss_gradient(const Loss::Term& term, double slope) {
  if (!term.grad) return;
  for (int64_t i = threadIdx.x; i < term.count; i += kLossThreads)
    store(term.grad, term.values.dtype, i, slope * term.scale);
}

// One block, so that the sums are added in one order and nothing comes after them: a batch has
// thousands of rows at most, where its operands have millions of numbers.
__global__ void __launch_bounds__(kLossThreads) loss_kernel(const __grid_constant__ Loss a) {
  const double beta = a.beta.data ? load<double>(a.beta, 0) : a.weight;
  const bool given = a.grad.data || a.grad_terms.data;
  const double grad = a.grad.data ? load<double>(a.grad, 0) : !given;
  double of[3] = {};
  for (int i = 0; a.grad_terms.data && i < 3; ++i) of[i] = load<double>(a.grad_terms, i);
  const LossSlopes slopes = loss_slopes(beta, grad, of);
  loss_gradient(a.log_prob, slopes.log_prob);
  loss_gradient(a.kl, slopes.kl);
  if (!a.out) return;
  double sums[2] = {loss_sum(a.log_prob), loss_sum(a.kl)};
  cuda::block_sums<kLossThreads>(sums);
  if (threadIdx.x != 0) return;
  const double log_prob = sums[0] * a.log_prob.scale, kl = sums[1] * a.kl.scale;
  store(a.out, a.dtype, 0, beta * kl - log_prob);
  if (!a.terms) return;
  store(a.terms, a.dtype, 0, log_prob - kl);
  store(a.terms, a.dtype, 1, log_prob);
  store(a.terms, a.dtype, 2, kl);
}
inline void run_loss(const Loss& a, void* stream) {
  cuda::launch(loss_kernel, {1}, kLossThreads, 0, stream, a);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
