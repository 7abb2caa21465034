// Cells of many rows, which have slopes and terms of their own. Where in a segment such a cell
// stands depends on the number of threads, and its bits must not: all go through the same
// instructions.
#pragma once

#include "segment.h"

// Compilers may join a product and a sum into one instruction, which rounds once, in one copy of
// some code and not in another.
#if defined(__clang__)
#define PYVAE_ONE_COPY __attribute__((noinline))
#else
#define PYVAE_ONE_COPY __attribute__((noinline, noclone))
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

// n: a multiple of the lanes.
template <class F, class T, bool kValue, bool kGrad, bool kMixed>
PYVAE_ONE_COPY void run_vectors(const Segment<T>& given, int n) {
  using V = Vec<T>;
  const Segment<T> s = given;  // which what is written cannot be part of
  Accumulator<F, V> none;
  for (int j = 0; j < n; j += V::kLanes) {
    Step<F, T, kValue, kGrad, true, true, kMixed> p;
    p.load(s, j, V::kLanes), p.run(), p.store(s, j, V::kLanes, V(0), none);
  }
}

template <class T>
struct alignas(PYVAE_VECTOR_BYTES) Lanes {
  T x[Vec<T>::kLanes];
};
// The last cells of a segment, from `first` on, n of them and less than a vector: in a whole one.
template <class F, class T, bool kValue, bool kGrad, bool kMixed>
void run_rest(const Segment<T>& all, int first, int n) {
  using Part = Step<F, T, kValue, kGrad, true, false, kMixed>;
  constexpr Dtype kType = DtypeOf<T>::value;
  Lanes<T> in[F::kIn], grad[F::kIn], eps, grad_sample, sample, slope, term;
  Segment<T> s;
  const auto take = [&](const T* p, Dtype type, Lanes<T>& to) {
    Part::read(p, type, first, n).store(to.x);
    return to.x;
  };
  const auto give = [&](const Lanes<T>& from, T* p, Dtype type) {
    Part::write(Vec<T>::load(from.x), p, type, first, n);
  };
  for (int k = 0; k < F::kIn; ++k)
    s.in[k] = take(all.in[k], all.in_type[k], in[k]), s.in_type[k] = kType;
  if constexpr (kNoise<F>) {
    s.eps = take(all.eps, kType, eps);
    s.sample = sample.x, s.sample_type = kType;
    if constexpr (kGrad) {
      s.grad_sample = take(all.grad_sample, all.grad_sample_type, grad_sample);
      s.grad_sample_type = kType;
    }
  }
  if constexpr (kGrad && F::kSum) s.slope = take(all.slope, kType, slope);
  if constexpr (kValue && F::kSum) s.term = term.x;
  if constexpr (kGrad)
    for (int k = 0; k < F::kIn; ++k)
      s.grad[k] = all.grad[k] ? grad[k].x : nullptr, s.grad_type[k] = kType;
  run_vectors<F, T, kValue, kGrad, kMixed>(s, Vec<T>::kLanes);
  if constexpr (kValue && kNoise<F>) give(sample, all.sample, all.sample_type);
  if constexpr (kValue && F::kSum) give(term, all.term, kType);
  if constexpr (kGrad)
    for (int k = 0; k < F::kIn; ++k)
      if (all.grad[k]) give(grad[k], all.grad[k], all.grad_type[k]);
}

template <class F, class T, bool kValue, bool kGrad, bool kMixed = false>
void run_cells(const Segment<T>& s, int n) {
  const int rest = n % Vec<T>::kLanes;
  if (n > rest) run_vectors<F, T, kValue, kGrad, kMixed>(s, n - rest);
  if (rest) run_rest<F, T, kValue, kGrad, kMixed>(s, n - rest, rest);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
