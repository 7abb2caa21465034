// The arithmetic every density is written in: one name per function, for float and double here,
// for SIMD vectors in loops/simd/math.h (found by argument-dependent lookup).
#pragma once

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define PYVAE_FN __host__ __device__ __forceinline__
#else
#define PYVAE_FN inline __attribute__((always_inline))
#endif

// Every translation unit of kernels names its instruction set, so that the same template compiled
// twice is two symbols and never one weak symbol with two bodies.
#ifndef PYVAE_ISA
#define PYVAE_ISA portable
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

PYVAE_FN float exp(float x) { return ::expf(x); }
PYVAE_FN double exp(double x) { return ::exp(x); }
PYVAE_FN float log(float x) { return ::logf(x); }
PYVAE_FN double log(double x) { return ::log(x); }
PYVAE_FN float sqrt(float x) { return ::sqrtf(x); }
PYVAE_FN double sqrt(double x) { return ::sqrt(x); }
PYVAE_FN float abs(float x) { return ::fabsf(x); }
PYVAE_FN double abs(double x) { return ::fabs(x); }
PYVAE_FN float negative_abs(float x) { return -::fabsf(x); }
PYVAE_FN double negative_abs(double x) { return -::fabs(x); }
PYVAE_FN float select(bool m, float a, float b) { return m ? a : b; }
PYVAE_FN double select(bool m, double a, double b) { return m ? a : b; }

// a / b for b of moderate size, between 1e-35 and 1e35: GPUs divide any two numbers in eight
// instructions and a branch, these in two.
template <class V>
PYVAE_FN V ratio(V a, V b) {
  return a / b;
}
// 1 / b for any b, off by a unit in the last place at most.
template <class V>
PYVAE_FN V reciprocal(V b) {
  return V(1) / b;
}
#if defined(__CUDA_ARCH__)
PYVAE_FN float ratio(float a, float b) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(b));
  return a * r;
}
PYVAE_FN float reciprocal(float b) {
  float r;
  asm("rcp.approx.f32 %0, %1;" : "=f"(r) : "f"(b));
  return r;
}
#endif

// exp(x) for x <= 0, where nothing can overflow.
PYVAE_FN float exp_nonpositive(float x) { return ::expf(x); }
PYVAE_FN double exp_nonpositive(double x) { return ::exp(x); }

// exp(x) for x <= 0 that is added to something near 1. The SIMD form has a floor, which stands for
// 0: products of what is negligible then are no subnormal numbers, which are slow.
PYVAE_FN float exp_floored(float x) { return ::expf(x); }
PYVAE_FN double exp_floored(double x) { return ::exp(x); }

// exp(d) - 1 - d without cancellation near 0, for one who has e = exp(d) already.
PYVAE_FN double expm1_residual(double d, double) {
  if (::fabs(d) > 0.05) return ::expm1(d) - d;
  double p = 1. / 3628800;
  p = p * d + 1. / 362880, p = p * d + 1. / 40320, p = p * d + 1. / 5040, p = p * d + 1. / 720;
  p = p * d + 1. / 120, p = p * d + 1. / 24, p = p * d + 1. / 6, p = p * d + 1. / 2;
  return p * d * d;
}
PYVAE_FN float expm1_residual(float d, float e) {
  if (::fabsf(d) > 0.5f) return e - 1.f - d;
  float p = 1.f / 40320;
  p = p * d + 1.f / 5040, p = p * d + 1.f / 720, p = p * d + 1.f / 120;
  p = p * d + 1.f / 24, p = p * d + 1.f / 6, p = p * d + 1.f / 2;
  return p * d * d;
}

// exp(d) - 1, for one who has exp(d) and the residual.
template <class V>
PYVAE_FN V expm1_of(V d, V e, V residual) {
  return select(abs(d) > V(0.5), e - V(1), residual + d);
}

// exp(x) - 1 without cancellation near 0, and e = exp_floored(x), for x <= 0.
PYVAE_FN float expm1_nonpositive(float x, float& e) {
  e = ::expf(x);
  return expm1_of(x, e, expm1_residual(x, e));
}
PYVAE_FN double expm1_nonpositive(double x, double& e) {
  e = ::exp(x);
  return ::expm1(x);
}

// sin and cos of 2 pi (word / 2^32), word read as signed.
PYVAE_FN void sincos_turn(int32_t word, float& s, float& c) {
#if defined(__CUDA_ARCH__)
  sincospif(static_cast<float>(word) * 4.6566128730773926e-10f, &s, &c);
#else
  const double angle = static_cast<double>(word) * 1.4629180792671596e-9;  // 2 pi / 2^32
  s = static_cast<float>(::sin(angle)), c = static_cast<float>(::cos(angle));
#endif
}
PYVAE_FN void sincos_turn(int32_t word, double& s, double& c) {
#if defined(__CUDA_ARCH__)
  sincospi(static_cast<double>(word) * 0x1p-31, &s, &c);  // no table of 2 / pi for large angles
#else
  const double angle = static_cast<double>(word) * 1.4629180792671596e-9;
  s = ::sin(angle), c = ::cos(angle);
#endif
}

// What one element adds to its row: sum - log(factor), with factor in [1/2, 2]. Factors multiply
// up, so that a row needs one logarithm for many elements.
template <class V>
struct Term {
  V sum;
  V factor;
};

// One element as a density sees it. `grad` holds the derivatives of the row's value, `path` those
// of the sample z; the loop applies the chain rule with the incoming gradients.
template <class V, int kIn>
struct Cell {
  V in[kIn];
  V eps;
  V z;
  V grad[kIn];
  V path[kIn];
};

// One element of a row that is swept more than once. `held` is made of the operands alone; `grad`
// holds the gradients themselves, the incoming one of the sample being `grad_z`.
template <class V, int kIn, int kHeld>
struct SweptCell {
  V in[kIn];
  V held[kHeld];
  V eps;
  V z;
  V grad_z;
  V grad[kIn];
};

struct None {};  // no density

// Whether density F draws eps and makes a sample z.
template <class F>
constexpr bool kNoise = F::kSampled > 0;

}  // namespace PYVAE_ISA
}  // namespace pyvae
