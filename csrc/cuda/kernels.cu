#include "kernels.h"

#include "../loops/cuda/combine.cuh"
#include "../loops/cuda/loss.cuh"
#include "../loops/cuda/scale.cuh"

namespace pyvae::cuda {

void combine(const Combine* passes, int count, void* stream) { run_combine(passes, count, stream); }
void scale(const Scale& pass, void* stream) { run_scale(pass, stream); }
void loss(const Loss& pass, void* stream) { run_loss(pass, stream); }

}  // namespace pyvae::cuda
