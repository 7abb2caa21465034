// How the channels of a pixel share one mixture of logistics that are discretized to 256 levels:
// Salimans, Karpathy, Chen and Kingma, PixelCNN++, 2017, sections 2.1 and 2.2.
#pragma once

#include "logistic.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// The channels of a pixel.
template <class V, int kChannels>
struct Levels {
  Level<V> at[kChannels];

  // From 0 to 255 if `levels`, else from -1 to 1.
  PYVAE_FN Levels(const V (&data)[kChannels], bool levels) {
    for (int k = 0; k < kChannels; ++k) at[k].set(levels ? data[k] * V(2. / 255) - V(1) : data[k]);
  }
};

// tanh(x) and its derivative.
template <class V>
PYVAE_FN V tanh_and_slope(V x, V& slope) {
  V e;
  const V e_1 = expm1_nonpositive(negative_abs(x) + negative_abs(x), e);
  const V r = ratio(V(1), e + V(1));
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
    const LogisticBin<V> bin = logistic_bin(x.at[0], x.at[0].x - p[0], p[1]);
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
    const LogisticBin<V> r = logistic_bin(x.at[0], x.at[0].x - p[0], p[1]);
    const LogisticBin<V> g = logistic_bin(x.at[1], green - (p[3] + k0 * red), p[4]);
    const LogisticBin<V> b =
        logistic_bin(x.at[2], x.at[2].x - (p[6] + k1 * red + k2 * green), p[7]);
    return {
        r.linear + g.linear + b.linear,
        r.factor * g.factor * b.factor,
        {r.slope_mean, r.slope_log_scale, g.slope_mean * red * s0, g.slope_mean, g.slope_log_scale,
         b.slope_mean * red * s1, b.slope_mean, b.slope_log_scale, b.slope_mean * green * s2}};
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
