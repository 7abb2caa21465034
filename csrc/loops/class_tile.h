// A block of positions with the logits, then the weights, of their classes.
//
// Vectors run along the classes of one position; or, for few classes and for those that lie in
// planes, along positions, the tile holding one run of them for each class. Positions of more
// classes than the tile holds go through it alone, piece by piece.
#pragma once

#include "classes.h"
#include "convert.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class F, class T>
class ClassTile {
  using V = Vec<T>;
  static constexpr int W = V::kLanes, kTile = kMaxPlanes * W, kPiece = kTile / 2;

 public:
  static constexpr int kBlock = 256;  // positions at a time, at most

  explicit ClassTile(const ClassRows& a)
      : a_(a), logits_(a.rows.view[kInput + 1]), grad_(a.rows.view[kGrad + 1]), row_(logits_),
        grad_row_(grad_), classes_(a.classes) {
    row_.step = a.step, grad_row_.step = a.grad_step;
    long_ = !a.planes && classes_ > kPiece;
    held_ = long_ ? kPiece : classes_;
    stride_ = static_cast<int>((held_ + W - 1) / W * W);
    const int64_t most = a.planes ? kTile / classes_ / W * W : kPiece / stride_;
    positions_ = static_cast<int>(most > kBlock ? kBlock : most);
  }
  int positions() const { return positions_; }
  const T* largest() const { return largest_; }
  const T* sum() const { return sum_; }

  // The logits of n positions from `offset` on, and the largest of each.
  void load(int64_t offset, int n) {
    from_ = offset, n_ = n;
    if (a_.planes) return load_planes();
    for (int i = 0; i < n && !long_; ++i) {
      in_[i] = fetch(row_, from_ + i * logits_.step, tile_ + i * stride_, int(classes_));
      largest_[i] = largest_of(in_[i], int(classes_));
    }
  }
  T logit(int i, int64_t c) {
    if (a_.planes) return tile_[c * stride_ + i];
    T one;
    return long_ ? *fetch(row_, from_ + c * a_.step, &one, 1) : in_[i][c];
  }

  // Weights in the place of logits, and their sums.
  void weigh() {
    if (a_.planes) return weigh_planes();
    if (long_) return weigh_long();
    for (int i = 0; i < n_; ++i)
      sum_[i] = weigh_row(in_[i], int(classes_), F::shift(largest_[i]), tile_ + i * stride_);
  }

  // The gradient, in pieces of as many classes as the tile holds: weights times the factor of their
  // position, what is added to single classes, and into memory.
  int pieces() const { return static_cast<int>((classes_ + held_ - 1) / held_); }
  void scale(int piece, const T* factor, int64_t offset) {
    first_ = piece * held_, to_ = offset + first_ * a_.grad_step;
    if (a_.planes) return scale_planes(factor);
    if (long_) weigh_piece(first_, F::shift(largest_[0]));
    const int n = width(first_);
    for (int i = 0; i < n_; ++i) {
      T* tile = tile_ + i * stride_;
      out_[i] = place(grad_row_, to_ + i * grad_.step, tile);
      const V f(factor[i]);
      for (int c = 0; c < n; c += W) {
        const V v = V::load(tile + c) * f;
        n - c >= W ? v.store(out_[i] + c) : v.store(out_[i] + c, n - c);
      }
    }
  }
  void add(int i, int64_t c, T x) {
    c -= first_;
    if (c >= 0 && c < held_) (a_.planes ? tile_[c * stride_ + i] : out_[i][c]) += x;
  }
  void write() {
    for (int c = 0; a_.planes && c < classes_; ++c)
      put(grad_, to_ + c * a_.grad_step, tile_ + c * stride_, n_);
    for (int i = 0; !a_.planes && i < n_; ++i)
      if (out_[i] == tile_ + i * stride_)
        put(grad_row_, to_ + i * grad_.step, out_[i], width(first_));
  }

