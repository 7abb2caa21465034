// The passes over rows on the CPU (rows.h). They know no density and no torch.
#pragma once

#include "../plugin.h"
#include "segment.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
T slope_of(const Rows& a, int64_t offset) {
  const View& v = a.view[kGradValue];
  if (!v.data) return static_cast<T>(a.scale);
  T slope;
  return *fetch(v, offset, &slope, 1) * static_cast<T>(a.scale);
}
template <class T>
PYVAE_FN void write_value(const Map& a, int64_t item, double total) {
  if (a.partial)
    static_cast<double*>(a.value)[item] = total;
  else
    static_cast<T*>(a.value)[item] = static_cast<T>(total);
}
// The slopes of `rows` rows along dimension d, each for all its columns.
template <class T>
void spread_slopes(const Rows& a, int64_t offset, int d, int rows, T* out) {
  for (int g = 0; g < rows; ++g, out += a.cols) {
    const T slope = slope_of<T>(a, offset + g * a.view[kGradValue].strides[d]);
    for (int64_t j = 0; j < a.cols; ++j) out[j] = slope;
  }
}

// Whether rows along dimension d are one stretch of memory (and of noise) for every operand, so
// that short ones can go through the loop side by side. Factors are multiplied up row by row.
template <class F>
bool side_by_side(const Rows& a, int d) {
  if (F::kFactor || d < 0 || a.view[kSeed].strides[d] != 0) return false;
  for (int s = 0; s < kSlots; ++s) {
    if (!a.view[s].data || s == kGradValue || s == kSeed) continue;
    if (a.view[s].step != 1 || a.view[s].strides[d] != a.cols) return false;
  }
  return true;
}

template <class F, class T, Want kWant>
void map_rows(const Map& a, int64_t begin, int64_t end) {
  constexpr bool kValue = kWant != Want::grad, kGrad = kWant != Want::value;
  const int64_t chunks = a.chunks();
  Workspace<F, T> work;
  Segment<T> s;
  s.slope = work.slope, s.term = work.term;
  Cursor at(a, begin / chunks);
  const int last_dim = a.ndim - 1;
  const int64_t together = F::kSum && side_by_side<F>(a, last_dim) ? kSegment<T> / a.cols : 1;
  for (int64_t item = begin; item < end; ++item) {
    if (together > 1) {
      const int64_t left = a.sizes[last_dim] - at.index[last_dim];
      const int64_t most = left < end - item ? left : end - item;
      const int rows = static_cast<int>(most < together ? most : together);
      const int n = rows * static_cast<int>(a.cols);
      work.template open<kValue, kGrad>(s, a, at, 0, n, a.stream_length);
      if (kGrad) spread_slopes(a, at.offset[kGradValue], last_dim, rows, work.slope);
      run_segment<F, T, kValue, kGrad, true>(s, n, T(0));
      work.template close<kValue, kGrad>(s, a, at, 0, n);
      for (int g = 0; a.value && g < rows; ++g)
        write_value<T>(a, item + g, sum_of(work.term + g * a.cols, a.cols));
      item += rows - 1;
      if (item + 1 < end) at.next(rows);
      continue;
    }
    const int64_t chunk = item % chunks;
    const int64_t first = chunk * kChunk,
                  last = chunks == 1 || first + kChunk > a.cols ? a.cols : first + kChunk;
    const T slope = kGrad ? slope_of<T>(a, at.offset[kGradValue]) : T(0);
    double total = 0;
    for (int64_t j = first; j < last; j += kSegment<T>) {
      const int n = static_cast<int>(last - j < kSegment<T> ? last - j : kSegment<T>);
      work.template open<kValue, kGrad>(s, a, at, j, n, a.stream_length);
      total += run_segment<F, T, kValue, kGrad>(s, n, slope);
      work.template close<kValue, kGrad>(s, a, at, j, n);
    }
    if (a.value) write_value<T>(a, item, total);
    if (chunk == chunks - 1 && item + 1 < end) at.next();
  }
}

// Items are (row, chunk).
template <class F, class T>
void reduce_rows(const ReduceRows& a, int64_t begin, int64_t end) {
  const int64_t chunks = a.chunks();
  Workspace<F, T> work;
  Segment<T> s;
  Cursor at(a, begin / chunks);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t chunk = item % chunks;
    const int64_t first = chunk * kChunk,
                  last = chunks == 1 || first + kChunk > a.cols ? a.cols : first + kChunk;
    const T slope = slope_of<T>(a, at.offset[kGradValue]);
    double total = 0;
    for (int64_t j = first; j < last; j += kSegment<T>) {
      const int n = static_cast<int>(last - j < kSegment<T> ? last - j : kSegment<T>);
      work.template open<false, true>(s, a, at, j, n, a.stream_length);
      for (int k = 0; k < F::kIn; ++k) s.grad[k] = k == a.target ? work.grad[k] : nullptr;
      run_segment<F, T, false, true>(s, n, slope);
      for (int i = 0; i < n; ++i) total += static_cast<double>(work.grad[a.target][i]);
    }
    a.sums[item] = total;
    if (chunk == chunks - 1 && item + 1 < end) at.next();
  }
}

