// Classes from logits: log p(c) = l_c - log sum_k exp(l_k), with the largest logit taken out of
// both, so that nothing overflows and the largest term of the sum is 1.
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

struct Categorical {
  // What is taken out: the largest logit, or 0 where all so far are -inf.
  template <class V>
  PYVAE_FN static V shift(V largest) {
    return select(largest > V(-INFINITY), largest, V(0));
  }
  template <class V>
  PYVAE_FN static V weight(V logit, V shift) {
    return exp(logit - shift);
  }
  template <class V>
  PYVAE_FN static V log_prob(V logit, V shift, V sum) {
    return logit - shift - log(sum);
  }
  // d log p(c) / d l_k = [k = c] - weight_k / sum: what all weights are multiplied by. `slope` is
  // the incoming gradient, or the sum of several.
  template <class V>
  PYVAE_FN static V factor(V slope, V sum) {
    return -slope / sum;
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
