// Zero-inflated negative binomial log-likelihood by mean, inverse dispersion and the logits of a
// zero that is no count (Lopez et al., "Deep generative modeling for single-cell transcriptomics",
// 2018).
#pragma once

#include "../density.h"
#include "../math/negative_binomial.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// With a = log NB(x) and zero-inflation logits l:
//   x = 0: log(sigmoid(l) + sigmoid(-l) exp(a)); x > 0: log sigmoid(-l) + a.
struct ZeroInflated : Density {
  static constexpr int kIn = 4;
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true, kFactor = true;

  // With e = exp(-|l|) and f = exp(-|l - a|) a zero has max(l, a) - max(l, 0) +
  // log((1 + f) / (1 + e)), of which the maxima are one for positive l; it comes from the counts
  // with the probability sigmoid(a - l).
  template <class V>
  PYVAE_FN static Term<V> inflate(Cell<V, kIn>& c, const NegativeBinomial<V>& r, V d_mean) {
    const V x = c.in[0], l = c.in[3];
    const V a = r.log_prob, away = l - a;
    const auto zero = is_zero_count(x), rare = l < V(0);
    const V e = exp_nonpositive(negative_abs(l)), e_1 = e + V(1);
    const V f = exp_nonpositive(negative_abs(away)), f_1 = f + V(1);
    const V inflated = ratio(select(rare, e, V(1)), e_1);
    const V from_counts = ratio(select(away > V(0), f, V(1)), f_1);
    const V weight = select(zero, from_counts, V(1));
    c.grad[0] = weight * r.d_x;
    c.grad[1] = weight * d_mean;
    c.grad[2] = weight * r.d_dispersion;
    c.grad[3] = V(1) - weight - inflated;
    const V none = select(rare, select(away > V(0), l, a), V(0));
    const V some = a - select(rare, V(0), l);
    return {select(zero, none, some), ratio(e_1, select(zero, f_1, V(1)))};
  }
};

template <bool kDataGrad>
struct ZeroInflatedNegativeBinomialWith : ZeroInflated {
  static constexpr const char* kName = "zero_inflated_negative_binomial_log_prob";
  static constexpr const char* kOperands[kIn] = {"x", "mean", "inverse_dispersion", "zi_logits"};

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const auto r = negative_binomial<kDataGrad>(count_of(c.in[0]), c.in[1], c.in[2]);
    return inflate(c, r, r.d_mean);
  }
};

struct ZeroInflatedNegativeBinomialLogProb : ZeroInflatedNegativeBinomialWith<false> {
  using OfData = ZeroInflatedNegativeBinomialWith<true>;
};

// The same by the logarithm of the mean.
template <bool kDataGrad>
struct ZeroInflatedNegativeBinomialLogMeanWith : ZeroInflated {
  static constexpr const char* kName = "zero_inflated_negative_binomial_log_prob_log_mean";
  static constexpr const char* kOperands[kIn] = {"x", "log_mean", "inverse_dispersion",
                                                 "zi_logits"};

  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const auto r = negative_binomial_by_log_mean<kDataGrad>(count_of(c.in[0]), c.in[1], c.in[2]);
    return inflate(c, r, r.d_log_mean);
  }
};

struct ZeroInflatedNegativeBinomialLogMeanLogProb : ZeroInflatedNegativeBinomialLogMeanWith<false> {
  using OfData = ZeroInflatedNegativeBinomialLogMeanWith<true>;
};

}  // namespace PYVAE_ISA
}  // namespace pyvae

PYVAE_DENSITY(ZeroInflatedNegativeBinomialLogProb)
PYVAE_DENSITY(ZeroInflatedNegativeBinomialLogMeanLogProb)
