#include "combine.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>

namespace pyvae::cpu {
namespace {

// Moves through the dimensions [from, to), outermost first.
class Odometer {
 public:
  Odometer(const Combine& pass, int from, int to) : pass_(pass), from_(from), to_(to) {}
  // To the next place; false after the last.
  bool next(int64_t& partial, int64_t& out) {
    for (int d = to_ - 1; d >= from_; --d) {
      const bool carry = ++index_[d] == pass_.sizes[d];
      const int64_t by = carry ? 1 - pass_.sizes[d] : 1;
      partial += by * pass_.strides[d], out += by * pass_.out_strides[d];
      if (!carry) return true;
      index_[d] = 0;
    }
    return false;
  }

 private:
  const Combine& pass_;
  int from_, to_;
  int64_t index_[kMaxDims + 2] = {};
};

template <class T>
void store(void* out, int64_t offset, int64_t stride, const double* sums, int64_t n) {
  T* to = static_cast<T*>(out) + offset;
  for (int64_t i = 0; i < n; ++i) to[i * stride] = static_cast<T>(sums[i]);
}
void store(const Combine& pass, int64_t offset, int64_t stride, const double* sums, int64_t n) {
  switch (pass.dtype) {
    case Dtype::f64:
      return store<double>(pass.out, offset, stride, sums, n);
    case Dtype::bf16:
      return store<c10::BFloat16>(pass.out, offset, stride, sums, n);
    case Dtype::f16:
      return store<c10::Half>(pass.out, offset, stride, sums, n);
    default:
      return store<float>(pass.out, offset, stride, sums, n);
  }
}

// Results next to each other are summed side by side. Each adds up its numbers in order.
void combine(const Combine& pass) {
  constexpr int64_t kTogether = 512;
  double sums[kTogether];
  int64_t count = 1, summed = 1;
  for (int d = 0; d < pass.ndim; ++d) (d < pass.kept ? count : summed) *= pass.sizes[d];
  if (count == 0) return;
  const int inner = pass.kept - 1;  // the dimension whose results are next to each other
  const int64_t columns = inner < 0 ? 1 : pass.sizes[inner];
  const int64_t step = inner < 0 ? 0 : pass.strides[inner];
  const int64_t out_step = inner < 0 ? 0 : pass.out_strides[inner];
  int64_t from = 0, to = 0;
  Odometer rows(pass, 0, std::max(inner, 0));
  do {
    for (int64_t first = 0; first < columns; first += kTogether) {
      const int64_t n = std::min(kTogether, columns - first);
      std::fill_n(sums, n, 0.);
      int64_t at = from + first * step, unused = 0;
      Odometer terms(pass, pass.kept, pass.ndim);
      if (summed) {
        do {
          for (int64_t i = 0; i < n; ++i) sums[i] += pass.partial[at + i * step];
        } while (terms.next(at, unused));
      }
      store(pass, to + first * out_step, out_step, sums, n);
    }
  } while (rows.next(from, to));
}

}  // namespace

void combine(const Combine* passes, int count) {
  for (int i = 0; i < count; ++i) combine(passes[i]);
}

}  // namespace pyvae::cpu
