// The CPU loops: map and sum a row; sum columns over rows (the gradient of a broadcast operand).
// They know no density and no torch.
#pragma once

#include "convert.h"
#include "noise.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// A segment is at most 64 vectors, so that a product of factors in [1, 2] cannot overflow.
template <class T>
constexpr int kSegment = 64 * Vec<T>::kLanes;

constexpr int kMaxGroup = 16;  // kept rows of one item of the column loop

// Where each view stands, moved from row to row like an odometer.
struct Cursor {
  const Rows& a;
  int64_t index[kMaxDims];
  int64_t offset[kSlots] = {};
  int active[kSlots];
  int count = 0;

  Cursor(const Rows& rows, int64_t row) : a(rows) {
    for (int s = 0; s < kSlots; ++s)
      if (a.view[s].data) active[count++] = s;
    seek(row);
  }
  void seek(int64_t row) {
    for (int s = 0; s < kSlots; ++s) offset[s] = 0;
    for (int d = a.ndim - 1; d >= 0; --d) {
      index[d] = row % a.sizes[d];
      row /= a.sizes[d];
      for (int i = 0; i < count; ++i) offset[active[i]] += index[d] * a.view[active[i]].strides[d];
    }
  }
  void next() {
    for (int d = a.ndim - 1; d >= 0; --d) {
      const bool carry = ++index[d] == a.sizes[d];
      if (!carry) {
        for (int i = 0; i < count; ++i) offset[active[i]] += a.view[active[i]].strides[d];
        return;
      }
      index[d] = 0;
      for (int i = 0; i < count; ++i)
        offset[active[i]] -= (a.sizes[d] - 1) * a.view[active[i]].strides[d];
    }
  }
};

// Pointers to one segment.
template <class T>
struct Segment {
  const T* in[kMaxIn];
  const T* eps;
  const T* grad_sample;
  T* sample;
  T* grad[kMaxIn];  // null: not wanted
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

// One vector of cells: all lanes (kFull) or the first n.
template <class F, class T, bool kValue, bool kGrad, bool kFull>
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
  PYVAE_FN void load(const Segment<T>& s, int j, int n) {
    for (int k = 0; k < F::kIn; ++k) c.in[k] = read(s.in[k] + j, n);
    if constexpr (F::kNoise) {
      c.eps = read(s.eps + j, n);
      if constexpr (kGrad) grad_sample = read(s.grad_sample + j, n);
    }
  }
  PYVAE_FN void run() { term = F::step(c); }
  PYVAE_FN void store(const Segment<T>& s, int j, int n, V slope, Accumulator<F, V>& acc) {
    if constexpr (kValue && F::kNoise) write(c.z, s.sample + j, n);
    if constexpr (kValue && F::kSum) {
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
        if constexpr (F::kNoise) g = g + grad_sample * c.path[k];
        write(g, s.grad[k] + j, n);
      }
  }
};

template <class F, class T, bool kValue, bool kGrad>
double run_segment(const Segment<T>& s, int n, T slope_of_row) {
  using V = Vec<T>;
  constexpr int W = V::kLanes;
  const V slope(slope_of_row);
  Accumulator<F, V> a, b;
  int j = 0;
  for (; j + 2 * W <= n; j += 2 * W) {
    Step<F, T, kValue, kGrad, true> p, q;
    p.load(s, j, W), q.load(s, j + W, W);
    p.run(), q.run();
    p.store(s, j, W, slope, a), q.store(s, j + W, W, slope, b);
  }
  if (j + W <= n) {
    Step<F, T, kValue, kGrad, true> p;
    p.load(s, j, W), p.run(), p.store(s, j, W, slope, a);
    j += W;
  }
  if (j < n) {
    Step<F, T, kValue, kGrad, false> p;
    p.load(s, j, n - j), p.run(), p.store(s, j, n - j, slope, b);
  }
  if constexpr (!(kValue && F::kSum)) return 0;
  Accumulator<F, V> both = a;
  both.sum = both.sum + b.sum;
  if constexpr (F::kFactor) both.sum = both.sum - log(b.product);
  return static_cast<double>(both.total());
}

// Tiles of one thread: only those that are needed are touched.
template <class F, class T>
struct Workspace {
  T in[F::kIn][kSegment<T>], grad[F::kIn][kSegment<T>];
  T grad_sample[F::kNoise ? kSegment<T> : 1], sample[F::kNoise ? kSegment<T> : 1];
  NoiseWindow<T> noise;

