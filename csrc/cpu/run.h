// The CPU as a backend: which instruction set, how many threads.
#pragma once

#include "../plugin.h"

namespace pyvae::cpu {

// Chosen once: the best the processor has, or PYVAE_ISA=portable|avx2|avx512.
Isa isa();
const char* name_of(Isa isa);

}  // namespace pyvae::cpu
