#include "tasks.h"

#include <cstring>

namespace pyvae {

#define PYVAE_KERNELS(name, A) extern const CpuTask<A> task_##name;
#define PYVAE_CUDA_KERNELS(name, A) extern const CudaTask<A> task_##name;
#if !defined(PYVAE_NO_CPU)
namespace portable {
PYVAE_TASKS(PYVAE_KERNELS)
PYVAE_HOST_TASKS(PYVAE_KERNELS)
}  // namespace portable
#define PYVAE_PORTABLE(name) &portable::task_##name
#else
#define PYVAE_PORTABLE(name) nullptr
#endif
#if defined(PYVAE_X86)
namespace avx2 {
PYVAE_TASKS(PYVAE_KERNELS)
PYVAE_HOST_TASKS(PYVAE_KERNELS)
}  // namespace avx2
namespace avx512 {
PYVAE_TASKS(PYVAE_KERNELS)
PYVAE_HOST_TASKS(PYVAE_KERNELS)
}  // namespace avx512
#define PYVAE_CPU(name) {PYVAE_PORTABLE(name), &avx2::task_##name, &avx512::task_##name}
#else
#define PYVAE_CPU(name) {PYVAE_PORTABLE(name)}
#endif
#if defined(PYVAE_CUDA)
namespace device {
PYVAE_TASKS(PYVAE_CUDA_KERNELS)
}  // namespace device
#define PYVAE_ON_CUDA(name) &device::task_##name
#else
#define PYVAE_ON_CUDA(name) nullptr
#endif

namespace tasks {

#define PYVAE_DEFINE(name, A) const Task<A> name{#name, PYVAE_CPU(name), PYVAE_ON_CUDA(name)};
PYVAE_TASKS(PYVAE_DEFINE)
#undef PYVAE_DEFINE
#define PYVAE_DEFINE(name, A) const Task<A> name{#name, PYVAE_CPU(name), nullptr};
PYVAE_HOST_TASKS(PYVAE_DEFINE)
#undef PYVAE_DEFINE

const AnyTask* find(const char* wanted) {
#define PYVAE_MATCH(name, A)                                                                       \
  if (std::strcmp(wanted, #name) == 0) return &name;
  PYVAE_TASKS(PYVAE_MATCH)
  PYVAE_HOST_TASKS(PYVAE_MATCH)
#undef PYVAE_MATCH
  return nullptr;
}

}  // namespace tasks
}  // namespace pyvae
