// Rows whose every element needs sums over the whole row: a sweep that sums, numbers made of the
// sums, a second sweep that sums with those, numbers again, and a sweep that writes.
//
// A task: its argument is a `Map` of which each row is one whole event, its items are the rows. A
// density F of this loop has kIn operands and kHeld numbers that each element keeps from sweep to
// sweep, and says
//   hold(cell)                        what is kept, from the operands alone
//   first(cell, sum[kFirst])          adds to the first sums, of which
//   close_first<kGrad>(row, total)    makes numbers of the row
//   second<kGrad>(cell, row, sum[kSecond])   and
//   close_second(row, total)          do the same for the second ones
//   value(cell, row)                  sets the sample, returns the element's part of the value
//   gradient(cell, row, slope)        sets the gradients
// where an element of zeros adds nothing to any sum: vectors are filled up with such.
#pragma once

#include "cpu.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class F, class T, bool kGrad>
class Summary {
  using V = Vec<T>;
  using Cell = typename F::template Cell<V>;
  template <class U>
  using Row = typename F::template Row<U>;
  static constexpr int kOut = kGrad ? F::kIn : 1;
  static constexpr int kOutSlot = kGrad ? static_cast<int>(Slot::kGrad) : Slot::kSample;
  static constexpr int kTogether = 32;  // short rows at a time, at most

  // One row: its operands, results and numbers.
  struct Line {
    const T *in[F::kIn], *eps, *grad_z;
    T *held[F::kHeld], *out[kOut], *tile[kOut];
    int64_t to[kOut];  // where the results lie
    T slope;
    Row<double> row;
  };

  const Map& a_;
  Cursor at_;
  int64_t open_ = -1;  // first column of what the tiles hold
  Line lines_[kTogether];
  T in_[F::kIn][kSegment<T>], held_[F::kHeld][kSegment<T>], out_[kOut][kSegment<T>];
  T grad_z_[kSegment<T>], zeros_[kSegment<T>];
  NoiseWindow<T> noise_;

  bool has_sample_gradient() const { return a_.view[kGradSample].data; }
  // n normals of the cursor's row and those after it; none where a gradient has no use for them.
  const T* normals(int64_t first, int n) {
    if (kGrad && !has_sample_gradient()) return zeros_;
    const uint64_t seed = static_cast<const uint64_t*>(a_.view[kSeed].data)[at_.offset[kSeed]];
    return noise_.at(seed, at_.offset[kNoiseIndex] + first, n, a_.stream_length, n);
  }
  // Columns [first, first + n) of the cursor's row, from place `i` of the tiles on.
  void open(Line& line, int i, int64_t first, int n, const T* eps) {
    for (int k = 0; k < F::kIn; ++k) {
      const View& v = a_.view[kInput + k];
      line.in[k] = fetch(v, at_.offset[kInput + k] + first * v.step, in_[k] + i, n);
    }
    line.eps = eps;
    line.grad_z = zeros_;
    if (const View& v = a_.view[kGradSample]; kGrad && v.data)
      line.grad_z = fetch(v, at_.offset[kGradSample] + first * v.step, grad_z_ + i, n);
    if constexpr (kGrad) line.slope = slope_of<T>(a_, at_.offset[kGradValue]);
    for (int k = 0; k < kOut; ++k) {
      const View& v = a_.view[kOutSlot + k];
      line.tile[k] = out_[k] + i;
      line.to[k] = at_.offset[kOutSlot + k] + first * v.step;
      line.out[k] = v.data ? place(v, line.to[k], line.tile[k]) : nullptr;
    }
    for (int k = 0; k < F::kHeld; ++k) line.held[k] = held_[k] + i;
    for (int j = 0; j < n; j += V::kLanes) {
      Cell c;
      for (int k = 0; k < F::kIn; ++k) c.in[k] = read(line.in[k] + j, n - j);
      F::hold(c);
      for (int k = 0; k < F::kHeld; ++k) c.held[k].store(line.held[k] + j);
    }
    open_ = first;
  }
  PYVAE_FN static V read(const T* p, int n) { return n >= V::kLanes ? V::load(p) : V::load(p, n); }
  PYVAE_FN static void write(V v, T* p, int n) { n >= V::kLanes ? v.store(p) : v.store(p, n); }

