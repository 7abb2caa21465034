// Tiles of pairs on the CPU: owners in the lanes of vectors, others walked with their numbers
// broadcast, so that nothing is summed across lanes. Distances flow between them one way, pulls the
// other.
#pragma once

#include "convert.h"
#include "pairs.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
constexpr int kSpan = 1024 / sizeof(T);  // columns of a tile, at most
constexpr int kBlock = kOwners;          // others of a tile, at most
// From one of the others to the next: not a power of two, which would crowd into few cache sets.
template <class T>
constexpr int kStride = kSpan<T> + Vec<T>::kLanes;
// Others whose distances are kept at a time. Where the columns are more than a tile's, tiles are
// read again for each span of them: less often, the more others are gone through in between.
constexpr int kMany = 8 * kBlock;
template <class T>
PYVAE_FN int others_at_a_time(int64_t columns) {
  return columns > kSpan<T> ? kMany : kBlock;
}

// A column of a matrix as one run.
PYVAE_FN View down(const View& v) {
  View column = v;
  column.step = v.strides[0];
  return column;
}
PYVAE_FN int64_t place(const View& v, int64_t row, int64_t column) {
  return row * v.strides[0] + column * v.step;
}

// Rows [first, first + count) and columns [column, column + width) of kFields matrices.
template <class T, int kFields>
struct Owners {
  alignas(64) T at[kFields][kSpan<T> * kOwners];  // by column, then owner
  const View* source = nullptr;
  int64_t first = 0, column = 0;
  int count = 0, width = 0;

  int vectors() const { return (count + Vec<T>::kLanes - 1) / Vec<T>::kLanes; }

  // Whether anything had to be read: with few columns a tile is read once.
  bool load(const View* const (&field)[kFields], int64_t row, int rows, int64_t from, int columns) {
    if (field[0] == source && row == first && from == column) return false;
    source = field[0], first = row, count = rows, column = from, width = columns;
    T run[kOwners * kStride<T>];
    for (int f = 0; f < kFields; ++f) {
      for (int i = 0; i < rows; ++i)
        fetch_by_tile(*field[f], place(*field[f], row + i, from), run + i * kStride<T>, columns);
      for (int j = 0; j < columns; ++j) {
        T* to = at[f] + j * kOwners;
        for (int i = 0; i < rows; ++i) to[i] = run[i * kStride<T> + j];
        for (int i = rows; i < kOwners; ++i) to[i] = 0;
      }
    }
    return true;
  }
};

template <class T, int kFields>
struct Others {
  alignas(64) T at[kFields][kBlock * kStride<T>];  // by row, then column
  const View* source = nullptr;
  int64_t first = 0, column = 0;
  int count = 0, width = 0;

  bool load(const View* const (&field)[kFields], int64_t row, int rows, int64_t from, int columns) {
    if (field[0] == source && row == first && from == column) return false;
    source = field[0], first = row, count = rows, column = from, width = columns;
    for (int f = 0; f < kFields; ++f)
      for (int c = 0; c < rows; ++c)
        fetch_by_tile(*field[f], place(*field[f], row + c, from), at[f] + c * kStride<T>, columns);
    return true;
  }
};

// sums[owner] += pairs[other][owner] over `count` others, in double from block to block.
template <class T>
void add_others(const T* pairs, int count, double* sums) {
  for (int b = 0; b < count; b += kBlock) {
    T block[kOwners] = {};
    for (int c = b; c < count && c < b + kBlock; ++c)
      for (int k = 0; k < kOwners; ++k) block[k] += pairs[c * kOwners + k];
    for (int k = 0; k < kOwners; ++k) sums[k] += static_cast<double>(block[k]);
  }
}

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

// out[other][owner] of `count` others, over all columns. load(b, column): puts into the tiles the
// others from b on, and the columns from `column` on.
template <class Pair, class T, class Load>
PYVAE_FN void all_distances(const Owners<T, Pair::kOwner>& a, const Others<T, Pair::kOther>& b,
                            int64_t columns, int count, const Load& load, T* out) {
  int64_t column = 0;
  do {
    for (int c = 0; c < count; c += kBlock) {
      load(c, column);
      distances<Pair>(a, b, column > 0, out + c * kOwners);
    }
    column += kSpan<T>;
  } while (column < columns);
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
