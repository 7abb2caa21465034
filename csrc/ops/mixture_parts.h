// In how many parts a device of teams does each pass of a mixture, and what they leave behind.
#pragma once

#include "../loops/pairs.h"

namespace pyvae {

enum class MixturePass { value, points, components, log_weights };

inline int64_t mixture_parts(const Mixture& a, MixturePass pass) {
  const bool points = pass == MixturePass::value || pass == MixturePass::points;
  const int64_t owners = points ? a.num_points : a.num_components;
  const int64_t others = points ? a.num_components : a.num_points;
  if (pass == MixturePass::log_weights) return 1;
  const int64_t blocks =
      by_columns(a) ? tiles_of(owners, column_owners(a)) * tiles_of(a.problems, team_lanes(a))
                    : tiles_of(owners, kTeamOwners);
  return parts_of(blocks, others);
}
// Numbers of the compute type that all parts leave: for each owner two that a logarithm of a sum
// of exponentials is made of, or one sum of weights, and the pulls.
inline int64_t mixture_scratch(const Mixture& a, MixturePass pass) {
  const int64_t columns = a.width * a.problems, parts = mixture_parts(a, pass);
  switch (pass) {
    case MixturePass::value:
      return parts == 1 ? 0 : parts * a.num_points * 2 * a.problems;
    case MixturePass::points:
      return parts == 1 ? 0 : parts * a.num_points * (2 * a.problems + columns);
    case MixturePass::components:  // of columns, weights are summed over in the second kernel
      return parts == 1 && !by_columns(a) ? 0
                                          : parts * a.num_components * (a.problems + 2 * columns);
    default:
      return 0;
  }
}

}  // namespace pyvae
