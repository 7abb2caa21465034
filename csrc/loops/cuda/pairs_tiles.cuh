// A tile of pairs in a block: 64 owners and 32 others, 4 x 4 pairs for each thread. Distances go
// from the tiles of columns to the tile of pairs, pulls from the tile of pairs to sums in
// registers.
#pragma once

#include "stage.cuh"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
constexpr int kPairSpan = 256 / sizeof(T);  // columns of a tile
constexpr int kOwnerStride = kColumnStride<kTeamOwners>, kOtherStride = kColumnStride<kTeamOthers>;
// 16 owners of two neighbouring others are in 32 banks.
constexpr int kPairStride = kTeamOwners + 16;

constexpr int kSlices = 4;  // of a sum over columns

template <class Pair, class T>
struct alignas(16) PairTiles {
  T own[Pair::kOwner][kPairSpan<T> * kOwnerStride];  // by column, then owner
  T other[Pair::kOther][kPairSpan<T> * kOtherStride];
  T pairs[kTeamOthers * kPairStride];  // by other, then owner
  T of_owner[kTeamOwners];
  T of_other[2][kTeamOthers];
  T sums[kSlices * kTeamOwners];
};

template <class T>
__device__ __forceinline__ void four(const T* p, T (&x)[4]) {
  using Words = typename Quarter<T>::Words;
  Words words[4 * sizeof(T) / 16];
#pragma unroll
  for (int i = 0; i < static_cast<int>(4 * sizeof(T) / 16); ++i)
    words[i] = reinterpret_cast<const Words*>(p)[i];
  memcpy(x, words, sizeof(x));
}
template <class T>
__device__ __forceinline__ void put_four(T* p, const T (&x)[4]) {
  using Words = typename Quarter<T>::Words;
  Words words[4 * sizeof(T) / 16];
  memcpy(words, x, sizeof(x));
#pragma unroll
  for (int i = 0; i < static_cast<int>(4 * sizeof(T) / 16); ++i)
    reinterpret_cast<Words*>(p)[i] = words[i];
}

// Blocks that a multiprocessor should hold: as many as their registers allow without spilling.
template <class T, int kOfFloat>
constexpr int kTeamBlocks = sizeof(T) == 4 ? kOfFloat : 2;

// The others of one part: whole tiles.
struct PartOfOthers {
  int64_t begin, end;
  __device__ __forceinline__ PartOfOthers(int64_t others, int64_t part, int64_t parts) {
    const int64_t each = tiles_of(tiles_of(others, kTeamOthers), parts) * kTeamOthers;
    begin = part * each;
    end = begin + each < others ? begin + each : others;
  }
};

// The four owners of a thread and, of distances, its four others; of pulls, the first of the
// columns that are 8 apart. Eight lanes of a warp read 32 owners in a row.
struct PairThread {
  int owner, group;
  __device__ __forceinline__ PairThread() {
    const int lane = threadIdx.x % cuda::kWarp, warp = threadIdx.x / cuda::kWarp;
    owner = (warp % 2 * 8 + lane % 8) * 4;
    group = warp / 2 * 4 + lane / 8;
  }
};
constexpr int kGroups = 8;

// One owner and every second of the others. Whoever shares it is 16 lanes away.
struct OwnerThread {
  int owner, half;
  __device__ __forceinline__ OwnerThread() {
    owner = threadIdx.x / cuda::kWarp * 16 + threadIdx.x % 16;
    half = threadIdx.x % cuda::kWarp / 16;
  }
};
constexpr int kHalf = kTeamOthers / 2;

