// What the passes over whole gradients and over values of rows are given: no density, no torch.
#pragma once

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

// The loss of a batch from the values of its rows: out = scale sum(beta kl - log_prob). Values
// follow each other; no data of beta: 1.
struct Loss {
  View log_prob, kl, beta;
  int64_t rows = 0;
  double scale = 1;
  void* out = nullptr;
  Dtype dtype = Dtype::f32;  // of out
};

}  // namespace pyvae
