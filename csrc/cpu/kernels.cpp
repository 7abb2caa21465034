// The table of one instruction set. Every file of kernels is compiled once for each.
#include "kernels.h"

#include "fill.h"

namespace pyvae {
namespace {

CpuKernels make(const char* name) {
  CpuKernels k{};
  k.name = name;
  k.segment[0] = kSegment<float>;
  k.segment[1] = kSegment<double>;
  k.group = kMaxGroup;
  fill_gaussian(k);
  fill_bernoulli(k);
  fill_continuous_bernoulli(k);
  fill_laplace(k);
  fill_discretized_logistic(k);
  fill_poisson(k);
  fill_negative_binomial(k);
  return k;
}

}  // namespace

#define PYVAE_JOIN_(a, b) a##b
#define PYVAE_JOIN(a, b) PYVAE_JOIN_(a, b)
#define PYVAE_TEXT_(a) #a
#define PYVAE_TEXT(a) PYVAE_TEXT_(a)

const CpuKernels& PYVAE_JOIN(cpu_kernels_, PYVAE_ISA)() {
  static const CpuKernels kernels = make(PYVAE_TEXT(PYVAE_ISA));
  return kernels;
}

}  // namespace pyvae
