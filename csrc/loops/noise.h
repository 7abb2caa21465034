// A stream of normals on the CPU: eps[4c .. 4c+3] from counter c, many counters at a time.
#pragma once

#include "../math/philox.h"
#include "simd.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// Lanes 0 .. W-1 of a 32-bit vector come from the 64-bit lanes of two others: even counters in the
// lower halves, odd ones in the upper.
PYVAE_FN I32 pack_words(U64 even, U64 odd) {
  const U64 both((even.v & 0xffffffffull) | (odd.v << 32));
  return (I32::R)both.v;
}

PYVAE_FN void box_muller(I32 first, I32 second, F32& a, F32& b) {
  const I32 half((I32::R)((Raw<uint32_t>::type)first.v >> 1));
  const F32 u = F32(__builtin_convertvector(half.v, F32::R)) * F32(0x1p-31f) + F32(0x1p-32f);
  const F32 radius = sqrt(F32(-2.f) * log_positive(u));
  F32 s, c;
  sincos_turn(second, s, c);
  a = radius * c;
  b = radius * s;
}

// The normals of `count` counters from `first` on; count a multiple of I32::kLanes. Words of a
// block first, normals after: both are long chains of dependent instructions, and in loops of their
// own the processor works on several iterations at once.
inline void fill_normals(const Keys<U64>& keys, uint64_t first, int64_t count, float* out) {
  constexpr int W = I32::kLanes, kBlock = 16;
  const U64 lane(lane_index<uint64_t>());
  I32 words[kBlock][4];
  for (int64_t done = 0; done < count; done += kBlock * W) {
    const int64_t left = (count - done) / W;
    const int n = static_cast<int>(left < kBlock ? left : kBlock);
    const uint64_t start = first + static_cast<uint64_t>(done);
    for (int i = 0; i < n; ++i) {
      const U64 even(lane.v + lane.v + (start + static_cast<uint64_t>(i * W))), odd(even.v + 1);
      const Words<U64> e = philox(even, U64(even.v >> 32), keys);
      const Words<U64> o = philox(odd, U64(odd.v >> 32), keys);
      for (int k = 0; k < 4; ++k) words[i][k] = pack_words(e.x[k], o.x[k]);
    }
    for (int i = 0; i < n; ++i, out += 4 * W) {
      F32 v[4];
      box_muller(words[i][0], words[i][1], v[0], v[1]);
      box_muller(words[i][2], words[i][3], v[2], v[3]);
      store_interleaved(v, out);
    }
  }
}
inline void fill_normals(const Keys<uint32_t>& keys, uint64_t first, int64_t count, double* out) {
  for (int64_t c = 0; c < count; ++c, out += 4) {
    const uint64_t k = first + static_cast<uint64_t>(c);
    const Words<uint32_t> w =
        philox(static_cast<uint32_t>(k), static_cast<uint32_t>(k >> 32), keys);
    box_muller(w.x[0], w.x[1], out[0], out[1]);
    box_muller(w.x[2], w.x[3], out[2], out[3]);
  }
}

template <class T>
struct NoiseKeys {
  using type = Keys<U64>;
};
template <>
struct NoiseKeys<double> {
  using type = Keys<uint32_t>;
};

// A window on the stream. A refill makes what its reader will ask for next as well.
template <class T>
class NoiseWindow {
  static constexpr int kGroup = 4 * I32::kLanes;
  T buffer_[64 * Vec<T>::kLanes + 2 * kGroup];
  int64_t lo_ = 0, hi_ = 0;
  uint64_t seed_ = 0;
  typename NoiseKeys<T>::type keys_{0};

 public:
  static constexpr int kBlock = 64 * Vec<T>::kLanes;

  // n <= kBlock normals from `index` on, of a stream of `length`; `run`: how many will be read in a
  // row from there.
  const T* at(uint64_t seed, int64_t index, int n, int64_t length, int64_t run) {
    if (seed != seed_ || index < lo_ || index + n > hi_) {
      if (seed != seed_) keys_ = typename NoiseKeys<T>::type(seed);
      const int64_t start = index & ~int64_t(3);
      int64_t want = run < n ? n : run < kBlock ? run : kBlock;
      if (want > length - index) want = length - index;
      if (want < n) want = n;
      const int64_t made = (index - start + want + kGroup - 1) / kGroup * kGroup;
      fill_normals(keys_, static_cast<uint64_t>(start) / 4, made / 4, buffer_);
      seed_ = seed, lo_ = start, hi_ = start + made;
    }
    return buffer_ + (index - lo_);
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