  // Points `s` at columns [j, j + n) of the cursor's row.
  template <bool kValue, bool kGrad>
  void open(Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, int n, int64_t run) {
    for (int k = 0; k < F::kIn; ++k) {
      const View& v = a.view[kInput + k];
      s.in[k] = fetch(v, at.offset[kInput + k] + j * v.step, in[k], n);
    }
    if constexpr (F::kNoise) {
      const uint64_t seed = static_cast<const uint64_t*>(a.view[kSeed].data)[at.offset[kSeed]];
      s.eps = noise.at(seed, at.offset[kNoiseIndex] + j, n, a.stream_length, run);
      if constexpr (kValue) s.sample = target(a.view[kSample], at.offset[kSample] + j, sample);
      if constexpr (kGrad) {
        const View& v = a.view[kGradSample];
        if (v.data)
          s.grad_sample = fetch(v, at.offset[kGradSample] + j * v.step, grad_sample, n);
        else
          memset(grad_sample, 0, n * sizeof(T)), s.grad_sample = grad_sample;
      }
    }
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k) {
        const View& v = a.view[kGrad_ + k];
        s.grad[k] = v.data ? target(v, at.offset[kGrad_ + k] + j * v.step, grad[k]) : nullptr;
      }
  }
  // Writes back the tiles that stood in for memory.
  template <bool kValue, bool kGrad>
  void close(const Segment<T>& s, const Rows& a, const Cursor& at, int64_t j, int n) {
    if constexpr (F::kNoise && kValue)
      if (s.sample == sample) put(a.view[kSample], at.offset[kSample] + j, sample, n);
    if constexpr (kGrad)
      for (int k = 0; k < F::kIn; ++k) {
        const View& v = a.view[kGrad_ + k];
        if (s.grad[k] == grad[k]) put(v, at.offset[kGrad_ + k] + j * v.step, grad[k], n);
      }
  }

 private:
  static constexpr int kGrad_ = static_cast<int>(Slot::kGrad);
  static T* target(const View& v, int64_t offset, T* tile) {
    if (v.dtype != DtypeOf<T>::value || v.step != 1) return tile;
    return static_cast<T*>(v.data) + offset;
  }
};

template <class T>
T slope_of(const Rows& a, const Cursor& at) {
  const View& v = a.view[kGradValue];
  if (!v.data) return static_cast<T>(a.scale);
  T slope;
  return *fetch(v, at.offset[kGradValue], &slope, 1) * static_cast<T>(a.scale);
}

// Items are (row, chunk); Mode::row_sums sums the gradient of operand `target` instead of the
// value.
template <class F, class T, Mode kMode>
void rows_loop(const Rows& a, int64_t begin, int64_t end) {
  constexpr bool kValue = kMode == Mode::value || kMode == Mode::value_grad;
  constexpr bool kGrad = kMode != Mode::value;
  const int64_t chunks = a.chunks();
  Workspace<F, T> work;
  Segment<T> s;
  Cursor at(a, begin / chunks);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t chunk = item % chunks;
    const int64_t first = chunk * kChunk,
                  last = chunks == 1 || first + kChunk > a.cols ? a.cols : first + kChunk;
    const T slope = kGrad ? slope_of<T>(a, at) : T(0);
    double total = 0;
    for (int64_t j = first; j < last; j += kSegment<T>) {
      const int n = static_cast<int>(last - j < kSegment<T> ? last - j : kSegment<T>);
      work.template open<kValue, kGrad>(s, a, at, j, n, a.stream_length);
      total += run_segment<F, T, kValue, kGrad>(s, n, slope);
      if constexpr (kMode == Mode::row_sums)
        for (int i = 0; i < n; ++i) total += static_cast<double>(s.grad[a.target][i]);
      else
        work.template close<kValue, kGrad>(s, a, at, j, n);
    }
    if (a.value) {
      if (a.partial)
        static_cast<double*>(a.value)[item] = total;
      else
        static_cast<T*>(a.value)[item] = static_cast<T>(total);
    }
    if (chunk == chunks - 1 && item + 1 < end) at.next();
  }
}

// Items are (group of kept rows, segment of columns, split). The dimensions from `kept` on are
// summed over in a fixed order; sums of 64 rows go on in double. Short rows that follow each other
// are summed side by side, since their noise is one run. Several splits: partial sums in doubles at
// `value`, one (split, kept row, column) block for each gradient.
template <class F, class T>
void columns_loop(const Rows& a, int64_t begin, int64_t end) {
  const int64_t segments = (a.cols + kSegment<T> - 1) / kSegment<T>;
  int64_t summed = 1;
  for (int d = a.kept; d < a.ndim; ++d) summed *= a.sizes[d];
  const int64_t kept_rows = summed ? a.rows / summed : 0;
  const int64_t per_split = (summed + a.splits - 1) / a.splits;
  const bool one_run = a.kept > 0 && a.view[kNoiseIndex].strides[a.kept - 1] == a.cols;
  int targets[F::kIn], count = 0;
  for (int k = 0; k < F::kIn; ++k)
    if (a.view[kGrad + k].data) targets[count++] = k;
  Workspace<F, T> work;
  Segment<T> s;
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
      for (int g = 0; g < rows; ++g) {
        for (int i = 0; i < step.count; ++i) {
          const int slot = step.active[i];
          at.offset[slot] = base[g][slot] + step.offset[slot];
        }
        work.template open<false, true>(s, a, at, j, n, one_run ? (rows - g) * a.cols : n);
        for (int t = 0; t < count; ++t) s.grad[targets[t]] = work.grad[targets[t]];
        run_segment<F, T, false, true>(s, n, slope_of<T>(a, at));
        for (int t = 0; t < count; ++t) {
          const T* grad = work.grad[targets[t]];
          T* into = sum[t] + g * n;
          for (int i = 0; i < n; ++i) into[i] += grad[i];
        }
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
          memcpy(static_cast<double*>(a.value) +
                     ((t * a.splits + split) * kept_rows + row + g) * a.cols + j,
                 from, n * sizeof(double));
        else
          put(a.view[slot], base[g][slot] + j * a.view[slot].step, from, n);
      }
    }
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
