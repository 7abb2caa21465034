// How rows are laid over threads: decided on the host, from shapes, strides and addresses alone, so
// that a call's sums are added in the same order in every run and on every device.
#pragma once

#include "pack.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kThreads = 256;                       // of a block
constexpr int64_t kManyThreads = int64_t{1} << 17;  // enough to keep a large GPU's memory busy

// Packs are for densities that wait for memory; others would have them as code without use, but for
// float32, where they cost little.
template <class F, class T>
constexpr bool has_path(Path path) {
  const bool is_float = DtypeOf<T>::value == Dtype::f32, memory = !F::kHeavy;
  if (path == Path::same) return is_float || (memory && !kNoise<F>);
  return path == Path::single || (is_float && memory);
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// The smallest power of two that is no less than n.
inline int power_of_two(int64_t n) {
  int p = 1;
  while (p < n) p *= 2;
  return p;
}
inline unsigned grid_size(int64_t blocks) {
  constexpr int64_t kMost = int64_t{1} << 30;  // kernels stride over the rest
  return static_cast<unsigned>(blocks < kMost ? blocks : kMost);
}

// Whether columns come in packs of `pack` that may be read whole, over the dimensions [0, ndim).
inline bool lies_in_packs(const View& v, int ndim, int pack) {
  const int size = element_size(v.dtype), alignment = pack_alignment(pack * size);
  if (v.step != 1 || reinterpret_cast<uintptr_t>(v.data) % alignment) return false;
  for (int d = 0; d < ndim; ++d)
    if (v.strides[d] * size % alignment) return false;
  return true;
}

// The best path for the operands in use. `written`: views that are written as whole packs too.
template <class F, class T>
Path path_of(const Rows& a, int same_pack, int mixed_pack, const bool (&written)[kSlots]) {
  bool same = a.cols % same_pack == 0, mixed = a.cols % mixed_pack == 0;
  const auto use = [&](int slot, bool may_splat) {
    const View& v = a.view[slot];
    if (!v.data) return;
    same = same && v.dtype == DtypeOf<T>::value && lies_in_packs(v, a.ndim, same_pack);
    mixed = mixed && v.dtype <= Dtype::u8 &&
            ((may_splat && v.step == 0) || lies_in_packs(v, a.ndim, mixed_pack));
  };
  for (int k = 0; k < F::kIn; ++k) use(kInput + k, true);
  use(kGradSample, true);
  for (int s = 0; s < kSlots; ++s)
    if (written[s]) use(s, false);
  if (kNoise<F>)  // a thread's packs are whole blocks of noise
    for (int d = 0; d < a.ndim; ++d)
      if (a.view[kNoiseIndex].strides[d] % 4) same = mixed = false;
  return same ? Path::same : mixed ? Path::mixed : Path::single;
}

// Items are (row, chunk of columns); a team of `lanes` threads has one.
struct RowShape {
  int64_t items, chunks;
  int chunk, lanes;
};

// `pack`: columns that a thread takes at once. Without values nothing depends on the chunks, which
// then are as short as it takes to have many. `whole`: a row is one chunk.
inline RowShape row_shape(const Rows& a, int pack, bool sums, bool whole = false) {
  RowShape s;
  s.chunk = static_cast<int>(whole && a.cols > kChunk ? a.cols : kChunk);
  while (!sums && s.chunk > 1024 && a.rows * ceil_div(a.cols, s.chunk) * kThreads < kManyThreads)
    s.chunk /= 2;
  s.chunks = a.cols <= s.chunk ? 1 : ceil_div(a.cols, s.chunk);
  s.items = a.rows * s.chunks;
  const int64_t packs = ceil_div(a.cols < s.chunk ? a.cols : s.chunk, pack);
  // A thread for each pack where there are few, several packs for each where there are many; eight
  // neighbouring threads at least, for the sake of whole sectors of memory.
  const int most = power_of_two(packs < kThreads ? packs : kThreads);
  int lanes = power_of_two(ceil_div(packs, 8));
  if (lanes < 8) lanes = 8;
  while (lanes < most && s.items * lanes < kManyThreads) lanes *= 2;
  s.lanes = lanes < most ? lanes : most;
  return s;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
