// Rows of classes on the CPU, block by block of positions: the largest logit of each, the sum of
// its weights, its gradient. F says what a weight is.
#pragma once

#include "class_tile.h"
#include "classes.h"
#include "cpu.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class F, class T>
class ClassLoop {
  using Tile = ClassTile<F, T>;
  using V = Vec<T>;
  static constexpr int W = V::kLanes;

  const ClassRows& a_;
  const Map& r_;
  const View &x_, &logits_, &grad_;
  int64_t summed_ = 1;  // rows that share their logits
  Cursor at_, shared_;
  bool value_, gradient_;
  int64_t row_ = -1;
  T slope_ = 0;
  double total_ = 0;  // of the value that is being summed
  int64_t summands_ = 0;
  Tile tile_;
  int64_t class_[Tile::kBlock];
  T slopes_[Tile::kBlock], picked_[Tile::kBlock], factor_[Tile::kBlock];

 public:
  explicit ClassLoop(const ClassRows& a)
      : a_(a), r_(a.rows), x_(r_.view[kInput]), logits_(r_.view[kInput + 1]),
        grad_(r_.view[kGrad + 1]), at_(r_, 0), shared_(r_, 0), value_(r_.value),
        gradient_(grad_.data), tile_(a) {
    for (int d = a.kept; d < r_.ndim; ++d) summed_ *= r_.sizes[d];
  }

  void run(int64_t begin, int64_t end) {
    const int64_t chunks = a_.chunks();
    for (int64_t item = begin; item < end; ++item) {
      if (row_ != item / chunks) row_ = item / chunks, at_.seek(row_ * summed_);
      const int64_t first = item % chunks * a_.chunk;
      const int64_t last = first + a_.chunk < r_.cols ? first + a_.chunk : r_.cols;
      const int most = tile_.positions();
      for (int64_t j = first; j < last; j += most)
        block(j, static_cast<int>(last - j < most ? last - j : most));
      if (value_ && !a_.group) write_value<T>(r_, item, total_), total_ = 0;
    }
  }

 private:
  static constexpr T kNone = static_cast<T>(__builtin_nan(""));

  int64_t value_index(int64_t j) const { return (row_ * r_.cols + j) / a_.group; }
  int64_t class_at(int64_t offset) const {
    const char* p = static_cast<const char*>(x_.data) + offset * a_.index_bytes;
    if (a_.index_bytes == 1) return *reinterpret_cast<const uint8_t*>(p);
    if (a_.index_bytes == 2) return *reinterpret_cast<const int16_t*>(p);
    if (a_.index_bytes == 4) return *reinterpret_cast<const int32_t*>(p);
    return *reinterpret_cast<const int64_t*>(p);
  }
  // The classes that positions [j, j + n) are asked for, -1 for none that exists, and the incoming
  // gradients: those of the k-th row that shares their logits.
  void ask(int64_t k, int64_t j, int n) {
    if (summed_ > 1) shared_.seek(k);
    const int64_t index = at_.offset[kInput] + shared_.offset[kInput];
    for (int i = 0; i < n; ++i) {
      const int64_t c = class_at(index + (j + i) * x_.step);
      class_[i] = c >= 0 && c < a_.classes ? c : -1;
    }
    if (!gradient_) return;
    const int64_t incoming = at_.offset[kGradValue] + shared_.offset[kGradValue];
    if (!a_.group) slope_ = slope_of<T>(r_, incoming);
    for (int i = 0; i < n; ++i)
      slopes_[i] = a_.group ? slope_of<T>(r_, value_index(j + i)) : slope_;
  }

  void block(int64_t j, int n) {
    ask(0, j, n);
    tile_.load(at_.offset[kInput + 1] + j * logits_.step, n);
    for (int i = 0; value_ && i < n; ++i)
      picked_[i] = class_[i] < 0 ? kNone : tile_.logit(i, class_[i]);
    tile_.weigh();
    if (value_) add_values(j, n);
    if (gradient_) write_gradient(j, n);
  }

  void write_gradient(int64_t j, int n) {
    for (int i = 0; i < n; ++i) factor_[i] = 0;  // NaN where a class does not exist
    for (int64_t k = 0; k < summed_; ++k) {
      if (summed_ > 1) ask(k, j, n);
      for (int i = 0; i < n; ++i) factor_[i] += class_[i] < 0 ? kNone : slopes_[i];
    }
    for (int i = 0; i < n; i += W)
      F::factor(V::load(factor_ + i), V::load(tile_.sum() + i)).store(factor_ + i);
    for (int piece = 0; piece < tile_.pieces(); ++piece) {
      tile_.scale(piece, factor_, at_.offset[kGrad + 1] + j * grad_.step);
      for (int64_t k = 0; k < summed_; ++k) {
        if (summed_ > 1) ask(k, j, n);
        for (int i = 0; i < n; ++i) tile_.add(i, class_[i], slopes_[i]);
      }
      tile_.write();
    }
  }

  void add_values(int64_t j, int n) {
    for (int i = 0; i < n; i += W) {
      const V shift = F::shift(V::load(tile_.largest() + i));
      F::log_prob(V::load(picked_ + i), shift, V::load(tile_.sum() + i)).store(picked_ + i);
    }
    for (int i = 0; i < n; ++i) {
      total_ += static_cast<double>(picked_[i]);
      if (++summands_ != a_.group) continue;
      static_cast<T*>(r_.value)[value_index(j + i)] = static_cast<T>(total_);
      total_ = 0, summands_ = 0;
    }
  }
};

template <class F, class T>
void class_rows(const ClassRows& a, int64_t begin, int64_t end) {
  ClassLoop<F, T>(a).run(begin, end);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
