// What the passes over whole gradients and over values of rows are given: no density, no torch.
#pragma once

#include "../math/numeric.h"
#include "rows.h"

namespace pyvae {

// Gradients that came with the value, each of `rows` rows: data[r][..] *= weight[r] / folded, the
// weight's stride being strides[0]. Rows where that is 1 are left alone.
struct Scale {
  struct Part {
    void* data;
    int64_t cols;
  };
  Part part[kMaxIn];
  int count = 0;
  int64_t rows = 0;
  View weight;
  double folded = 1;
  bool is_double = false;
};

// The loss of a batch, beta KL - log p(x|z), and the gradients that it asks for. What has no data
// is not wanted, or not given.
struct Loss {
  struct Term {
    View values;           // of float or double, one after the other
    int64_t count = 0;     // of them
    double scale = 1;      // times their sum is the term
    void* grad = nullptr;  // one for each, of their dtype
  };
  Term log_prob, kl;
  View beta;  // a number; none: `weight`
  double weight = 1;
  void *out = nullptr, *terms = nullptr;  // the loss; ELBO, log-likelihood and KL
  Dtype dtype = Dtype::f32;               // of both
  View grad, grad_terms;                  // incoming gradients; neither: 1 for the loss
};

inline namespace PYVAE_ISA {

// What the incoming gradients, of the loss and of its terms, ask of log_prob and kl: the gradients
// of both, but for their scale.
struct LossSlopes {
  double log_prob, kl;
};
PYVAE_FN LossSlopes loss_slopes(double beta, double grad, const double (&of)[3]) {
  return {of[0] + of[1] - grad, of[2] - of[0] + beta * grad};
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
