// How walks over many others are cut where blocks of threads take tiles of owners: by the shape
// alone, so that results do not depend on the device. Every part leaves what it found in scratch
// memory, and a second kernel puts the parts together in order.
#pragma once

#include "pairs.h"

namespace pyvae {

constexpr int kTeamThreads = 128;
constexpr int kTeamOwners = 64;  // of a block
constexpr int kTeamOthers = 32;  // of a tile
constexpr int kTeamOwn = 4;      // owners of a thread
constexpr int kMaxLanes = 8;     // problems side by side: 32 bytes of a row
constexpr int kMaxParts = 64;

constexpr int64_t tiles_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

// Some 400 blocks where the others allow it, each with whole tiles of them.
inline int64_t parts_of(int64_t blocks, int64_t others) {
  constexpr int64_t kBlocks = 400;
  const int64_t tiles = tiles_of(others, kTeamOthers);
  if (!tiles || !blocks) return 1;
  const int64_t wanted = tiles_of(kBlocks, blocks);
  return tiles_of(tiles, tiles_of(tiles, wanted < kMaxParts ? wanted : kMaxParts));
}

// Problems of one column each lie side by side in a block.
inline bool by_columns(const Mixture& a) { return a.width == 1; }
inline int team_lanes(const Mixture& a) {
  int lanes = 1;
  while (lanes < kMaxLanes && lanes < a.problems) lanes *= 2;
  return lanes;
}
inline int64_t column_owners(const Mixture& a) { return kTeamThreads / team_lanes(a) * kTeamOwn; }

inline int64_t discrepancy_items(const Discrepancy& a) {
  return 2 * tiles_of(a.rows[0], kTeamOwners) + tiles_of(a.rows[1], kTeamOwners);
}
inline int64_t discrepancy_parts(const Discrepancy& a) {
  return parts_of(discrepancy_items(a), a.rows[0] > a.rows[1] ? a.rows[0] : a.rows[1]);
}
// Rows with a gradient, all the others of which are both samples.
inline int64_t pulled_rows(const Discrepancy& a) {
  return a.rows[0] + (a.grad[1].data ? a.rows[1] : 0);
}
inline int64_t pulling_tiles(const Discrepancy& a) {
  return tiles_of(a.rows[0], kTeamOthers) + tiles_of(a.rows[1], kTeamOthers);
}
inline int64_t discrepancy_gradient_parts(const Discrepancy& a) {
  return parts_of(tiles_of(pulled_rows(a), kTeamOwners), pulling_tiles(a) * kTeamOthers);
}
inline int64_t discrepancy_scratch(const Discrepancy& a) {
  const int64_t parts = discrepancy_gradient_parts(a);
  return parts == 1 ? 0 : parts * pulled_rows(a) * a.columns;
}

}  // namespace pyvae
