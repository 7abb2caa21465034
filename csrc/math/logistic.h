// The mass that a logistic puts on the bin of one of 256 levels (Kingma et al., "Improving
// variational inference with inverse autoregressive flow", 2016; Salimans et al., "PixelCNN++",
// 2017).
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// A level as the middle of its bin, from -1 to 1. The lowest bin has no lower bound, the highest
// no upper one.
template <class V>
struct Level {
  using Mask = decltype(V(0) < V(0));
  V x;
  Mask highest, edge;  // edge: lowest or highest

  PYVAE_FN void set(V value) {
    x = value;
    highest = value > V(254. / 255);
    edge = (value < V(-254. / 255)) | highest;
  }
};

// log mass = linear + log(factor) with the factor in [0.02, 100], and its derivatives.
template <class V>
struct LogisticBin {
  V linear, factor, slope_mean, slope_log_scale;
};

// The log mass of a bin, log [sigma(a) - sigma(b)], where a and b are (x - mean +- h) / s with
// h = 1/255 and s = exp(log_scale), at least exp(-7), of `away` = x - mean. With w = a - b the mass
// is
//   sigma(a) sigma(-b) (1 - exp(-w)),
// of which the lowest bin has the first sigmoid alone and the highest the second. Let
// u = |x - mean| / s, e = exp(-u) and q = exp(-w / 2): the sigmoid of the nearer bound is
// 1 / (1 + e q), that of the farther e / (q + e), so that
//   log mass = -u - log_scale + log 2h + log [(1 - q^2) / w / ((1 + e q) (q + e))]
// keeps its digits however far out x lies and however large s is. A sigmoid that an edge does not
// have becomes 1 by its terms: e_near, or e_far and q_far.
template <class V>
PYVAE_FN LogisticBin<V> logistic_bin(const Level<V>& level, V away, V log_scale) {
  const auto clamped = log_scale < V(-7);
  log_scale = select(clamped, V(-7), log_scale);
  const V precision = exp_nonpositive(-log_scale);
  const V c = away * precision;
  V half = V(1. / 255) * precision;                // w / 2
  half = select(half < V(1e-17), V(1e-17), half);  // where (1 - q^2) / w is 1 to the last digit
  V e, q;
  const V e_1 = expm1_nonpositive(negative_abs(c), e);
  const V q_1 = expm1_nonpositive(-half, q);
  const V gap = -q_1 * (q + V(1));  // 1 - q^2
  const V w = half + half;

  // The bound of an edge bin: towards the mean for the highest above it and the lowest below it.
  const auto below = c < V(0);
  const auto far_only = level.edge & (below ^ level.highest);
  const auto near_only = level.edge ^ far_only;
  const V e_near = select(far_only, V(0), e * q);
  const V e_far = select(near_only, V(1), e);
  const V q_far = select(near_only, V(0), q);
  const V near = e_near + V(1), far = q_far + e_far;
  const V both = near * far;
  const V r_both = ratio(V(1), both);

  LogisticBin<V> bin;
  const V u = abs(c);
  bin.linear = select(near_only, V(0), -u) +
               select(level.edge, V(0), V(-4.8481163645984813) - log_scale);  // log 2h
  bin.factor = select(level.edge, r_both, r_both * ratio(gap, w));
  // d log mass / du
  const V slope = r_both * select(level.edge, e_near * e_far - q_far, q * e_1 * (e + V(1)));
  bin.slope_mean = precision * select(below, slope, -slope);
  // d log(1 - exp(-w)) / d log_scale = -w q^2 / (1 - q^2)
  const V of_width = select(level.edge, V(0), ratio(w, gap) * (q * q));
  const V of_bounds = half * r_both * (e_near * far + q_far * near);
  bin.slope_log_scale = select(clamped, V(0), -u * slope - of_bounds - of_width);
  return bin;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
