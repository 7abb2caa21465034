// A segment of columns: loaded, taken through a density vector by vector, stored.
#pragma once

#include "convert.h"
#include "cursor.h"
#include "noise.h"

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

// Whether a density has loops over segments of mixed dtypes. Those that compute more than they read
// take tiles instead, and need no code for it.
template <class F, class T>
constexpr bool kTakesMixed = __is_same(T, float) && !F::kHeavy;
inline bool has_narrow(const Rows& a) {
  for (const View& v : a.view)
    if (v.data && is_narrow(v.dtype)) return true;
  return false;
}

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
      for (int k = 0; k < F::kIn; ++k) {
        if (!s.grad[k]) continue;
        V g = F::kSum ? slope * c.grad[k] : V(0);
        if constexpr (kNoise<F>) g = g + grad_sample * c.path[k];
        write(g, s.grad[k], s.grad_type[k], j, n);
      }
  }
};

template <class F, class T, bool kValue, bool kGrad, bool kMany = false, bool kMixed = false>
double run_segment(const Segment<T>& s, int n, T slope_of_row) {
  using V = Vec<T>;
  constexpr int W = V::kLanes;
  const V slope(slope_of_row);
  Accumulator<F, V> a, b;
  int j = 0;
  for (; j + 2 * W <= n; j += 2 * W) {
    Step<F, T, kValue, kGrad, kMany, true, kMixed> p, q;
    p.load(s, j, W), q.load(s, j + W, W);
    p.run(), q.run();
    p.store(s, j, W, slope, a), q.store(s, j + W, W, slope, b);
  }
  if (j + W <= n) {
    Step<F, T, kValue, kGrad, kMany, true, kMixed> p;
    p.load(s, j, W), p.run(), p.store(s, j, W, slope, a);
    j += W;
  }
  if (j < n) {
    Step<F, T, kValue, kGrad, kMany, false, kMixed> p;
    p.load(s, j, n - j), p.run(), p.store(s, j, n - j, slope, b);
  }
  if constexpr (!kValue || !F::kSum || kMany) return 0;
  Accumulator<F, V> both = a;
  both.sum = both.sum + b.sum;
  if constexpr (F::kFactor) both.sum = both.sum - log(b.product);
  return static_cast<double>(both.total());
}

// The patch as view `v` has it, whose rows follow each other along dimension d.
PYVAE_FN Patch along(const Patch& patch, const View& v, int d) {
  return {patch.rows, patch.cols, patch.rows == 1 ? 0 : v.strides[d]};
}

// Tiles of one thread: only those that are needed are touched.
template <class F, class T>
struct Workspace {
  T in[F::kIn][kSegment<T>], grad[F::kIn][kSegment<T>];
  T grad_sample[kNoise<F> ? kSegment<T> : 1], sample[kNoise<F> ? kSegment<T> : 1];
  T slope[kSegment<T>], term[kSegment<T>];
  NoiseWindow<T> noise;

  // Points `s` at columns [j, j + patch.cols) of the cursor's row and of the rows after it along
  // dimension d; `run`: how many normals will be read from there.
  template <bool kValue, bool kGrad, bool kMixed = false>
  void open(Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, const Patch& patch, int d,
            int64_t run) {
    const int n = patch.rows * patch.cols;
    for (int k = 0; k < F::kIn; ++k)
      s.in[k] = read<kMixed>(a, at, kInput + k, j, patch, d, in[k], s.in_type[k]);
    if constexpr (kNoise<F>) {
      const uint64_t seed = static_cast<const uint64_t*>(a.view[kSeed].data)[at.offset[kSeed]];
      s.eps = noise.at(seed, at.offset[kNoiseIndex] + j, n, a.stream_length, run);
      if constexpr (kValue)
        s.sample = where<kMixed>(a.view[kSample], at.offset[kSample] + j, {1, n, 0}, sample,
                                 s.sample_type);
      if constexpr (kGrad) {
        s.grad_sample = grad_sample, s.grad_sample_type = DtypeOf<T>::value;
        if (a.view[kGradSample].data)
          s.grad_sample =
              read<kMixed>(a, at, kGradSample, j, patch, d, grad_sample, s.grad_sample_type);
        else
          memset(grad_sample, 0, n * sizeof(T));
      }
    }
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k) {
        const View& v = a.view[kGrad_ + k];
        const int64_t offset = at.offset[kGrad_ + k] + j * v.step;
        s.grad[k] = v.data ? where<kMixed>(v, offset, along(patch, v, d), grad[k], s.grad_type[k])
                           : nullptr;
      }
  }
  template <bool kValue, bool kGrad, bool kMixed = false>
  void open(Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, int n, int64_t run) {
    open<kValue, kGrad, kMixed>(s, a, at, j, {1, n, 0}, 0, run);
  }
  // Writes back the tiles that stood in for memory.
  template <bool kValue, bool kGrad>
  void close(const Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, const Patch& patch,
             int d) {
    if constexpr (kNoise<F> && kValue)
      if (s.sample == sample)
        put(a.view[kSample], at.offset[kSample] + j, sample, patch.rows * patch.cols);
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k) {
        const View& v = a.view[kGrad_ + k];
        const int64_t offset = at.offset[kGrad_ + k] + j * v.step;
        if (s.grad[k] == grad[k]) put(v, offset, along(patch, v, d), grad[k]);
      }
  }
  template <bool kValue, bool kGrad>
  void close(const Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, int n) {
    close<kValue, kGrad>(s, a, at, j, {1, n, 0}, 0);
  }

 private:
  static constexpr int kGrad_ = static_cast<int>(Slot::kGrad);

  PYVAE_FN static bool lies_narrow(const View& v, const Patch& patch) {
    return is_narrow(v.dtype) && v.step == 1 && patch.is_run(1);
  }
  template <bool kMixed>
  PYVAE_FN static const T* read(const Rows& a, const Cursor& at, int slot, int64_t j,
                                const Patch& patch, int d, T* tile, Dtype& type) {
    const View& v = a.view[slot];
    const int64_t offset = at.offset[slot] + j * v.step;
    if constexpr (kMixed)
      if (type = v.dtype; lies_narrow(v, along(patch, v, d)))
        return static_cast<const T*>(element(v, offset));
    type = DtypeOf<T>::value;
    return fetch(v, offset, along(patch, v, d), tile);
  }
  template <bool kMixed>
  PYVAE_FN static T* where(const View& v, int64_t offset, const Patch& patch, T* tile,
                           Dtype& type) {
    if constexpr (kMixed)  // integers have no gradient: theirs stays in the tile
      if (type = v.dtype; type != Dtype::u8 && lies_narrow(v, patch))
        return static_cast<T*>(element(v, offset));
    type = DtypeOf<T>::value;
    return place(v, offset, patch, tile);
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
