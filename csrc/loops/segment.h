// A segment of columns: loaded, taken through a density vector by vector, stored.
#pragma once

#include "narrow.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// At most 64 vectors, so that a product of factors in [1/2, 2] cannot overflow.
template <class T>
constexpr int kSegment = 64 * Vec<T>::kLanes;

// Pointers to one segment: to numbers of the compute type, or (kMixed) to those of the dtypes
// beside them, which are turned into it, and out of it, vector by vector.
template <class T>
struct Segment {
  const T* in[kMaxIn];
  const T* eps;
  const T* grad_sample;
  T* sample;
  T* grad[kMaxIn];  // null: not wanted
  Dtype in_type[kMaxIn], grad_sample_type, sample_type, grad_type[kMaxIn];
  const T* slope;  // of kMany: what each element's gradient is multiplied by,
  T* term;         // and what it adds to its row, or is the value of
};

template <class F, class V>
struct Accumulator {
  V sum = V(0), product = V(1);
  PYVAE_FN void add(const Term<V>& t) {
    sum = sum + t.sum;
    if constexpr (F::kFactor) product = product * t.factor;
  }
  PYVAE_FN auto total() const {
    if constexpr (F::kFactor)
      return sum_lanes(sum - log(product));
    else
      return sum_lanes(sum);
  }
};

// One vector of cells: all lanes (kFull) or the first n; of one row, or of many rows (kMany), each
// element with a slope and a term of its own.
template <class F, class T, bool kValue, bool kGrad, bool kMany, bool kFull, bool kMixed>
struct Step {
  using V = Vec<T>;
  Cell<V, F::kIn> c;
  V grad_sample;
  Term<V> term;

  PYVAE_FN static V read(const T* p, int n) {
    if constexpr (kFull)
      return V::load(p);
    else
      return V::load(p, n);
  }
  PYVAE_FN static void write(V v, T* p, int n) {
    if constexpr (kFull)
      v.store(p);
    else
      v.store(p, n);
  }
  PYVAE_FN static V read(const T* p, Dtype type, int j, int n) {
    if constexpr (kMixed)
      if (type != DtypeOf<T>::value) return load_narrow(p, type, j, kFull ? V::kLanes : n);
    return read(p + j, n);
  }
  PYVAE_FN static void write(V v, T* p, Dtype type, int j, int n) {
    if constexpr (kMixed)
      if (type != DtypeOf<T>::value) return store_narrow(v, p, type, j, kFull ? V::kLanes : n);
    write(v, p + j, n);
  }
  PYVAE_FN void load(const Segment<T>& s, int j, int n) {
    for (int k = 0; k < F::kIn; ++k) c.in[k] = read(s.in[k], s.in_type[k], j, n);
    if constexpr (kNoise<F>) {
      c.eps = read(s.eps + j, n);
      if constexpr (kGrad) grad_sample = read(s.grad_sample, s.grad_sample_type, j, n);
    }
  }
  PYVAE_FN void run() { term = F::step(c); }
  PYVAE_FN void store(const Segment<T>& s, int j, int n, V slope, Accumulator<F, V>& acc) {
    if constexpr (kValue && kNoise<F>) write(c.z, s.sample, s.sample_type, j, n);
    if constexpr (kValue && F::kSum && kMany) {
      if constexpr (F::kFactor) term.sum = term.sum - log(term.factor);
      write(term.sum, s.term + j, n);
    }
    if constexpr (kGrad && F::kSum && kMany) slope = read(s.slope + j, n);
    if constexpr (kValue && F::kSum && !kMany) {
      if constexpr (!kFull) {
        const auto in = V(lane_index<T>()) < V(static_cast<T>(n));
        term.sum = select(in, term.sum, V(0));
        if constexpr (F::kFactor) term.factor = select(in, term.factor, V(1));
      }
      acc.add(term);
    }
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k)
        if (s.grad[k]) write(gradient(k, slope), s.grad[k], s.grad_type[k], j, n);
  }
  PYVAE_FN V gradient(int k, V slope) const {
    V g = F::kSum ? slope * c.grad[k] : V(0);
    if constexpr (kNoise<F>) g = g + grad_sample * c.path[k];
    return g;
  }
};

// Where all that is read and written are bfloats, two vectors at a time, those at even places and
// those at odd ones. Returns how many cells that were.
template <class F, class T, bool kValue, bool kGrad>
int run_bfloats(const Segment<T>& s, int n, T slope_of_row, Accumulator<F, Vec<T>>& a,
                Accumulator<F, Vec<T>>& b) {
  bool all = true;
  for (int k = 0; k < F::kIn; ++k) {
    all &= s.in_type[k] == Dtype::bf16;
    if constexpr (kGrad) all &= !s.grad[k] || s.grad_type[k] == Dtype::bf16;
  }
  if (!all) return 0;
  constexpr int kTwo = 2 * Vec<T>::kLanes;
  const Vec<T> slope(canonical_nan(slope_of_row));
  Accumulator<F, Vec<T>> sums[2];
  int j = 0;
  for (; j + kTwo <= n; j += kTwo) {
    Step<F, T, kValue, kGrad, false, true, true> even, odd;
    for (int k = 0; k < F::kIn; ++k)
      widen_two(reinterpret_cast<const Bfloat*>(s.in[k]) + j, even.c.in[k], odd.c.in[k]);
    even.run(), odd.run();
    if constexpr (kValue) sums[0].add(even.term), sums[1].add(odd.term);
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k)
        if (s.grad[k])
          narrow_two(even.gradient(k, slope), odd.gradient(k, slope),
                     reinterpret_cast<Bfloat*>(s.grad[k]) + j);
  }
  a = sums[0], b = sums[1];
  return j;
}

// The cells of one row, or of a part of it: where a cell stands in its row says which code it goes
// through and what it is added to.
template <class F, class T, bool kValue, bool kGrad, bool kMixed = false>
double run_segment(const Segment<T>& s, int n, T slope_of_row) {
  using V = Vec<T>;
  constexpr int W = V::kLanes;
  const V slope(slope_of_row);
  Accumulator<F, V> a, b;
  int j = 0;
  if constexpr (kMixed && F::kSum && !kNoise<F>)
    j = run_bfloats<F, T, kValue, kGrad>(s, n, slope_of_row, a, b);
  for (; j + 2 * W <= n; j += 2 * W) {
    Step<F, T, kValue, kGrad, false, true, kMixed> p, q;
    p.load(s, j, W), q.load(s, j + W, W);
    p.run(), q.run();
    p.store(s, j, W, slope, a), q.store(s, j + W, W, slope, b);
  }
  if (j + W <= n) {
    Step<F, T, kValue, kGrad, false, true, kMixed> p;
    p.load(s, j, W), p.run(), p.store(s, j, W, slope, a);
    j += W;
  }
  if (j < n) {
    Step<F, T, kValue, kGrad, false, false, kMixed> p;
    p.load(s, j, n - j), p.run(), p.store(s, j, n - j, slope, b);
  }
  if constexpr (!kValue || !F::kSum) return 0;
  Accumulator<F, V> both = a;
  both.sum = both.sum + b.sum;
  if constexpr (F::kFactor) both.sum = both.sum - log(b.product);
  return static_cast<double>(both.total());
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
