// CUDA's vector types with CUDA's alignments (a misaligned 16-byte access traps under the UB
// sanitizer), the runtime calls and the intrinsics that kernels use.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#define PYVAE_VECTOR_TYPE(scalar, name)                                                            \
  struct alignas(2 * sizeof(scalar)) name##2 { scalar x, y; };                                     \
  struct alignas(sizeof(scalar) == 8 ? 16 : 4 * sizeof(scalar)) name##4 { scalar x, y, z, w; };    \
  inline name##2 make_##name##2(scalar x, scalar y) { return {x, y}; }                             \
  inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
PYVAE_VECTOR_TYPE(float, float)
PYVAE_VECTOR_TYPE(double, double)
PYVAE_VECTOR_TYPE(int, int)
PYVAE_VECTOR_TYPE(unsigned, uint)
PYVAE_VECTOR_TYPE(short, short)
PYVAE_VECTOR_TYPE(unsigned short, ushort)
PYVAE_VECTOR_TYPE(unsigned char, uchar)
PYVAE_VECTOR_TYPE(long long, longlong)
PYVAE_VECTOR_TYPE(unsigned long long, ulonglong)
#undef PYVAE_VECTOR_TYPE

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "an error of the executor"; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
// Few multiprocessors, so that grids are small and loops over a grid take more than one step.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const char* wish = std::getenv("PYVAE_EXECUTOR_MULTIPROCESSORS");
  *value = attribute == cudaDevAttrMultiProcessorCount ? (wish ? std::atoi(wish) : 2) : 227 * 1024;
  return cudaSuccess;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (static_cast<uint64_t>(a) * b) >> 32; }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x ? std::countr_zero(static_cast<unsigned>(x)) + 1 : 0; }
