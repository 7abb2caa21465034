// What flows between tiles of pairs: distances one way, pulls the other.
#pragma once

#include "pairs_tiles.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// The distances of kTogether others from kVectors vectors of owners, over the columns of the tiles.
template <class Pair, class T, int kVectors, int kTogether>
PYVAE_FN void distance_cell(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b,
                            int lane, int c, bool add, T* out) {
  using V = Vec<T>;
  V sum[kTogether][kVectors];
  for (int k = 0; k < kTogether; ++k)
    for (int v = 0; v < kVectors; ++v) sum[k][v] = V(0);
  for (int j = 0; j < a.width; ++j) {
    V own[kVectors][Pair::kOwner];
    for (int v = 0; v < kVectors; ++v)
      for (int f = 0; f < Pair::kOwner; ++f)
        own[v][f] = V::load(a.at[f] + j * kOwners + lane + v * V::kLanes);
#pragma GCC unroll 8
    for (int k = 0; k < kTogether; ++k) {
      V other[Pair::kOther];
      for (int f = 0; f < Pair::kOther; ++f) other[f] = V(b.at[f][(c + k) * kStride<T> + j]);
      for (int v = 0; v < kVectors; ++v) sum[k][v] = Pair::distance(own[v], other, sum[k][v]);
    }
  }
  for (int k = 0; k < kTogether; ++k)
    for (int v = 0; v < kVectors; ++v) {
      T* p = out + (c + k) * kOwners + lane + v * V::kLanes;
      (add ? V::load(p) + sum[k][v] : sum[k][v]).store(p);
    }
}
template <class Pair, class T, int kVectors>
PYVAE_FN void distance_rows(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b,
                            int lane, bool add, T* out) {
  int c = 0;
  for (; c + 4 <= b.count; c += 4) distance_cell<Pair, T, kVectors, 4>(a, b, lane, c, add, out);
  for (; c < b.count; ++c) distance_cell<Pair, T, kVectors, 1>(a, b, lane, c, add, out);
}
// out[other][owner], or added to it.
template <class Pair, class T>
void distances(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b, bool add,
               T* out) {
  constexpr int W = Vec<T>::kLanes;
  const int vectors = a.vectors();
  int v = 0;
  for (; v + 2 <= vectors; v += 2) distance_rows<Pair, T, 2>(a, b, v * W, add, out);
  if (v < vectors) distance_rows<Pair, T, 1>(a, b, v * W, add, out);
}

// One sum for each gradient, column and owner.
template <class T, int kGrads>
struct Pulls {
  alignas(64) T at[kGrads][kSpan<T> * kOwners];
  void clear(int columns) {
    for (int g = 0; g < kGrads; ++g) memset(at[g], 0, columns * kOwners * sizeof(T));
  }
};

// kColumns columns: what a tile of others pulls, by weights[other][owner]. What was there before is
// multiplied by keep[owner] first, where that is given.
template <class Pair, class T, int kVectors, int kColumns>
PYVAE_FN void pull_cell(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b,
                        const T* weights, const T* keep, int lane, int j,
                        Pulls<T, Pair::kGrads>& out) {
  using V = Vec<T>;
  V own[kColumns][kVectors][Pair::kOwner], sum[kColumns][kVectors][Pair::kGrads];
  for (int k = 0; k < kColumns; ++k)
    for (int v = 0; v < kVectors; ++v) {
      for (int f = 0; f < Pair::kOwner; ++f)
        own[k][v][f] = V::load(a.at[f] + (j + k) * kOwners + lane + v * V::kLanes);
      for (int g = 0; g < Pair::kGrads; ++g) sum[k][v][g] = V(0);
    }
  for (int c = 0; c < b.count; ++c) {
    V weight[kVectors];
    for (int v = 0; v < kVectors; ++v)
      weight[v] = V::load(weights + c * kOwners + lane + v * V::kLanes);
#pragma GCC unroll 8
    for (int k = 0; k < kColumns; ++k) {
      V other[Pair::kOther];
      for (int f = 0; f < Pair::kOther; ++f) other[f] = V(b.at[f][c * kStride<T> + j + k]);
      for (int v = 0; v < kVectors; ++v) Pair::pull(own[k][v], other, weight[v], sum[k][v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const V factor = keep ? V::load(keep + lane + v * V::kLanes) : V(1);
    for (int k = 0; k < kColumns; ++k)
      for (int g = 0; g < Pair::kGrads; ++g) {
        T* p = out.at[g] + (j + k) * kOwners + lane + v * V::kLanes;
        (V::load(p) * factor + sum[k][v][g]).store(p);
      }
  }
}
template <class Pair, class T, int kVectors>
PYVAE_FN void pull_columns(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b,
                           const T* weights, const T* keep, int lane, Pulls<T, Pair::kGrads>& out) {
  constexpr int kColumns = 4 / Pair::kGrads;  // as many sums as hide the latency of one
  int j = 0;
  for (; j + kColumns <= a.width; j += kColumns)
    pull_cell<Pair, T, kVectors, kColumns>(a, b, weights, keep, lane, j, out);
  for (; j < a.width; ++j) pull_cell<Pair, T, kVectors, 1>(a, b, weights, keep, lane, j, out);
}
template <class Pair, class T>
void pull(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b, const T* weights,
          Pulls<T, Pair::kGrads>& out, const T* keep = nullptr) {
  constexpr int W = Vec<T>::kLanes;
  const int vectors = a.vectors();
  int v = 0;
  for (; v + 2 <= vectors; v += 2) pull_columns<Pair, T, 2>(a, b, weights, keep, v * W, out);
  if (v < vectors) pull_columns<Pair, T, 1>(a, b, weights, keep, v * W, out);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
