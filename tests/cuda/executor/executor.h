// CUDA kernels as plain C++: what <cuda_runtime.h> would declare, as far as the kernels use it, and
// an executor that runs a grid block by block, the threads of a block as fibers.
//
// A thread runs until it waits: at __syncthreads for its block, at a shuffle for its warp. Whatever
// leaves a thread waiting for one that cannot come (a barrier that not all threads reach, threads
// at different barriers) throws std::runtime_error out of the launch. Threads start in an order
// that differs from block to block (PYVAE_EXECUTOR_ORDER), and shared memory is full of NaN when a
// block begins: a result that relies on an order or on another block's leavings does not come out
// right.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>

#include "executor_types.h"

#define __host__
#define __device__
#define __global__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One block at a time, and thread-local variables of a library lie side by side: the executor finds
// and poisons them all.
#define __shared__ static thread_local

namespace pyvae::executor {

// Throws what a thread of the grid was caught at. `shared_bytes`: dynamic shared memory.
void run(dim3 grid, unsigned threads, size_t shared_bytes, const std::function<void()>& kernel);

// Grids run so far.
uint64_t launches();

using Where = std::source_location;
void barrier(const Where& where);
// Leaves this lane's 8 bytes for its warp and returns those of `lane` (0 to 31).
uint64_t exchange(uint64_t mine, unsigned lane, unsigned mask, const Where& where);
// Bit i: whether lane i's predicate holds.
unsigned ballot(bool predicate, unsigned mask, const Where& where);
void* dynamic_shared();
[[noreturn]] void fail(const char* what, const Where& where);

extern struct Position {
  dim3 thread, block, threads, grid;
} position;

template <class T>
T shuffle(T value, unsigned lane, unsigned mask, const Where& where) {
  static_assert(sizeof(T) <= 8);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  word = exchange(word, lane, mask, where);
  std::memcpy(&value, &word, sizeof(T));
  return value;
}
inline unsigned lane() { return position.thread.x % 32; }

}  // namespace pyvae::executor

#define threadIdx (::pyvae::executor::position.thread)
#define blockIdx (::pyvae::executor::position.block)
#define blockDim (::pyvae::executor::position.threads)
#define gridDim (::pyvae::executor::position.grid)

inline void __syncthreads(std::source_location w = std::source_location::current()) {
  pyvae::executor::barrier(w);
}
inline void __syncwarp(unsigned mask = ~0u,
                       std::source_location w = std::source_location::current()) {
  pyvae::executor::ballot(true, mask, w);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32,
              std::source_location w = std::source_location::current()) {
  const unsigned lane = pyvae::executor::lane();
  return pyvae::executor::shuffle(value, lane / width * width + from % width, mask, w);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  std::source_location w = std::source_location::current()) {
  const unsigned lane = pyvae::executor::lane(), from = lane ^ bits;
  // A lane of a later group keeps its own value; one of an earlier group may be read.
  return pyvae::executor::shuffle(value, from / width > lane / width ? lane : from, mask, w);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32,
                   std::source_location w = std::source_location::current()) {
  const unsigned lane = pyvae::executor::lane();
  return pyvae::executor::shuffle(
      value, lane % width + by < static_cast<unsigned>(width) ? lane + by : lane, mask, w);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32,
                 std::source_location w = std::source_location::current()) {
  const unsigned lane = pyvae::executor::lane();
  return pyvae::executor::shuffle(value, lane % width >= by ? lane - by : lane, mask, w);
}
inline unsigned __ballot_sync(unsigned mask, bool predicate,
                              std::source_location w = std::source_location::current()) {
  return pyvae::executor::ballot(predicate, mask, w);
}
inline bool __any_sync(unsigned mask, bool predicate,
                       std::source_location w = std::source_location::current()) {
  return pyvae::executor::ballot(predicate, mask, w) != 0;
}
inline bool __all_sync(unsigned mask, bool predicate,
                       std::source_location w = std::source_location::current()) {
  return pyvae::executor::ballot(!predicate, mask, w) == 0;
}

namespace pyvae::cuda {

template <class T>
T* shared_memory() {
  return static_cast<T*>(executor::dynamic_shared());
}

}  // namespace pyvae::cuda
