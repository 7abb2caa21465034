// Every row of one matrix with every row of another: what such loops are given. No torch, the same
// for every device.
//
// The rows that results or gradients belong to are the owners, those they are paired with the
// others. An item of a task is a tile of kOwners owners, who take all the others in order: so sums
// have one order and need no atomics, whatever the number of threads. Nothing of the size of
// owners x others is stored.
#pragma once

#include "../math/numeric.h"
#include "rows.h"

namespace pyvae {

constexpr int kOwners = 32;
constexpr int64_t owner_tiles(int64_t rows) { return (rows + kOwners - 1) / kOwners; }

// The log-density of points under a mixture. The columns may be cut into `problems` of `width`
// columns each, every one a mixture of its own with the same weights. Views have strides[0] between
// rows and `step` between columns.
struct Mixture {
  View points, means, logvars;
  View log_weights;  // strides[0] is 0 where all points share them; no data: `log_weight`
  double log_weight = 0;
  int64_t num_points = 0, num_components = 0, width = 0;
  int64_t first_problem = 0, problems = 1;  // those of this call
  View value;                               // (points, problems of this call)
  View grad_value;                          // (points, all problems)
  View grad_points, grad_means, grad_logvars;
  View grad_log_weights;  // of each point
  double* weight_sums =
      nullptr;              // of weights that all points share: one for each component, added to
  int64_t parts = 1;        // as said below, and the memory that they ask for
  void* scratch = nullptr;  // nothing, where one thread takes all the others of a tile
};

// Few points: every pair's weight is kept, so that its distance is computed once. Scratch memory,
// in numbers from its start: the weights by tile of points, component and owner, then the points'
// gradients of each part of the components, by part and point.
constexpr int64_t kFewPoints = 4 * kOwners, kFewComponents = 2048, kFewColumns = 128;
constexpr int64_t kFewPart = 4 * kOwners;  // components of a part
struct FewScratch {
  int64_t components, tiles, stride;
  explicit FewScratch(const Mixture& a)
      : components(a.num_components), tiles(owner_tiles(a.num_points)),
        stride((a.width + 15) / 16 * 16) {}
  int64_t parts() const { return (components + kFewPart - 1) / kFewPart; }
  int64_t weights(int64_t tile, int64_t component) const {
    return (tile * components + component) * kOwners;
  }
  int64_t pulls(int64_t part, int64_t point) const {
    return weights(tiles, 0) + (part * tiles * kOwners + point) * stride;
  }
  int64_t size() const { return pulls(parts(), 0); }
};
inline bool few_points(const Mixture& a) {
  constexpr int64_t kMost = 1 << 18;
  return a.problems == 1 && a.num_points <= kFewPoints && a.num_components <= kFewComponents &&
         a.width <= kFewColumns && FewScratch(a).size() <= kMost;
}

// The squared maximum mean discrepancy of two samples, under a sum of kernels of several scales.
constexpr int kMaxScales = 64;
struct Discrepancy {
  View sample[2];
  int64_t rows[2] = {}, columns = 0;
  View scales;
  int num_scales = 0;
  double within[2] = {}, between = 0;  // what the sums of kernels are multiplied by
  bool skip_self = false;              // leave out each row with itself
  double* partial = nullptr;           // one part of the value for each item
  View grad_value;                     // one number
  View grad[2];
  int64_t parts = 1;  // as in Mixture; `partial` then is for each item and part
  void* scratch = nullptr;
};

// How walks over many others are cut where blocks of threads take tiles of owners: by the shape
// alone, so that results do not depend on the device. Every part leaves what it found in scratch
// memory, and a second kernel puts the parts together in order.
constexpr int kTeamThreads = 128;
constexpr int kTeamOwners = 64;  // of a block
constexpr int kTeamOthers = 32;  // of a tile
constexpr int kTeamOwn = 4;      // owners of a thread
constexpr int kMaxLanes = 8;     // problems side by side: 32 bytes of a row
constexpr int kMaxParts = 64;

PYVAE_FN constexpr int64_t tiles_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

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
PYVAE_FN int64_t pulled_rows(const Discrepancy& a) {
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

inline namespace PYVAE_ISA {

template <class T>
constexpr T kLargest = sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__);

PYVAE_FN int up_to(int64_t n, int most) { return static_cast<int>(n < most ? n : most); }

// Whether each point has log-weights of its own.
PYVAE_FN bool per_point(const Mixture& a) {
  return a.log_weights.data && a.log_weights.strides[0] != 0;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
