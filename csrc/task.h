// A loop of another kind than the passes over rows: its arguments are a plain struct A that its
// header declares, its items are independent of each other. Kernels by compute type: float, double.
#pragma once

#include <cstdint>

namespace pyvae {

template <class A>
struct CpuTask {
  void (*run[2])(const A& arguments, int64_t begin, int64_t end) = {};
};
template <class A>
struct CudaTask {
  void (*run[2])(const A& arguments, int64_t items, void* stream) = {};
};

}  // namespace pyvae

// The kernels of the task `name`, in a file that is compiled for each instruction set or device.
#define PYVAE_TASK_(Kind, name, A, ...)                                                            \
  namespace pyvae {                                                                                \
  inline namespace PYVAE_ISA {                                                                     \
  extern const Kind<A> task_##name;                                                                \
  constinit const Kind<A> task_##name{{__VA_ARGS__}};                                              \
  }                                                                                                \
  }
#define PYVAE_CPU_TASK(name, A, ...) PYVAE_TASK_(CpuTask, name, A, __VA_ARGS__)
#define PYVAE_CUDA_TASK(name, A, ...) PYVAE_TASK_(CudaTask, name, A, __VA_ARGS__)
