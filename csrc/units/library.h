// The unit of a library that says which densities it holds: include this, then the headers of all
// of them, then PYVAE_LIBRARY. It is compiled for no instruction set in particular, and has no
// kernel.
//
// PYVAE_X86: kernels for AVX2 and AVX-512 are there, too; PYVAE_CUDA: those of CUDA.
#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include "../plugin.h"

namespace pyvae {

// Of this unit alone: libraries that share a process must not share it.
static std::vector<DensityInfo>& declared_densities() {
  static std::vector<DensityInfo> all;
  return all;
}

namespace {
template <class F>
struct DeclareDensity {
  DeclareDensity(std::initializer_list<const CpuKernels*> cpu, const CudaKernels* cuda) {
    static_assert(F::kIn <= kMaxIn && std::size(F::kOperands) == F::kIn);
    const Signature op{F::kName, F::kOperands, F::kIn, F::kSampled ? 0 : F::kFull, F::kData};
    DensityInfo info{F::kName, op, F::kSampled, F::kSum, F::kHeavy, {}, cuda};
    std::copy(cpu.begin(), cpu.end(), info.cpu);
    declared_densities().push_back(info);
  }
};
}  // namespace

}  // namespace pyvae

#define PYVAE_KERNELS_OF(isa, Kind, F)                                                             \
  namespace isa {                                                                                  \
  extern const Kind##Kernels kernels_of_##F[kVariants];                                            \
  }
#if defined(PYVAE_NO_CPU)
#define PYVAE_CPU_KERNELS_OF(F)
#define PYVAE_CPU_TABLES(F)                                                                        \
  {                                                                                                \
  }
#elif defined(PYVAE_X86)
#define PYVAE_CPU_KERNELS_OF(F)                                                                    \
  PYVAE_KERNELS_OF(portable, Cpu, F)                                                               \
  PYVAE_KERNELS_OF(avx2, Cpu, F)                                                                   \
  PYVAE_KERNELS_OF(avx512, Cpu, F)
#define PYVAE_CPU_TABLES(F) {portable::kernels_of_##F, avx2::kernels_of_##F, avx512::kernels_of_##F}
#else
#define PYVAE_CPU_KERNELS_OF(F) PYVAE_KERNELS_OF(portable, Cpu, F)
#define PYVAE_CPU_TABLES(F) {portable::kernels_of_##F}
#endif
#if defined(PYVAE_CUDA)
#define PYVAE_CUDA_KERNELS_OF(F) PYVAE_KERNELS_OF(device, Cuda, F)
#define PYVAE_CUDA_TABLE(F) device::kernels_of_##F
#else
#define PYVAE_CUDA_KERNELS_OF(F)
#define PYVAE_CUDA_TABLE(F) nullptr
#endif

#define PYVAE_DENSITY(F)                                                                           \
  namespace pyvae {                                                                                \
  PYVAE_CPU_KERNELS_OF(F)                                                                          \
  PYVAE_CUDA_KERNELS_OF(F)                                                                         \
  static const DeclareDensity<F> declare_##F{PYVAE_CPU_TABLES(F), PYVAE_CUDA_TABLE(F)};            \
  }

#define PYVAE_LIBRARY                                                                              \
  extern "C" __attribute__((visibility("default"))) const pyvae::DensityLibrary*                   \
  pyvae_densities() {                                                                              \
    const auto& all = pyvae::declared_densities();                                                 \
    static const pyvae::DensityLibrary library{                                                    \
        pyvae::kInterface, static_cast<int32_t>(all.size()), pyvae::kInterfaceSizes, all.data()};  \
    return &library;                                                                               \
  }

#include "../density.h"
