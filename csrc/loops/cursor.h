// Where each view stands, moved from row to row like an odometer.
#pragma once

#include "rows.h"

#ifndef PYVAE_ISA
#define PYVAE_ISA portable
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

struct Cursor {
  const Rows& a;
  int64_t index[kMaxDims];
  int64_t offset[kSlots] = {};
  int active[kSlots];
  int count = 0;

  Cursor(const Rows& rows, int64_t row) : a(rows) {
    for (int s = 0; s < kSlots; ++s)
      if (a.view[s].data) active[count++] = s;
    seek(row);
  }
  void seek(int64_t row) {
    for (int s = 0; s < kSlots; ++s) offset[s] = 0;
    for (int d = a.ndim - 1; d >= 0; --d) {
      index[d] = row % a.sizes[d];
      row /= a.sizes[d];
      for (int i = 0; i < count; ++i) offset[active[i]] += index[d] * a.view[active[i]].strides[d];
    }
  }
  // `by` rows on, no further than the end of the last dimension.
  void next(int64_t by = 1) {
    for (int d = a.ndim - 1; d >= 0; --d, by = 1) {
      const bool carry = (index[d] += by) == a.sizes[d];
      if (carry) index[d] = 0;
      const int64_t move = carry ? by - a.sizes[d] : by;
      for (int i = 0; i < count; ++i) offset[active[i]] += move * a.view[active[i]].strides[d];
      if (!carry) return;
    }
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
