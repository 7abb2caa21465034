// Quotients of indices, which are never negative. GPUs divide 64 bits in a subroutine of a hundred
// instructions, and nearly all indices have 32.
#pragma once

#include "../math/numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

PYVAE_FN int64_t quotient(int64_t a, int64_t b) {
#if defined(__CUDA_ARCH__)
  if (((a | b) >> 32) == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
#endif
  return a / b;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
