// What goes from lane to lane of SIMD vectors: sums, maxima, groups.
#pragma once

#include <utility>

#include "vector.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PYVAE_SHUFFLE 1
#endif
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

// The upper half onto the lower one, until one lane is left.
#if defined(PYVAE_SHUFFLE)
template <class R, size_t... i>
PYVAE_FN auto fold(R v, std::index_sequence<i...>) {
  return __builtin_shufflevector(v, v, i...) + __builtin_shufflevector(v, v, (i + sizeof...(i))...);
}
template <size_t kLanes, class R>
PYVAE_FN auto sum_raw(R v) {
  if constexpr (kLanes == 2)
    return v[0] + v[1];
  else
    return sum_raw<kLanes / 2>(fold(v, std::make_index_sequence<kLanes / 2>()));
}
template <class T>
PYVAE_FN T sum_lanes(Vec<T> x) {
  return sum_raw<Vec<T>::kLanes>(x.v);
}
template <class R, size_t... i>
PYVAE_FN auto fold_max(R v, std::index_sequence<i...>) {
  const auto a = __builtin_shufflevector(v, v, i...);
  const auto b = __builtin_shufflevector(v, v, (i + sizeof...(i))...);
  return a > b ? a : b;
}
template <size_t kLanes, class R>
PYVAE_FN auto max_raw(R v) {
  if constexpr (kLanes == 2)
    return v[0] > v[1] ? v[0] : v[1];
  else
    return max_raw<kLanes / 2>(fold_max(v, std::make_index_sequence<kLanes / 2>()));
}
template <class T>
PYVAE_FN T max_lanes(Vec<T> x) {
  return max_raw<Vec<T>::kLanes>(x.v);
}
#else
template <class T>
PYVAE_FN T sum_lanes(Vec<T> x) {
  for (int w = Vec<T>::kLanes / 2; w; w /= 2)
    for (int i = 0; i < w; ++i) x.v[i] += x.v[i + w];
  return x.v[0];
}
template <class T>
PYVAE_FN T max_lanes(Vec<T> x) {
  for (int w = Vec<T>::kLanes / 2; w; w /= 2)
    for (int i = 0; i < w; ++i) x.v[i] = x.v[i + w] > x.v[i] ? x.v[i + w] : x.v[i];
  return x.v[0];
}
#endif

template <class T>
PYVAE_FN T sum_of(const T* p, int64_t n) {
  using V = Vec<T>;
  V sum(0);
  int64_t j = 0;
  for (; j + V::kLanes <= n; j += V::kLanes) sum = sum + V::load(p + j);
  if (j < n) sum = sum + V::load(p + j, static_cast<int>(n - j));
  return sum_lanes(sum);
}

// a0 b0 c0 d0 a1 b1 c1 d1 ...: four vectors as one row of groups.
#if defined(PYVAE_SHUFFLE) && PYVAE_VECTOR_BYTES == 32
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  const auto low = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  };
  const auto high = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  };
  using D = Raw<double>::type;  // pairs
  const D ab0 = (D)low(v[0].v, v[1].v), ab1 = (D)high(v[0].v, v[1].v);
  const D cd0 = (D)low(v[2].v, v[3].v), cd1 = (D)high(v[2].v, v[3].v);
  const D g0 = __builtin_shufflevector(ab0, cd0, 0, 4, 2, 6);  // groups 0 and 4
  const D g1 = __builtin_shufflevector(ab0, cd0, 1, 5, 3, 7);  // groups 1 and 5
  const D g2 = __builtin_shufflevector(ab1, cd1, 0, 4, 2, 6);
  const D g3 = __builtin_shufflevector(ab1, cd1, 1, 5, 3, 7);
  const D o[4] = {
      __builtin_shufflevector(g0, g1, 0, 1, 4, 5), __builtin_shufflevector(g2, g3, 0, 1, 4, 5),
      __builtin_shufflevector(g0, g1, 2, 3, 6, 7), __builtin_shufflevector(g2, g3, 2, 3, 6, 7)};
  for (int k = 0; k < 4; ++k) memcpy(out + 8 * k, &o[k], sizeof(D));
}
#elif defined(PYVAE_SHUFFLE) && PYVAE_VECTOR_BYTES == 64
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  const auto low = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  };
  const auto high = [](auto a, auto b) {
    return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15,
                                   31);
  };
  using D = Raw<double>::type;  // pairs
  const auto even = [](D a, D b) {
    return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  };
  const auto odd = [](D a, D b) {
    return __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  };
  const D ab0 = (D)low(v[0].v, v[1].v), ab1 = (D)high(v[0].v, v[1].v);
  const D cd0 = (D)low(v[2].v, v[3].v), cd1 = (D)high(v[2].v, v[3].v);
  const D g[4] = {even(ab0, cd0), odd(ab0, cd0), even(ab1, cd1), odd(ab1, cd1)};  // k, k + 4, ...
  const auto halves = [](D a, D b) {
    return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13);
  };
  const auto others = [](D a, D b) {
    return __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
  };
  const D p01 = halves(g[0], g[1]), p23 = halves(g[2], g[3]);  // groups 0 8 1 9, 2 10 3 11
  const D q01 = others(g[0], g[1]), q23 = others(g[2], g[3]);  // groups 4 12 5 13, 6 14 7 15
  const D o[4] = {halves(p01, p23), halves(q01, q23), others(p01, p23), others(q01, q23)};
  for (int k = 0; k < 4; ++k) memcpy(out + 16 * k, &o[k], sizeof(D));
}
#else
PYVAE_FN void store_interleaved(const F32 (&v)[4], float* out) {
  constexpr int W = F32::kLanes;
  float t[4][W];
  for (int k = 0; k < 4; ++k) v[k].store(t[k]);
  for (int i = 0; i < W; ++i)
    for (int k = 0; k < 4; ++k) out[4 * i + k] = t[k][i];
}
#endif

}  // namespace PYVAE_ISA
}  // namespace pyvae
