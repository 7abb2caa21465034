// Rows whose every element needs sums over the whole row: a sweep that sums, numbers made of the
// sums, a second sweep that sums with those, numbers again, and a sweep that writes.
//
// A task: its argument is a `Rows` of which each row is one whole event, its items are the rows. A
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

  const Rows& a_;
  const Cursor& at_;
  int64_t open_ = -1;  // the segment that the tiles hold
  const T* in_[F::kIn];
  const T* eps_;
  const T* grad_z_;
  T* out_[kOut];
  T in_tile_[F::kIn][kSegment<T>], held_[F::kHeld][kSegment<T>], out_tile_[kOut][kSegment<T>];
  T eps_tile_[kGrad ? kSegment<T> : 1], grad_z_tile_[kGrad ? kSegment<T> : 1];
  NoiseWindow<T> noise_;

  // The operands, the noise and what is held of columns [first, first + n).
  void open(int64_t first, int n) {
    for (int k = 0; k < F::kIn; ++k) {
      const View& v = a_.view[kInput + k];
      in_[k] = fetch(v, at_.offset[kInput + k] + first * v.step, in_tile_[k], n);
    }
    const View& incoming = a_.view[kGradSample];
    if (!kGrad || incoming.data) {
      const uint64_t seed = static_cast<const uint64_t*>(a_.view[kSeed].data)[at_.offset[kSeed]];
      const int64_t index = at_.offset[kNoiseIndex] + first;
      eps_ = noise_.at(seed, index, n, a_.stream_length, a_.stream_length);
    }
    if constexpr (kGrad) {
      if (incoming.data) {
        const int64_t offset = at_.offset[kGradSample] + first * incoming.step;
        grad_z_ = fetch(incoming, offset, grad_z_tile_, n);
      } else {  // the noise has no use
        memset(grad_z_tile_, 0, n * sizeof(T)), grad_z_ = grad_z_tile_;
        memset(eps_tile_, 0, n * sizeof(T)), eps_ = eps_tile_;
      }
    }
    for (int k = 0; k < kOut; ++k) {
      const View& v = a_.view[kGrad ? Slot::kGrad + k : Slot::kSample];
      out_[k] = v.data ? place(v, offset_of(k, first), out_tile_[k]) : nullptr;
    }
    for (int j = 0; j < n; j += V::kLanes) {
      Cell c;
      for (int k = 0; k < F::kIn; ++k) c.in[k] = read(in_[k] + j, n - j);
      F::hold(c);
      for (int k = 0; k < F::kHeld; ++k) c.held[k].store(held_[k] + j);
    }
    open_ = first;
  }
  int64_t offset_of(int k, int64_t first) const {
    const int slot = kGrad ? Slot::kGrad + k : Slot::kSample;
    return at_.offset[slot] + first * a_.view[slot].step;
  }
  PYVAE_FN static V read(const T* p, int n) { return n >= V::kLanes ? V::load(p) : V::load(p, n); }
  PYVAE_FN static void write(V v, T* p, int n) { n >= V::kLanes ? v.store(p) : v.store(p, n); }

  // body(cell, sums) for the whole row; kWrite: and writes what it set.
  template <bool kWrite, int kSums, class Body>
  PYVAE_FN void sweep(double (&total)[kSums], const Body& body) {
    for (double& t : total) t = 0;
    for (int64_t first = 0; first < a_.cols; first += kSegment<T>) {
      const int n = static_cast<int>(a_.cols - first < kSegment<T> ? a_.cols - first : kSegment<T>);
      if (open_ != first) open(first, n);
      V sum[kSums];
      for (V& x : sum) x = V(0);
      for (int j = 0; j < n; j += V::kLanes) {
        Cell c;
        for (int k = 0; k < F::kIn; ++k) c.in[k] = read(in_[k] + j, n - j);
        for (int k = 0; k < F::kHeld; ++k) c.held[k] = V::load(held_[k] + j);
        c.eps = read(eps_ + j, n - j);
        if constexpr (kGrad) c.grad_z = read(grad_z_ + j, n - j);
        body(c, sum);
        for (int k = 0; kWrite && k < kOut; ++k)
          if (out_[k]) write(kGrad ? c.grad[k] : c.z, out_[k] + j, n - j);
      }
      for (int k = 0; k < kSums; ++k) total[k] += static_cast<double>(sum_lanes(sum[k]));
      for (int k = 0; kWrite && k < kOut; ++k)
        if (out_[k] == out_tile_[k])
          put(a_.view[kGrad ? Slot::kGrad + k : Slot::kSample], offset_of(k, first), out_[k], n);
    }
  }

 public:
  Summary(const Rows& a, const Cursor& at) : a_(a), at_(at) {}

  // The cursor's row; returns its value.
  double run() {
    open_ = -1;
    Row<double> row{};
    double first[F::kFirst], second[F::kSecond], value[1];
    sweep<false>(first, [](const Cell& c, V(&sum)[F::kFirst]) { F::first(c, sum); });
    F::template close_first<kGrad>(row, first);
    const Row<V> half(row);
    sweep<false>(second, [&](const Cell& c, V(&sum)[F::kSecond]) {
      F::template second<kGrad>(c, half, sum);
    });
    F::close_second(row, second);
    const Row<V> full(row);
    if constexpr (kGrad) {
      const V slope(slope_of<T>(a_, at_.offset[kGradValue]));
      sweep<true>(value, [&](Cell& c, V(&)[1]) { F::gradient(c, full, slope); });
    } else {
      sweep<true>(value, [&](Cell& c, V(&sum)[1]) { sum[0] = sum[0] + F::value(c, full); });
    }
    return row.value + value[0];
  }
};

template <class F, class T, bool kGrad>
void summary_rows(const void* arguments, int64_t begin, int64_t end) {
  const Rows& a = *static_cast<const Rows*>(arguments);
  Cursor at(a, begin);
  Summary<F, T, kGrad> rows(a, at);
  for (int64_t row = begin; row < end; ++row) {
    const double value = rows.run();
    if (a.value) write_value<T>(a, row, value);
    if (row + 1 < end) at.next();
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
