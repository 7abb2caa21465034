// What a density is written in: the arithmetic, the cell it works on, and what it may say of
// itself.
//
//   struct MyLogProb : Density {
//     static constexpr const char* kName = "my_log_prob";
//     static constexpr int kIn = 2;
//     static constexpr const char* kOperands[kIn] = {"x", "mean"};
//     static constexpr int kFull = 2, kData = 1;
//
//     template <class V>
//     PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
//       c.grad[0] = ...;     // the derivative of the value in each operand
//       return {value, V(1)};
//     }
//   };
//   PYVAE_DENSITY(MyLogProb)
//
// `step` is one element, or a vector of them: V is float, double, or a SIMD vector of either, so
// that a branch is a `select`. The headers units/*.h make kernels and a record of it.
#pragma once

#include "math/numeric.h"
#include "math/precision.h"
#include "math/special.h"

#if !defined(PYVAE_DENSITY)
#define PYVAE_DENSITY(name)  // read for its formulas alone
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

// What a density is, unless it says otherwise.
struct Density {
  static constexpr int kFull = 1;     // the first operands, which must have the event's whole shape
  static constexpr int kData = 0;     // the first operands, which are data and may be integers
  static constexpr int kSampled = 0;  // the first operands, of which a sample z is made, with noise
  static constexpr bool kSum = true;  // has a value to sum over the row
  static constexpr bool kFactor = false;  // uses Term::factor
  static constexpr bool kHeavy = false;   // takes longer to compute than to read and write
  using OfData = None;    // the same density with the derivative in the data, where that costs more
  using OfLevels = None;  // the same density of data that are whole numbers, not places
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
