// Puts the table of the CUDA kernels in place of the CPU's, and back.
#include <cstring>

#include "executor.h"
#include "ops/backend.h"

extern "C" pyvae_densities_fn pyvae_densities;  // those of this library

namespace pyvae::cuda {

// The kernels of a density that another library has registered, which has none for CUDA.
const CudaKernels* kernels_of(const DensityInfo& density) {
  const DensityLibrary& all = *pyvae_densities();
  for (int32_t i = 0; i < all.count; ++i)
    if (std::strcmp(all.densities[i].name, density.name) == 0) return all.densities[i].cuda;
  return nullptr;
}

}  // namespace pyvae::cuda

extern "C" __attribute__((visibility("default"))) void pyvae_executor_use(bool executor) {
  static const pyvae::Backend* const own = pyvae::backend(c10::DeviceType::CPU);
  pyvae::set_backend(c10::DeviceType::CPU, executor ? pyvae::backend(c10::DeviceType::CUDA) : own);
}

extern "C" __attribute__((visibility("default"))) uint64_t pyvae_executor_launches() {
  return pyvae::executor::launches();
}
