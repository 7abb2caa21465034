// The densities that have been registered, by name.
#pragma once

#include "../plugin.h"

namespace pyvae {

// A copy that lasts as long as the process.
const DensityInfo& keep_density(const DensityInfo& density);
// The first of that name.
const DensityInfo& density(const char* name);

}  // namespace pyvae
