// Where a segment's columns lie: in place where memory is ready for them, else in tiles.
#pragma once

#include "convert.h"
#include "cursor.h"
#include "noise.h"
#include "segment.h"

namespace pyvae {
inline namespace PYVAE_ISA {

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