// Sums of 64 rows go on in double. Short rows that follow each other are summed side by side, since
// their noise is one run.
template <class F, class T, bool kValue>
void reduce_columns(const ReduceColumns& a, int64_t begin, int64_t end) {
  const int64_t segments = (a.cols + kSegment<T> - 1) / kSegment<T>;
  int64_t summed = 1;
  for (int d = a.kept; d < a.ndim; ++d) summed *= a.sizes[d];
  const int64_t kept_rows = summed ? a.rows / summed : 0;
  const int64_t per_split = (summed + a.splits - 1) / a.splits;
  const bool one_stretch = !kValue && a.kept == 1 && side_by_side<F>(a, 0);
  const bool one_run = a.kept > 0 && a.view[kNoiseIndex].strides[a.kept - 1] == a.cols;
  int targets[F::kIn], count = 0;  // gradients that are sums; others are written as they come
  for (int k = 0; k < F::kIn; ++k)
    if (a.view[kGrad + k].data && a.view[kGrad + k].strides[a.ndim - 1] == 0) targets[count++] = k;
  Workspace<F, T> work;
  Segment<T> s;
  s.slope = work.slope;
  T sum[F::kIn][kSegment<T>];
  double total[F::kIn][kSegment<T>];
  int64_t base[kMaxGroup][kSlots];  // where each kept row of the group begins
  Cursor at(a, 0), step(a, 0);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t split = item % a.splits, segment = item / a.splits % segments;
    const int64_t row = item / a.splits / segments * a.group;
    const int rows = static_cast<int>(kept_rows - row < a.group ? kept_rows - row : a.group);
    const int64_t j = segment * kSegment<T>;
    const int n = static_cast<int>(a.cols - j < kSegment<T> ? a.cols - j : kSegment<T>);
    const int64_t first = split * per_split;
    const int64_t last = first + per_split < summed ? first + per_split : summed;
    for (int t = 0; t < count; ++t)
      for (int i = 0; i < rows * n; ++i) sum[t][i] = 0, total[t][i] = 0;
    for (int g = 0; g < rows; ++g) {
      at.seek((row + g) * summed);
      memcpy(base[g], at.offset, sizeof(at.offset));
    }
    step.seek(first);  // the summed dimensions alone
    for (int64_t r = first; r < last; ++r) {
      const bool flush = (r - first) % 64 == 63 || r + 1 == last;
      const int stretches = one_stretch ? 1 : rows;
      for (int g = 0; g < stretches; ++g) {
        for (int i = 0; i < step.count; ++i) {
          const int slot = step.active[i];
          at.offset[slot] = base[g][slot] + step.offset[slot];
        }
        const int width = one_stretch ? rows * n : n;
        work.template open<kValue, true>(s, a, at, j, width, one_run ? (rows - g) * a.cols : n);
        for (int t = 0; t < count; ++t) s.grad[targets[t]] = work.grad[targets[t]];
        if (one_stretch && rows > 1) {
          spread_slopes(a, at.offset[kGradValue], 0, rows, work.slope);
          run_segment<F, T, false, true, true>(s, width, T(0));
        } else {
          const double part =
              run_segment<F, T, kValue, true>(s, width, slope_of<T>(a, at.offset[kGradValue]));
          if constexpr (kValue) a.values[((row + g) * summed + r) * segments + segment] = part;
        }
        for (int t = 0; t < count; ++t) {
          const T* grad = work.grad[targets[t]];
          T* into = sum[t] + g * n;
          for (int i = 0; i < width; ++i) into[i] += grad[i];
          s.grad[targets[t]] = nullptr;
        }
        work.template close<kValue, true>(s, a, at, j, width);
      }
      for (int t = 0; flush && t < count; ++t)
        for (int i = 0; i < rows * n; ++i)
          total[t][i] += static_cast<double>(sum[t][i]), sum[t][i] = 0;
      if (r + 1 < last) step.next();
    }
    for (int t = 0; t < count; ++t) {
      const int slot = kGrad + targets[t];
      for (int g = 0; g < rows; ++g) {
        const double* from = total[t] + g * n;
        if (a.splits > 1)
          memcpy(a.sums + ((t * a.splits + split) * kept_rows + row + g) * a.cols + j, from,
                 n * sizeof(double));
        else
          put(a.view[slot], base[g][slot] + j * a.view[slot].step, from, n);
      }
    }
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
