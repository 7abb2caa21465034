// ReduceColumns on the CPU (rows.h).
#pragma once

#include "many.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// Items of ReduceColumns. Sums of kFlush rows go on in double.
template <class F, class T, bool kValue>
class ColumnSums {
  static constexpr int kFlush = 64;

 public:
  explicit ColumnSums(const ReduceColumns& a) : a_(a), at_(a, 0), step_(a, 0) {
    for (int d = a.kept; d < a.ndim; ++d) summed_ *= a.sizes[d];
    kept_rows_ = summed_ ? a.rows / summed_ : 0;
    per_split_ = (summed_ + a.splits - 1) / a.splits;
    for (int k = 0; k < F::kIn; ++k)
      if (a.view[kGrad + k].data && a.view[kGrad + k].strides[a.ndim - 1] == 0)
        targets_[count_++] = k;
    elements_ = F::kSum && by_element(a);
    // By the columns, not by the group, which depends on the number of threads.
    if (!kValue && a.kept == 1 && 2 * a.cols <= kSegment<T> && side_by_side<F>(a, 0))
      side_ = kKept;
    else if (F::kSum && a.ndim > a.kept && a.cols < kShortRow && side_by_side<F>(a, a.ndim - 1))
      side_ = kSummed;
    one_run_ = a.kept > 0 && a.view[kNoiseIndex].strides[a.kept - 1] == a.cols;
  }

  void run(int64_t item) {
    const int64_t segments = (a_.cols + kSegment<T> - 1) / kSegment<T>;
    const int64_t split = item % a_.splits, segment = item / a_.splits % segments;
    row_ = item / a_.splits / segments * a_.group;
    rows_ = static_cast<int>(kept_rows_ - row_ < a_.group ? kept_rows_ - row_ : a_.group);
    j_ = segment * kSegment<T>;
    n_ = static_cast<int>(a_.cols - j_ < kSegment<T> ? a_.cols - j_ : kSegment<T>);
    for (int t = 0; t < count_; ++t)
      for (int i = 0; i < rows_ * n_; ++i) sum_[t][i] = 0, total_[t][i] = 0;
    for (int g = 0; g < rows_; ++g) {
      at_.seek((row_ + g) * summed_);
      memcpy(base_[g], at_.offset, sizeof(at_.offset));
    }
    const int64_t first = split * per_split_;
    const int64_t last = first + per_split_ < summed_ ? first + per_split_ : summed_;
    step_.seek(first);
    for (int64_t r = first; r < last;) {
      const int by = rows_at_once(r - first, last - r);
      for (int g = 0; g < rows_; g += side_ == kKept ? rows_ : 1) {
        const double part = add(g, by);
        if constexpr (kValue) {
          double* const to = a_.values + ((row_ + g) * summed_ + r) * segments + segment;
          if (side_ == kSummed)
            for (int i = 0; i < by; ++i) to[i] = static_cast<double>(work_.slope[i]);
          else
            *to = part;
        }
      }
      r += by;
      if ((r - first) % kFlush == 0 || r == last) flush();
      if (r < last) step_.next(by);
    }
    write(split);
  }

 private:
  // Which short rows go through the density side by side: kept ones, each to sums of its own, or
  // summed ones, all to the same.
  enum Side { kNone, kKept, kSummed };

  // Rows along the last summed dimension, no further than its end, the next flush and the tiles.
  int rows_at_once(int64_t done, int64_t left) const {
    if (side_ != kSummed) return 1;
    const int64_t end = a_.sizes[a_.ndim - 1] - step_.index[a_.ndim - 1];
    int64_t most = kFlush - done % kFlush;
    if (kSegment<T> / a_.cols < most) most = kSegment<T> / a_.cols;
    if (end < most) most = end;
    if (left < most) most = left;
    return static_cast<int>(most);
  }

  // One summed row, or `by` of them, of kept row `g`, or of all kept rows. Returns the value; those
  // of several summed rows are in work_.slope.
  double add(int g, int by) {
    for (int i = 0; i < step_.count; ++i) {
      const int slot = step_.active[i];
      at_.offset[slot] = base_[g][slot] + step_.offset[slot];
    }
    const Patch patch{side_ == kKept ? rows_ : by, n_, 0};
    const int d = side_ == kKept ? 0 : a_.ndim - 1;
    const int64_t ahead = side_ == kSummed ? a_.stream_length
                          : one_run_       ? (rows_ - g) * a_.cols
                                           : n_;
    work_.template open<kValue, true>(s_, a_, at_, j_, patch, d, ahead);
    for (int t = 0; t < count_; ++t) s_.grad[targets_[t]] = work_.grad[targets_[t]];
    double value = 0;
    if (side_ != kNone || elements_)
      run_many<kValue, true>(work_, s_, a_, at_, j_, patch, d);
    else
      value = run_segment<F, T, kValue, true>(s_, n_, slope_of<T>(a_, at_.offset[kGradValue]));
    if (kValue && side_ == kSummed) sum_rows(work_.term, patch, work_.slope);
    for (int t = 0; t < count_; ++t) {
      const T* grad = work_.grad[targets_[t]];
      T* const into = sum_[t] + g * n_;
      if (side_ == kSummed) {
        for (int i = 0; i < n_; ++i)
          for (int r = 0; r < by; ++r) into[i] += grad[r * n_ + i];
      } else {
        for (int i = 0; i < patch.rows * n_; ++i) into[i] += grad[i];
      }
      s_.grad[targets_[t]] = nullptr;
    }
    work_.template close<kValue, true>(s_, a_, at_, j_, patch, d);
    return value;
  }

  void flush() {
    for (int t = 0; t < count_; ++t)
      for (int i = 0; i < rows_ * n_; ++i)
        total_[t][i] += static_cast<double>(sum_[t][i]), sum_[t][i] = 0;
  }

  void write(int64_t split) {
    for (int t = 0; t < count_; ++t) {
      const int slot = kGrad + targets_[t];
      for (int g = 0; g < rows_; ++g) {
        const double* from = total_[t] + g * n_;
        if (a_.splits > 1)
          memcpy(a_.sums + ((t * a_.splits + split) * kept_rows_ + row_ + g) * a_.cols + j_, from,
                 n_ * sizeof(double));
        else
          put(a_.view[slot], base_[g][slot] + j_ * a_.view[slot].step, from, n_);
      }
    }
  }

  const ReduceColumns& a_;
  int64_t summed_ = 1, kept_rows_, per_split_;
  int targets_[F::kIn], count_ = 0;  // gradients that are sums; others are written as they come
  bool elements_, one_run_;
  Side side_ = kNone;
  int64_t row_, j_;  // of the item: its first kept row and column,
  int rows_, n_;     // and how many of each
  Workspace<F, T> work_;
  Segment<T> s_;
  T sum_[F::kIn][kSegment<T>];
  double total_[F::kIn][kSegment<T>];
  int64_t base_[kMaxGroup][kSlots];  // where each kept row of the group begins
  Cursor at_, step_;                 // step_: in the summed dimensions alone
};

template <class F, class T, bool kValue>
void reduce_columns(const ReduceColumns& a, int64_t begin, int64_t end) {
  ColumnSums<F, T, kValue> sums(a);
  for (int64_t item = begin; item < end; ++item) sums.run(item);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
