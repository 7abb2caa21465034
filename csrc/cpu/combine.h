// The pass that adds up what others left, on the host.
#pragma once

#include "../loops/rows.h"

namespace pyvae::cpu {

void combine(const Combine* passes, int count);

}  // namespace pyvae::cpu
