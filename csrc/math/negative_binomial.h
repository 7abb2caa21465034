// Negative binomial log-likelihoods by mean m and inverse dispersion t (Lopez et al., "Deep
// generative modeling for single-cell transcriptomics", 2018):
//   log Gamma(x + t) - log Gamma(t) - log Gamma(x + 1) + t log(t / (t + m)) + x log(m / (t + m)).
#pragma once

#include "counts.h"
#include "precision.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class V>
struct NegativeBinomial {
  V log_prob, d_mean, d_log_mean, d_dispersion, d_x;
};

// In the form of Loader ("Fast and accurate computation of binomial probabilities", 2000), where
// all terms are as small as their sum, from t -> 0 to the Poisson limit t -> infinity. With
//   v = (x - m) / (t + m), 1 + v = (t + x) / (t + m); u = t v / x, 1 - u = (1 + v) m / x;
//   h(s) = s - log(1 + s), and e the error of Stirling's formula
// it is, for x > 0,
//   1/2 log(t / (t + x)) + e(t + x) - e(t) - t h(v) - x h(-u) - log(e^x x! / x^x);
// the derivatives in v and u cancel, so that the one in t is
//   x / (2 t (t + x)) + e'(t + x) - e'(t) - h(v),
// and the one in x, by digamma(z) = log z - 1 / (2 z) + e'(z),
//   log(1 - u) - 1 / (2 (t + x)) + e'(t + x) - 1 / (2 x) - e'(x),
// or log(m (t + x) / (t + m)) - 1 / (2 (t + x)) + e'(t + x) - digamma(x + 1) for x < 1.
template <bool kData, class V>
PYVAE_FN NegativeBinomial<V> negative_binomial(V x, V mean, V dispersion) {
  const V t = dispersion;
  const V away = x - mean, sum = x + t;
  const V scale = reciprocal(t + mean), r_sum = reciprocal(sum), r_x = reciprocal(x);
  const V p = t * scale, v = away * scale, u = p * away * r_x;
  const V h_v = log1p_residual(v, sum, scale);
  const V ratio = sum * scale * r_x;  // times m: 1 - u
  const V h_u = log1p_residual(-u, ratio, mean);
  // t / (t + x) may be smaller than any number, and its logarithm near 0: one of the two logarithms
  // comes from the other.
  const V log_t = log_subnormal(t), log_x = log_positive(x);
  const auto less = t < x;
  const V either = log_positive(select(less, sum, t * r_sum));
  const V log_share = select(less, log_t - either, either);
  const V log_sum = select(less, either, log_t - either);
  const auto certain = t == V(0);
  const Stirling<V> of_t = stirling(t, log_t), of_sum = stirling(sum, log_sum);
  const auto zero = is_zero_count(x);

  NegativeBinomial<V> r;
  const V positive = V(0.5) * log_share + of_sum.error - of_t.error - t * h_v - x * h_u -
                     log_factorial_residual(x, log_x);
  const V none = select(certain, t, t * (v - h_v));  // t log(t / (t + m))
  r.log_prob = select(zero, none, positive);
  r.d_mean = select(zero, -p, p * away / mean);
  r.d_log_mean = select(t < mean, t * v, p * away);
  r.d_dispersion = select(zero, V(0), V(0.5) * (x * r_sum) / t + of_sum.slope - of_t.slope) - h_v;
  r.d_x = V(0);
  if constexpr (kData) {
    const V x_1 = x + V(1);
    const auto broad = t < mean;
    const V mean_share = select(broad, mean * scale, mean);
    const V few =
        log_product(mean_share, select(broad, sum, sum * scale)) - digamma(x_1, log_positive(x_1));
    const V log_1_u = select(abs(u) < V(0.5), -(u + h_u), log_product(ratio, mean));
    const V many = log_1_u - V(0.5) * r_x - stirling(x, log_x).slope;
    r.d_x = select(x < V(1), few, many) - V(0.5) * r_sum + of_sum.slope;
  }
  return r;
}

// By the logarithm of the mean, which may be smaller or larger than any number. Where the mean
// leaves the range of numbers the value is a line in its logarithm, for dispersions far from there.
template <bool kData, class V>
PYVAE_FN NegativeBinomial<V> negative_binomial_by_log_mean(V x, V log_mean, V dispersion) {
  const V inside = moderate_exponent(log_mean);
  auto r = negative_binomial<kData>(x, exp(inside), dispersion);
  const auto below = log_mean<inside, above = log_mean> inside;
  const V far = log_mean - inside;
  const V slope = select(below, select(is_zero_count(x), V(0), x), -dispersion);
  const V line = select(slope == V(0), V(0), far * slope);
  r.log_prob = r.log_prob + select(log_mean == inside, V(0), line);
  r.d_log_mean =
      select(below, select(is_zero_count(x), -exp(log_mean), r.d_log_mean), r.d_log_mean);
  r.d_x = r.d_x + select(below, far, V(0));
  r.d_dispersion = r.d_dispersion - select(above, far, V(0));
  return r;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
