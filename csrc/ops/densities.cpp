#include "densities.h"

#include <c10/util/Exception.h>

#include <cstring>
#include <deque>

namespace pyvae {
namespace {

std::deque<DensityInfo>& all() {
  static auto* kept = new std::deque<DensityInfo>;
  return *kept;
}

}  // namespace

const DensityInfo& keep_density(const DensityInfo& density) { return all().emplace_back(density); }

const DensityInfo& density(const char* name) {
  for (const DensityInfo& d : all())
    if (std::strcmp(name, d.name) == 0) return d;
  TORCH_CHECK_VALUE(false, "pyvae has no density ", name);
}

}  // namespace pyvae
