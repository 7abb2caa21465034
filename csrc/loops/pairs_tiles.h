// Tiles of pairs on the CPU: owners in the lanes of vectors, others walked with their numbers
// broadcast, so that nothing is summed across lanes.
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

template <class T>
constexpr T kLargest = sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__);

PYVAE_FN int up_to(int64_t n, int most) { return static_cast<int>(n < most ? n : most); }

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

}  // namespace PYVAE_ISA
}  // namespace pyvae
