// Negative binomial log-likelihood by mean and inverse dispersion.
#pragma once

#include "../density.h"
#include "../math/negative_binomial.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// kDataGrad: with the derivative in x.
template <bool kDataGrad>
struct NegativeBinomialWith : Density {
  static constexpr const char* kName = "negative_binomial_log_prob";
  static constexpr int kIn = 3;
  static constexpr const char* kOperands[kIn] = {"x", "mean", "inverse_dispersion"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true;

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const auto r = negative_binomial<kDataGrad>(count_of(c.in[0]), c.in[1], c.in[2]);
    c.grad[0] = r.d_x;
    c.grad[1] = r.d_mean;
    c.grad[2] = r.d_dispersion;
    return {r.log_prob, V(1)};
  }
};

struct NegativeBinomialLogProb : NegativeBinomialWith<false> {
  using OfData = NegativeBinomialWith<true>;
};

// The same by the logarithm of the mean, which a softmax of far apart logits still has.
template <bool kDataGrad>
struct NegativeBinomialLogMeanWith : NegativeBinomialWith<kDataGrad> {
  static constexpr const char* kName = "negative_binomial_log_prob_log_mean";
  static constexpr int kIn = 3;
  static constexpr const char* kOperands[kIn] = {"x", "log_mean", "inverse_dispersion"};

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const auto r = negative_binomial_by_log_mean<kDataGrad>(count_of(c.in[0]), c.in[1], c.in[2]);
    c.grad[0] = r.d_x;
    c.grad[1] = r.d_log_mean;
    c.grad[2] = r.d_dispersion;
    return {r.log_prob, V(1)};
  }
};

struct NegativeBinomialLogMeanLogProb : NegativeBinomialLogMeanWith<false> {
  using OfData = NegativeBinomialLogMeanWith<true>;
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(NegativeBinomialLogProb)
PYVAE_DENSITY(NegativeBinomialLogMeanLogProb)
