// Noise as a function: Philox4x32-10 (Salmon et al. 2011) with key = seed, and Box-Muller (1958).
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class W>
struct Words {
  W x[4];
};

// hi and lo halves of x * m. SIMD words live in 64-bit lanes whose upper half is ignored on input.
PYVAE_FN void multiply_wide(uint32_t x, uint32_t m, uint32_t& hi, uint32_t& lo) {
  const uint64_t p = static_cast<uint64_t>(x) * m;
  hi = static_cast<uint32_t>(p >> 32);
  lo = static_cast<uint32_t>(p);
}

// The keys of the ten rounds: the seed's halves, bumped by Weyl sequences.
template <class W>
struct Keys {
  W k[20];
  PYVAE_FN explicit Keys(uint64_t seed) {
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      k[2 * round] = W(k0), k[2 * round + 1] = W(k1);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }
};

template <class W>
PYVAE_FN Words<W> philox(W counter_lo, W counter_hi, const Keys<W>& keys) {
  W x0 = counter_lo, x1 = counter_hi, x2 = W(0u), x3 = W(0u);
  for (int round = 0; round < 10; ++round) {
    W hi0, lo0, hi1, lo1;
    multiply_wide(x0, 0xD2511F53u, hi0, lo0);
    multiply_wide(x2, 0xCD9E8D57u, hi1, lo1);
    x0 = hi1 ^ x1 ^ keys.k[2 * round];
    x1 = lo1;
    x2 = hi0 ^ x3 ^ keys.k[2 * round + 1];
    x3 = lo0;
  }
  return {{x0, x1, x2, x3}};
}

// Two normals from two words: radius from 31 bits of the first, angle from the second.
template <class T>
PYVAE_FN void box_muller(uint32_t first, uint32_t second, T& a, T& b) {
  const T u = static_cast<T>(first >> 1) * T(0x1p-31) + T(0x1p-32);
  const T radius = sqrt(T(-2) * log(u));
  T s, c;
  sincos_turn(static_cast<int32_t>(second), s, c);
  a = radius * c;
  b = radius * s;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
