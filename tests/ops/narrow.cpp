// Every number of 8 and 16 bits into a vector, and numbers around every place of 16 bits out of
// one: as one at a time.
#include <cmath>
#include <cstdio>

#include "loops/convert.h"

using namespace pyvae;

namespace {

constexpr int W = F32::kLanes;

template <class S>
bool widens(uint32_t first) {
  S given[W];
  float wide[W];
  for (int i = 0; i < W; ++i) {
    const auto bits = static_cast<uint16_t>(first + i);
    memcpy(&given[i], &bits, sizeof(S));
  }
  bool right = true;
  for (int n = 1; n <= W; ++n) {
    widen_vector(given, n).store(wide);
    for (int i = 0; i < n; ++i) {
      const float x = widen(given[i]);
      right &= std::isnan(x) ? std::isnan(wide[i]) : bits_of(x) == bits_of(wide[i]);
    }
  }
  return right;
}

template <class D>
bool narrows(const float (&x)[W]) {
  constexpr uint16_t kUntouched = 0xbeef;
  bool right = true;
  for (int n = 1; n <= W; ++n) {
    D narrow[W + 1];
    for (D& d : narrow) d.bits = kUntouched;
    narrow_vector(F32::load(x), narrow, n);
    for (int i = 0; i < n; ++i) {
      const bool same = narrow[i].bits == Narrow<D>::from(x[i]).bits;
      right &= std::isnan(x[i]) ? std::isnan(widen(narrow[i])) : same;
    }
    right &= narrow[n].bits == kUntouched;
  }
  return right;
}

// Two vectors of bfloats that lie between each other, of numbers and of NaNs as arithmetic on
// bfloats has them. Subnormal numbers become 0 where the processor rounds by itself.
bool flushes() {
#if PYVAE_VECTOR_BYTES == 64 && defined(__AVX512BW__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}
bool two(const float (&x)[W]) {
  Bfloat given[2 * W], narrow[2 * W];
  float made[2][W];
  for (int i = 0; i < 2 * W; ++i) given[i].bits = static_cast<uint16_t>(bits_of(x[i % W]) >> 16);
  F32 even, odd;
  widen_two(given, even, odd);
  even.store(made[0]), odd.store(made[1]);
  bool right = true;
  for (int i = 0; i < 2 * W; ++i) right &= bits_of(made[i % 2][i / 2]) == bits_of(widen(given[i]));
  for (int i = 0; i < W; ++i) {
    made[0][i] = bits_of(x[i]) & 0xffff ? canonical_nan(x[i]) : x[i];
    made[1][W - 1 - i] = made[0][i];
  }
  narrow_two(F32::load(made[0]), F32::load(made[1]), narrow);
  for (int i = 0; i < 2 * W; ++i) {
    const float from = made[i % 2][i / 2];
    const bool same = narrow[i].bits == Narrow<Bfloat>::from(from).bits;
    const bool flushed = flushes() && std::fabs(from) < 0x1p-126f && widen(narrow[i]) == 0;
    right &= std::isnan(from) ? std::isnan(widen(narrow[i])) : same || flushed;
  }
  return right;
}

}  // namespace

int main() {
  for (uint32_t first = 0; first < 0x10000; first += W) {
    bool right = widens<Bfloat>(first) && widens<Half>(first) && widens<uint8_t>(first);
    // Ties of bfloat16 and of float16, and what is beside them.
    for (const uint32_t low :
         {0x0000, 0x0001, 0x0fff, 0x1000, 0x1001, 0x3000, 0x7fff, 0x8000, 0x8001, 0xffff}) {
      float x[W];
      for (int i = 0; i < W; ++i) {
        x[i] = float_of((first + i) << 16 | low);
        if (std::isnan(x[i])) x[i] = float_of(bits_of(x[i]) | 0x00400000);  // as arithmetic has it
      }
      right = right && narrows<Bfloat>(x) && narrows<Half>(x) && two(x);
    }
    if (!right) return std::printf("not so from %x on\n", first), 1;
  }
  std::printf("as one at a time\n");
}
