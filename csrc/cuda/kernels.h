// The kernels of CUDA that serve every density: on the stream that they are given (a cudaStream_t),
// and on the current device.
#pragma once

#include "../loops/rows.h"
#include "../loops/scale.h"

// What the glue to torch takes from the library of kernels.
#pragma GCC visibility push(default)
namespace pyvae::cuda {

void combine(const Combine* passes, int count, void* stream);
void scale(const Scale& pass, void* stream);
void loss(const Loss& pass, void* stream);

}  // namespace pyvae::cuda
#pragma GCC visibility pop
