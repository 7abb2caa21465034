// Short rows on the CPU: many of them go through a density side by side, as do the columns of a row
// of which each is a row of its own.
#pragma once

#include "cells.h"
#include "workspace.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
T slope_of(const Rows& a, int64_t offset) {
  const View& v = a.view[kGradValue];
  if (!v.data) return static_cast<T>(a.scale);
  T slope;
  return *fetch(v, offset, &slope, 1) * static_cast<T>(a.scale);
}
// Whether columns have values or slopes of their own: each is a row.
inline bool by_element(const Rows& a) {
  const View& slope = a.view[kGradValue];
  return a.view[kElementValue].data || (slope.data && slope.step != 0 && a.cols > 1);
}
// The slope of each element of a patch, whose rows follow each other along dimension d.
template <class T>
void spread_slopes(const Rows& a, int64_t offset, int d, const Patch& patch, T* out) {
  const View& v = a.view[kGradValue];
  const T scale = static_cast<T>(a.scale);
  const T* p = static_cast<const T*>(v.data) + offset;
  const int64_t stride = patch.rows > 1 ? v.strides[d] : 0, step = patch.cols > 1 ? v.step : 0;
  if (!v.data) {
    for (int i = 0; i < patch.rows * patch.cols; ++i) out[i] = scale;
  } else if (patch.rows == 1 && step == 1) {
    for (int j = 0; j < patch.cols; ++j) out[j] = p[j] * scale;
  } else if (step == 0 && patch.cols >= kShortRow) {
    for (int g = 0; g < patch.rows; ++g) {
      const T slope = p[g * stride] * scale;
      for (int j = 0; j < patch.cols; ++j) out[g * patch.cols + j] = slope;
    }
  } else {
    for (int j = 0; j < patch.cols; ++j)
      for (int g = 0; g < patch.rows; ++g)
        out[g * patch.cols + j] = p[g * stride + j * step] * scale;
  }
}

// Whether rows along dimension d are one stretch of noise and of what is written, so that short
// ones can go through the loop side by side. Operands that lie elsewhere are fetched from there.
template <class F>
bool side_by_side(const Rows& a, int d) {
  if (d < 0 || a.view[kSeed].strides[d] != 0) return false;
  // Factors cost a logarithm for each element instead of one for many.
  if (F::kFactor && a.cols > kShortRow) return false;
  for (int s = 0; s < kSlots; ++s) {
    if (!a.view[s].data || s == kGradValue || s == kSeed) continue;
    const bool run = a.view[s].step == 1 && a.view[s].strides[d] == a.cols;
    const bool must = s == kNoiseIndex || s == kSample || a.cols >= kShortRow;
    if (must && !run) return false;
  }
  return true;
}
// The sums of rows that lie side by side.
template <class T>
void sum_rows(const T* term, const Patch& patch, T* out) {
  const int rows = patch.rows, cols = patch.cols;
  if (cols > 8) {
    for (int g = 0; g < rows; ++g) out[g] = sum_of(term + g * cols, cols);
    return;
  }
  for (int g = 0; g < rows; ++g) out[g] = term[g * cols];
  for (int j = 1; j < cols; ++j)
    for (int g = 0; g < rows; ++g) out[g] += term[g * cols + j];
}

// A patch of which each element has its own slope, and its own term or value.
template <bool kValue, bool kGrad, bool kMixed = false, class F, class T>
void run_many(Workspace<F, T>& work, Segment<T>& s, const Rows& a, const Cursor& at, int64_t j,
              const Patch& patch, int d) {
  const View &slope = a.view[kGradValue], &value = a.view[kElementValue];
  if (kGrad) spread_slopes(a, at.offset[kGradValue] + j * slope.step, d, patch, work.slope);
  const int64_t to = at.offset[kElementValue] + j * value.step;
  const bool values = kValue && value.data;
  s.slope = work.slope;
  s.term = values ? place(value, to, along(patch, value, d), work.term) : work.term;
  run_cells<F, T, kValue, kGrad, kMixed>(s, patch.rows * patch.cols);
  if (values && s.term == work.term) put(value, to, along(patch, value, d), work.term);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