 private:
  PYVAE_FN static V read(const T* p, int n) {
    if (n >= W) return V::load(p);
    return select(V(lane_index<T>()) < V(static_cast<T>(n)), V::load(p, n), V(-__builtin_inff()));
  }
  static T largest_of(const T* p, int n) {
    V a(-__builtin_inff());
    for (int c = 0; c < n; c += W) {
      const V l = read(p + c, n - c);
      a = select(l > a, l, a);
    }
    return max_lanes(a);
  }
  // Weights of n classes into `to`, which has room for whole vectors, and their sum.
  static T weigh_row(const T* p, int n, T shift, T* to) {
    V a(0), b(0);
    const V s(shift);
    int c = 0;
    for (; c + 2 * W <= n; c += 2 * W) {
      const V v = F::weight(V::load(p + c), s), w = F::weight(V::load(p + c + W), s);
      v.store(to + c), w.store(to + c + W);
      a = a + v, b = b + w;
    }
    for (; c < n; c += W) {
      const V v = F::weight(read(p + c, n - c), s);
      v.store(to + c);
      a = a + v;
    }
    return sum_lanes(a + b);
  }
  int width(int64_t first) const {
    return static_cast<int>(classes_ - first < held_ ? classes_ - first : held_);
  }
  T weigh_piece(int64_t first, T shift) {
    const T* p = fetch(row_, from_ + first * a_.step, tile_, width(first));
    return weigh_row(p, width(first), shift, tile_);
  }
  void weigh_long() {
    T largest = -__builtin_inff(), sum = 0;
    for (int64_t first = 0; first < classes_; first += held_) {
      const T* p = fetch(row_, from_ + first * a_.step, tile_, width(first));
      const T most = largest_of(p, width(first));
      if (most > largest) {  // a sum of nothing yet stays 0, one of NaN stays NaN
        if (sum > 0) sum *= F::weight(F::shift(largest), most);
        largest = most;
      }
      sum += weigh_row(p, width(first), F::shift(largest), tile_);
    }
    largest_[0] = largest, sum_[0] = sum;
  }

  void load_planes() {
    stride_ = (n_ + W - 1) / W * W;
    for (int i = 0; i < stride_; ++i) largest_[i] = -__builtin_inff();
    for (int c = 0; c < classes_; ++c) {
      T* tile = tile_ + c * stride_;
      const T* p = fetch(logits_, from_ + c * a_.step, tile, n_);
      if (p != tile) memcpy(tile, p, n_ * sizeof(T));
      for (int i = n_; i < stride_; ++i) tile[i] = 0;
      for (int i = 0; i < stride_; i += W) {
        const V l = V::load(tile + i), most = V::load(largest_ + i);
        select(l > most, l, most).store(largest_ + i);
      }
    }
  }
  void weigh_planes() {
    for (int i = 0; i < stride_; i += W) {
      const V shift = F::shift(V::load(largest_ + i));
      V sum(0);
      for (int c = 0; c < classes_; ++c) {
        T* tile = tile_ + c * stride_ + i;
        const V weight = F::weight(V::load(tile), shift);
        weight.store(tile);
        sum = sum + weight;
      }
      sum.store(sum_ + i);
    }
  }
  void scale_planes(const T* factor) {
    for (int c = 0; c < classes_; ++c)
      for (int i = 0; i < stride_; i += W) {
        T* tile = tile_ + c * stride_ + i;
        (V::load(tile) * V::load(factor + i)).store(tile);
      }
  }

  const ClassRows& a_;
  const View &logits_, &grad_;
  View row_, grad_row_;        // along the classes of one position
  int64_t classes_, held_;     // held: at a time
  int64_t from_ = 0, to_ = 0;  // where the block begins; where the piece does
  int64_t first_ = 0;          // class of the piece
  int positions_, stride_, n_ = 0;
  bool long_;
  const T* in_[kBlock];
  T* out_[kBlock];
  T tile_[kTile], largest_[kBlock], sum_[kBlock];
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
