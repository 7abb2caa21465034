// What a library of densities hands over: plain data and pointers to kernels. This is all that
// crosses between pyvae and another package's library, and all that the number kInterface promises.
#pragma once

#include <cstddef>
#include <cstdint>

#include "loops/rows.h"

namespace pyvae {

// Grows with every change of this file, of loops/rows.h, or of what their fields mean.
constexpr int32_t kInterface = 4;

// A density has one kernel for each of these, except those that it does not tell apart.
enum Variant : int32_t {
  kPlain,
  kOfData,    // with the gradient of the data
  kOfLevels,  // for data that are whole numbers
  kVariants
};

// The loops of a density, by compute type (float, double). `Where` says what part of the work, or
// on which stream.
template <class... Where>
struct Kernels {
  void (*map[2][static_cast<int>(Want::count)])(const Map&, Where...) = {};
  void (*reduce_columns[2][2])(const ReduceColumns&, Where...) = {};  // without and with values
  void (*reduce_rows[2])(const ReduceRows&, Where...) = {};
  int32_t segment[2] = {};  // columns of one item of ReduceColumns

  bool exist() const { return reduce_rows[0] != nullptr; }
};
using CpuKernels = Kernels<int64_t, int64_t>;  // items [begin, end)
using CudaKernels = Kernels<void*>;            // a cudaStream_t; throws std::runtime_error

enum Isa : int32_t { kPortable, kAvx2, kAvx512, kIsas };

// An op over operands that broadcast with each other.
struct Signature {
  const char* name;
  const char* const* operands;  // their names
  int32_t count;                // how many there are
  int32_t full;                 // the first ones, which must have the event's whole shape
  int32_t data;                 // the first ones, which are data and may be integers
};

struct DensityInfo {
  const char* name;              // by which a library finds its kernels
  Signature op;                  // what users see, who may know it by other names
  int32_t sampled;               // the first operands, of which a sample is made; 0: no noise
  int32_t sums;                  // whether there is a value for each row
  int32_t heavy;                 // takes longer to compute than to read and write
  const CpuKernels* cpu[kIsas];  // kVariants for each instruction set; null: not built
  const CudaKernels* cuda;       // likewise
};

struct DensityLibrary {
  int32_t interface;
  int32_t count;
  uint64_t sizes;  // of the structs above and of the passes, as a check of the number
  const DensityInfo* densities;
};

constexpr uint64_t kInterfaceSizes = sizeof(Map) + (sizeof(ReduceColumns) << 16) +
                                     (uint64_t{sizeof(DensityInfo)} << 32) +
                                     (uint64_t{sizeof(CpuKernels)} << 48);

}  // namespace pyvae

// The one function that such a library exports.
extern "C" {
using pyvae_densities_fn = const pyvae::DensityLibrary*();
}