  // body(cell, sums) for a whole row; kWrite: and writes what it set.
  template <bool kWrite, int kSums, class Body>
  PYVAE_FN void sweep(Line& line, double (&total)[kSums], const Body& body) {
    for (double& t : total) t = 0;
    for (int64_t first = 0; first < a_.cols; first += kSegment<T>) {
      const int n = static_cast<int>(a_.cols - first < kSegment<T> ? a_.cols - first : kSegment<T>);
      if (open_ != first) open(line, 0, first, n, normals(first, n));
      const Line at = line;  // pointers that no store can change
      V sum[kSums];
      for (V& x : sum) x = V(0);
      for (int j = 0; j < n; j += V::kLanes) {
        Cell c;
        for (int k = 0; k < F::kIn; ++k) c.in[k] = read(at.in[k] + j, n - j);
        for (int k = 0; k < F::kHeld; ++k) c.held[k] = V::load(at.held[k] + j);
        c.eps = read(at.eps + j, n - j);
        if constexpr (kGrad) c.grad_z = read(at.grad_z + j, n - j);
        body(c, sum);
        for (int k = 0; kWrite && k < kOut; ++k)
          if (at.out[k]) write(kGrad ? c.grad[k] : c.z, at.out[k] + j, n - j);
      }
      for (int k = 0; k < kSums; ++k) total[k] += static_cast<double>(sum_lanes(sum[k]));
      for (int k = 0; kWrite && k < kOut; ++k)
        if (line.out[k] == line.tile[k]) put(a_.view[kOutSlot + k], line.to[k], line.out[k], n);
    }
  }
  void first_sweep(Line& line) {
    double total[F::kFirst];
    sweep<false>(line, total, [](const Cell& c, V(&sum)[F::kFirst]) { F::first(c, sum); });
    line.row = Row<double>{};
    F::template close_first<kGrad>(line.row, total);
  }
  void second_sweep(Line& line) {
    double total[F::kSecond];
    const Row<V> row(line.row);
    sweep<false>(line, total, [&](const Cell& c, V(&sum)[F::kSecond]) {
      F::template second<kGrad>(c, row, sum);
    });
    F::close_second(line.row, total);
  }
  double last_sweep(Line& line) {
    double total[1];
    const Row<V> row(line.row);
    if constexpr (kGrad) {
      const V slope(line.slope);
      sweep<true>(line, total, [&](Cell& c, V(&)[1]) { F::gradient(c, row, slope); });
    } else {
      sweep<true>(line, total, [&](Cell& c, V(&sum)[1]) { sum[0] = sum[0] + F::value(c, row); });
    }
    return line.row.value + total[0];
  }

 public:
  Summary(const Map& a, int64_t row) : a_(a), at_(a, row) {
    if (kGrad && !has_sample_gradient()) memset(zeros_, 0, sizeof(zeros_));
  }

  // As many rows from the cursor's on as fit the tiles and share a stream of noise, at most `most`:
  // each sweep goes over all of them, so that one row's sums are done beside the next one's.
  int run(int64_t row, int64_t most) {
    const int64_t padded = (a_.cols + V::kLanes - 1) / V::kLanes * V::kLanes;
    int64_t rows = kSegment<T> / padded;
    const int last = a_.ndim - 1;
    const bool one_stream = last >= 0 && a_.view[kSeed].strides[last] == 0 &&
                            a_.view[kNoiseIndex].strides[last] == a_.cols;
    const int64_t left = one_stream ? a_.sizes[last] - at_.index[last] : 1;
    if (rows > left) rows = left;
    if (rows > most) rows = most;
    if (rows > kTogether) rows = kTogether;
    const int n = rows < 1 ? 1 : static_cast<int>(rows);
    open_ = -1;
    if (rows > 0) {  // no: one row that goes through the tiles piece by piece
      const int cols = static_cast<int>(a_.cols);
      const T* eps = normals(0, n * cols);
      for (int i = 0; i < n; ++i) {
        open(lines_[i], i * static_cast<int>(padded), 0, cols, eps + i * cols);
        if (i + 1 < n) at_.next();
      }
    }
    for (int i = 0; i < n; ++i) first_sweep(lines_[i]);
    for (int i = 0; i < n; ++i) second_sweep(lines_[i]);
    for (int i = 0; i < n; ++i) {
      const double value = last_sweep(lines_[i]);
      if (a_.value) write_value<T>(a_, row + i, value);
    }
    if (n < most) at_.next();
    return n;
  }
};

template <class F, class T, bool kGrad>
void summary_rows(const Map& a, int64_t begin, int64_t end) {
  Summary<F, T, kGrad> rows(a, begin);
  while (begin < end) begin += rows.run(begin, end - begin);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
