// Logistics discretized to 256 levels, and how the channels of a pixel share one mixture of them:
// Salimans, Karpathy, Chen and Kingma, PixelCNN++, 2017, sections 2.1 and 2.2.
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
  Mask edge;  // lowest or highest
  V inward;   // at an edge: 1 where the bin's only bound is above x, -1 where it is below

  PYVAE_FN void set(V value) {
    const auto highest = value > V(0.999);
    x = value;
    edge = (value < V(-0.999)) | highest;
    inward = select(highest, V(-1), V(1));
  }
};

// The channels of a pixel.
template <class V, int kChannels>
struct Levels {
  Level<V> at[kChannels];

  // From 0 to 255 if `levels`, else from -1 to 1.
  PYVAE_FN Levels(const V (&data)[kChannels], bool levels) {
    for (int k = 0; k < kChannels; ++k) at[k].set(levels ? data[k] * V(2. / 255) - V(1) : data[k]);
  }
};

// log mass = linear + log(factor) with the factor in [0.02, 100], and its derivatives.
template <class V>
struct LogisticBin {
  V linear, factor, slope_mean, slope_log_scale;
};

// The log mass of a bin, log [sigma(a) - sigma(b)], where a and b are (x - mean +- h) / s with
// h = 1/255 and s = exp(log_scale), at least exp(-7). With w = a - b the mass is
//   sigma(a) sigma(-b) (1 - exp(-w)),
// of which the lowest bin has the first sigmoid alone and the highest the second. Let
// u = |x - mean| / s, e = exp(-u) and q = exp(-w / 2): the sigmoid of the nearer bound is
// 1 / (1 + e q), that of the farther e / (q + e), so that
//   log mass = -u - log_scale + log 2h + log [(1 - q^2) / w / ((1 + e q) (q + e))]
// keeps its digits however far out x lies and however large s is. A sigmoid that an edge does not
// have becomes 1 by its terms: e_near, or e_far and q_far.
template <class V>
PYVAE_FN LogisticBin<V> logistic_bin(const Level<V>& level, V mean, V log_scale) {
  const auto clamped = log_scale < V(-7);
  log_scale = select(clamped, V(-7), log_scale);
  const V precision = exp_nonpositive(-log_scale);
  const V c = (level.x - mean) * precision;
  V half = V(1. / 255) * precision;                // w / 2
  half = select(half < V(1e-17), V(1e-17), half);  // where (1 - q^2) / w is 1 to the last digit
  V e, q;
  const V e_1 = expm1_nonpositive(negative_abs(c), e);
  const V q_1 = expm1_nonpositive(-half, q);
  const V gap = -q_1 * (q + V(1));  // 1 - q^2
  const V w = half + half;

  const auto far_only = level.edge & (level.inward * c < V(0));
  const auto near_only = level.edge ^ far_only;
  const V e_near = select(far_only, V(0), e * q);
  const V e_far = select(near_only, V(1), e);
  const V q_far = select(near_only, V(0), q);
  const V near = e_near + V(1), far = q_far + e_far;
  const V both = near * far;
  const V r_both = V(1) / both;

  LogisticBin<V> bin;
  const V u = abs(c);
  bin.linear = select(near_only, V(0), -u) +
               select(level.edge, V(0), V(-4.8481163645984813) - log_scale);  // log 2h
  bin.factor = select(level.edge, r_both, r_both * (gap / w));
  // d log mass / du
  const V slope = r_both * select(level.edge, e_near * e_far - q_far, q * e_1 * (e + V(1)));
  bin.slope_mean = precision * select(c < V(0), slope, -slope);
  // d log(1 - exp(-w)) / d log_scale = -w q^2 / (1 - q^2)
  const V of_width = select(level.edge, V(0), w / gap * (q * q));
  const V of_bounds = half * r_both * (e_near * far + q_far * near);
  bin.slope_log_scale = select(clamped, V(0), -u * slope - of_bounds - of_width);
  return bin;
}

// tanh(x) and its derivative.
template <class V>
PYVAE_FN V tanh_and_slope(V x, V& slope) {
  V e;
  const V e_1 = expm1_nonpositive(negative_abs(x) + negative_abs(x), e);
  const V r = V(1) / (e + V(1));
  const V size = -e_1 * r;
  slope = V(4) * e * (r * r);
  return select(x < V(0), -size, size);
}

// One component at one pixel: log p = linear + log(factor), and its derivatives in the parameters.
template <class V, int kParameters>
struct Component {
  V linear, factor;
  V slope[kParameters];
};

// One channel: mean, log-scale.
struct GreyLogistic {
  static constexpr int kChannels = 1, kParameters = 2;
  template <class V>
  using Pixel = Levels<V, kChannels>;

  template <class V>
  PYVAE_FN static Component<V, kParameters> component(const Pixel<V>& x, const V (&p)[2]) {
    const LogisticBin<V> bin = logistic_bin(x.at[0], p[0], p[1]);
    return {bin.linear, bin.factor, {bin.slope_mean, bin.slope_log_scale}};
  }
};

// Red, green and blue with mean, log-scale and coefficient each. The mean of green moves by
// tanh(k_red) x_red, that of blue by tanh(k_green) x_red + tanh(k_blue) x_green.
struct ColourLogistic {
  static constexpr int kChannels = 3, kParameters = 9;
  template <class V>
  using Pixel = Levels<V, kChannels>;

  template <class V>
  PYVAE_FN static Component<V, kParameters> component(const Pixel<V>& x, const V (&p)[9]) {
    V s0, s1, s2;
    const V k0 = tanh_and_slope(p[2], s0), k1 = tanh_and_slope(p[5], s1),
            k2 = tanh_and_slope(p[8], s2);
    const V red = x.at[0].x, green = x.at[1].x;
    const LogisticBin<V> r = logistic_bin(x.at[0], p[0], p[1]);
    const LogisticBin<V> g = logistic_bin(x.at[1], p[3] + k0 * red, p[4]);
    const LogisticBin<V> b = logistic_bin(x.at[2], p[6] + k1 * red + k2 * green, p[7]);
    return {
        r.linear + g.linear + b.linear,
        r.factor * g.factor * b.factor,
        {r.slope_mean, r.slope_log_scale, g.slope_mean * red * s0, g.slope_mean, g.slope_log_scale,
         b.slope_mean * red * s1, b.slope_mean, b.slope_log_scale, b.slope_mean * green * s2}};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
