// The passes over rows on the CPU (rows.h). They know no density and no torch.
#pragma once

#include "../plugin.h"
#include "column_sums.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
PYVAE_FN void write_value(const Map& a, int64_t item, double total) {
  if (a.partial)
    static_cast<double*>(a.value)[item] = total;
  else
    static_cast<T*>(a.value)[item] = static_cast<T>(total);
}
// Whether a row's gradients were made for the incoming gradient that it has.
template <class T>
bool is_ready(const Map& a, int64_t offset) {
  const View& v = a.view[kGradValue];
  T weight;
  return v.data && a.ready == a.ready && *fetch(v, offset, &weight, 1) == static_cast<T>(a.ready);
}
// Whether a density has loops over segments of mixed dtypes. Those that compute more than they read
// take tiles instead, and need no code for it.
template <class F, class T>
constexpr bool kTakesMixed = __is_same(T, float) && !F::kHeavy;
inline bool has_narrow(const Rows& a) {
  for (const View& v : a.view)
    if (v.data && is_narrow(v.dtype)) return true;
  return false;
}
// kMixed: operands and results of 8 and 16 bits are turned into the compute type in registers.
template <class F, class T, Want kWant, bool kMixed>
void map_rows_of(const Map& a, int64_t begin, int64_t end) {
  constexpr bool kValue = kWant != Want::grad, kGrad = kWant != Want::value;
  const int64_t chunks = a.chunks();
  Workspace<F, T> work;
  Segment<T> s;
  Cursor at(a, begin / chunks);
  const int last_dim = a.ndim - 1;
  const bool elements = F::kSum && by_element(a);
  const int64_t together = F::kSum && side_by_side<F>(a, last_dim) ? kSegment<T> / a.cols : 1;
  for (int64_t item = begin; item < end; ++item) {
    if (together > 1) {
      const int64_t left = a.sizes[last_dim] - at.index[last_dim];
      const int64_t most = left < end - item ? left : end - item;
      const int rows = static_cast<int>(most < together ? most : together);
      const Patch patch{rows, static_cast<int>(a.cols), 0};
      work.template open<kValue, kGrad, kMixed>(s, a, at, 0, patch, last_dim, a.stream_length);
      run_many<kValue, kGrad, kMixed>(work, s, a, at, 0, patch, last_dim);
      work.template close<kValue, kGrad>(s, a, at, 0, patch, last_dim);
      if (a.value) {
        sum_rows(work.term, patch, work.slope);
        for (int g = 0; g < rows; ++g) write_value<T>(a, item + g, work.slope[g]);
      }
      item += rows - 1;
      if (item + 1 < end) at.next(rows);
      continue;
    }
    const int64_t chunk = item % chunks;
    const int64_t first = chunk * kChunk,
                  last = chunks == 1 || first + kChunk > a.cols ? a.cols : first + kChunk;
    const T slope = kGrad && !elements ? slope_of<T>(a, at.offset[kGradValue]) : T(0);
    const bool leave = kWant == Want::grad && !elements && is_ready<T>(a, at.offset[kGradValue]);
    double total = 0;
    for (int64_t j = leave ? last : first; j < last; j += kSegment<T>) {
      const int n = static_cast<int>(last - j < kSegment<T> ? last - j : kSegment<T>);
      work.template open<kValue, kGrad, kMixed>(s, a, at, j, n, a.stream_length);
      if (elements)
        run_many<kValue, kGrad, kMixed>(work, s, a, at, j, {1, n, 0}, 0);
      else
        total += run_segment<F, T, kValue, kGrad, kMixed>(s, n, slope);
      work.template close<kValue, kGrad>(s, a, at, j, n);
    }
    if (a.value) write_value<T>(a, item, total);
    if (chunk == chunks - 1 && item + 1 < end) at.next();
  }
}
template <class F, class T, Want kWant>
void map_rows(const Map& a, int64_t begin, int64_t end) {
  if constexpr (kTakesMixed<F, T>)
    if (has_narrow(a)) return map_rows_of<F, T, kWant, true>(a, begin, end);
  map_rows_of<F, T, kWant, false>(a, begin, end);
}

// Items are (row, chunk).
template <class F, class T>
void reduce_rows(const ReduceRows& a, int64_t begin, int64_t end) {
  const int64_t chunks = a.chunks();
  Workspace<F, T> work;
  Segment<T> s;
  Cursor at(a, begin / chunks);
  const bool elements = F::kSum && by_element(a);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t chunk = item % chunks;
    const int64_t first = chunk * kChunk,
                  last = chunks == 1 || first + kChunk > a.cols ? a.cols : first + kChunk;
    const T slope = elements ? T(0) : slope_of<T>(a, at.offset[kGradValue]);
    double total = 0;
    for (int64_t j = first; j < last; j += kSegment<T>) {
      const int n = static_cast<int>(last - j < kSegment<T> ? last - j : kSegment<T>);
      work.template open<false, true>(s, a, at, j, n, a.stream_length);
      for (int k = 0; k < F::kIn; ++k) s.grad[k] = k == a.target ? work.grad[k] : nullptr;
      if (elements)
        run_many<false, true>(work, s, a, at, j, {1, n, 0}, 0);
      else
        run_segment<F, T, false, true>(s, n, slope);
      for (int i = 0; i < n; ++i) total += static_cast<double>(work.grad[a.target][i]);
    }
    a.sums[item] = total;
    if (chunk == chunks - 1 && item + 1 < end) at.next();
  }
}

// The kernels of density F on one instruction set; none of None.
template <class F>
constexpr CpuKernels cpu_kernels() {
  CpuKernels k;
  if constexpr (!__is_same(F, None)) {
    const auto fill = [&]<class T>(T, int type) {
      k.map[type][static_cast<int>(Want::value)] = map_rows<F, T, Want::value>;
      k.map[type][static_cast<int>(Want::grad)] = map_rows<F, T, Want::grad>;
      k.reduce_columns[type][false] = reduce_columns<F, T, false>;
      k.reduce_rows[type] = reduce_rows<F, T>;
      k.segment[type] = kSegment<T>;
      // A sample's gradient needs an incoming one, so it has no value and gradient in one pass.
      if constexpr (!kNoise<F>) {
        k.map[type][static_cast<int>(Want::both)] = map_rows<F, T, Want::both>;
        k.reduce_columns[type][true] = reduce_columns<F, T, true>;
      }
    };
    fill(float(), 0), fill(double(), 1);
  }
  return k;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
