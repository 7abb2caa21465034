// The loss of a batch from the values of its rows, on the host.
#pragma once

#include "../loops/scale.h"

namespace pyvae::cpu {

// Numbers are of float or double.
void loss(const Loss& pass);

}  // namespace pyvae::cpu
