// What a pass over rows is given: pointers and strides, no torch. The same for every device, and
// for the densities that other libraries bring (plugin.h): a change here is a new kInterface there.
//
// A row is the innermost run of columns of the event; `rows` counts everything outside of it. A row
// longer than kChunk is cut into chunks at fixed columns, so that sums do not depend on the number
// of threads.
#pragma once

#include <cstdint>

namespace pyvae {

constexpr int kMaxIn = 8;     // operands of a density
constexpr int kMaxDims = 12;  // dimensions left after neighbours have been merged
constexpr int64_t kChunk = 8192;
constexpr int kMaxGroup = 32;  // kept rows that one item of ReduceColumns sums, at most

enum class Dtype : int32_t { f32, f64, bf16, f16, u8, i16, i32, i64 };

// A tensor as rows of columns: strides in elements, `step` between columns. No data: not wanted.
struct View {
  void* data = nullptr;
  Dtype dtype = Dtype::f32;
  int64_t step = 0;
  int64_t strides[kMaxDims] = {};
};

enum Slot : int {
  kInput = 0,                    // kMaxIn operands
  kGradValue = kInput + kMaxIn,  // incoming gradient of the row's value
  kGradSample,                   // incoming gradient of the sample z
  kNoiseIndex,                   // position of the element in its stream of noise
  kSeed,                         // one int64 per stream
  kSample,                       // z
  kElementValue,                 // the value of each element, where each is a row of its own
  kGrad,                         // kMaxIn gradients
  kSlots = kGrad + kMaxIn
};

// What every pass walks over.
struct Rows {
  int ndim = 0;
  int64_t sizes[kMaxDims] = {};
  int64_t rows = 1, cols = 1;
  View view[kSlots];
  double scale = 1;           // multiplies every gradient
  int64_t stream_length = 0;  // elements of one stream of noise

  int64_t chunks() const { return cols <= kChunk ? 1 : (cols + kChunk - 1) / kChunk; }
};

enum class Want : int32_t { value, both, grad, count };  // both: the value and its gradients

// Each element by itself: the sample, the gradients that are no sums, and the value of each row.
// Items are (row, chunk).
struct Map : Rows {
  Want want = Want::value;
  void* value = nullptr;  // a number for each item: double if `partial`, else the compute type
  bool partial = false;
  bool whole = false;  // a row has one item, however long it is
  // Of Want::grad: rows whose incoming gradient is this number have their gradients already, and
  // are left alone. NaN: there are none.
  double ready = __builtin_nan("");
};

// Gradients of operands that are broadcast along rows: sums over the dimensions from `kept` on. The
// rows summed over are cut into `splits` fixed parts. Gradients that are no sums are written on the
// way. Items are (group of kept rows, segment of columns, split).
struct ReduceColumns : Rows {
  int kept = 0;
  int64_t splits = 1;
  int group = 1;             // kept rows that are summed side by side; changes no result
  double* sums = nullptr;    // with several splits: (sum, split, kept row, column)
  double* values = nullptr;  // where wanted, a part of the value: (row, segment)
  // If all rows have this incoming gradient, the pass has been run for it, and writes nothing but
  // `done`: whether that is so, as 1 or 0. NaN: it has not. On the host it is never given.
  double ready = __builtin_nan("");
  double* done = nullptr;  // with several splits
};

// The gradient of the operand `target`, which is broadcast along columns: its sum over each (row,
// chunk).
struct ReduceRows : Rows {
  int target = 0;
  double* sums = nullptr;
};

// Adds up what the other passes left: out[kept] = sum of partial[kept, summed], in order. The first
// `kept` dimensions are those of `out`.
struct Combine {
  int ndim = 0, kept = 0;
  int64_t sizes[kMaxDims + 2] = {};
  int64_t strides[kMaxDims + 2] = {};      // of `partial`
  int64_t out_strides[kMaxDims + 2] = {};  // of the kept dimensions
  const double* partial = nullptr;
  const double* done = nullptr;  // where given and not 0, `out` has the sums already
  void* out = nullptr;
  Dtype dtype = Dtype::f32;
};

}  // namespace pyvae