template <class Pair, class T>
__device__ __forceinline__ void add_distances(const PairTiles<Pair, T>& s, const PairThread& at,
                                              int width, T (&sum)[4][4]) {
#pragma unroll 2
  for (int j = 0; j < width; ++j) {
    T own[Pair::kOwner][4], other[Pair::kOther][4];
#pragma unroll
    for (int f = 0; f < Pair::kOwner; ++f) four(s.own[f] + j * kOwnerStride + at.owner, own[f]);
#pragma unroll
    for (int f = 0; f < Pair::kOther; ++f)
      four(s.other[f] + j * kOtherStride + 4 * at.group, other[f]);
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      T b[Pair::kOther];
#pragma unroll
      for (int f = 0; f < Pair::kOther; ++f) b[f] = other[f][c];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        T a[Pair::kOwner];
#pragma unroll
        for (int f = 0; f < Pair::kOwner; ++f) a[f] = own[f][i];
        sum[c][i] = Pair::distance(a, b, sum[c][i]);
      }
    }
  }
}
// f(column, width) of all spans of columns, in order: both sides of a pair then have the same
// distance, bit by bit.
template <class T, class F>
__device__ __forceinline__ void each_span(int64_t columns, const F& f) {
  int64_t column = 0;
  do {
    f(column, up_to(columns - column, kPairSpan<T>));
    column += kPairSpan<T>;
  } while (column < columns);
}
// Whether the span from `column` on is the one that is then in the tiles.
template <class T>
PYVAE_FN bool is_last_span(int64_t columns, int64_t column) {
  return column + kPairSpan<T> >= columns;
}
template <class Pair, class T>
__device__ __forceinline__ void put_pairs(PairTiles<Pair, T>& s, const PairThread& at,
                                          const T (&x)[4][4]) {
#pragma unroll
  for (int c = 0; c < 4; ++c) put_four(s.pairs + (4 * at.group + c) * kPairStride + at.owner, x[c]);
}

// What the others pull: columns group + 8 k, four owners.
template <class Pair, class T>
struct TeamPulls {
  static constexpr int kColumns = kPairSpan<T> / kGroups;
  T sum[Pair::kGrads][kColumns][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int g = 0; g < Pair::kGrads; ++g)
#pragma unroll
      for (int k = 0; k < kColumns; ++k)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[g][k][i] = 0;
  }
  // What was there before shrinks by a factor of each owner.
  __device__ __forceinline__ void shrink(const T* factors, const PairThread& at) {
    T factor[4];
    four(factors + at.owner, factor);
#pragma unroll
    for (int g = 0; g < Pair::kGrads; ++g)
#pragma unroll
      for (int k = 0; k < kColumns; ++k)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[g][k][i] *= factor[i];
  }
  __device__ __forceinline__ void add(const PairTiles<Pair, T>& s, const PairThread& at,
                                      int width) {
#pragma unroll 1
    for (int c = 0; c < kTeamOthers; c += 4) {
      T weight[4][4];
#pragma unroll
      for (int o = 0; o < 4; ++o) four(s.pairs + (c + o) * kPairStride + at.owner, weight[o]);
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        const int j = at.group + kGroups * k;
        if (j < width) {
          T own[Pair::kOwner][4], other[Pair::kOther][4];
#pragma unroll
          for (int f = 0; f < Pair::kOwner; ++f)
            four(s.own[f] + j * kOwnerStride + at.owner, own[f]);
#pragma unroll
          for (int f = 0; f < Pair::kOther; ++f) four(s.other[f] + j * kOtherStride + c, other[f]);
#pragma unroll
          for (int o = 0; o < 4; ++o) {
            T b[Pair::kOther];
#pragma unroll
            for (int f = 0; f < Pair::kOther; ++f) b[f] = other[f][o];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              T a[Pair::kOwner], total[Pair::kGrads];
#pragma unroll
              for (int f = 0; f < Pair::kOwner; ++f) a[f] = own[f][i];
#pragma unroll
              for (int g = 0; g < Pair::kGrads; ++g) total[g] = sum[g][k][i];
              Pair::pull(a, b, weight[o][i], total);
#pragma unroll
              for (int g = 0; g < Pair::kGrads; ++g) sum[g][k][i] = total[g];
            }
          }
        }
      }
    }
  }
  // out(owner, column, sums) of those that are there.
  template <class F>
  __device__ __forceinline__ void each(const PairThread& at, int owners, int width,
                                       const F& out) const {
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      const int j = at.group + kGroups * k;
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (j < width && at.owner + i < owners) {
          T total[Pair::kGrads];
#pragma unroll
          for (int g = 0; g < Pair::kGrads; ++g) total[g] = sum[g][k][i];
          out(at.owner + i, j, total);
        }
    }
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
