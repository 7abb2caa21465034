// What a loop is given: pointers and strides, no torch. The same for every device.
//
// A row is the innermost run of the event; `rows` counts everything outside it. A row longer than
// kChunk is split at fixed columns, so that results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace pyvae {

constexpr int kMaxIn = 4;     // operands of a density
constexpr int kMaxDims = 12;  // dimensions left after neighbours have been merged
constexpr int64_t kChunk = 8192;

enum class Dtype : int32_t { f32, f64, bf16, f16, u8 };

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
  kGradSample,                   // incoming gradient of z
  kNoiseIndex,                   // position of the element in its stream of noise
  kSeed,                         // one int64 per stream
  kSample,                       // z
  kGrad,                         // kMaxIn gradients
  kSlots = kGrad + kMaxIn
};

struct Rows {
  int ndim = 0;
  int64_t sizes[kMaxDims] = {};
  int64_t rows = 1, cols = 1;
  View view[kSlots];
  void* value = nullptr;  // one number per (row, chunk): double if `partial`, else the compute type
  bool partial = false;
  double scale = 1;           // multiplies every gradient
  int64_t stream_length = 0;  // elements of one stream of noise

  // Sums over dimensions (the gradient of a broadcast operand): dimensions from `kept` on are
  // summed over, in `splits` fixed parts. `target`: the operand whose gradient row_sums sums.
  int target = 0;
  int kept = 0;
  int64_t splits = 1;
  int group = 1;  // kept rows that are summed side by side
  double* row_value =
      nullptr;  // of Mode::columns_value: a part of the value for each (row, segment)

  int64_t chunks() const { return cols <= kChunk ? 1 : (cols + kChunk - 1) / kChunk; }
};

enum class Mode : int { value, value_grad, grad, columns, columns_value, row_sums, count };

using RowsFn = void (*)(const Rows&, int64_t begin, int64_t end);

// A loop of another kind: its arguments are a plain struct that its header declares, its items are
// independent of each other.
using TaskFn = void (*)(const void* arguments, int64_t begin, int64_t end);

}  // namespace pyvae
