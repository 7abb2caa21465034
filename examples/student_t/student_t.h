// Student t log-likelihood by mean m, log-scale s and degrees of freedom n ("Student", 1908):
//   log Gamma((n + 1) / 2) - log Gamma(n / 2) - 1/2 log(pi n) - s - (n + 1) / 2 log(1 + d^2 / n),
// where d = (x - m) exp(-s).
#pragma once

#include <pyvae/density.h>

namespace pyvae::inline PYVAE_ISA {

struct StudentTLogProb : Density {
  static constexpr const char* kName = "student_t_log_prob";
  static constexpr int kIn = 4;
  static constexpr const char* kOperands[kIn] = {"x", "mean", "log_scale", "df"};
  static constexpr int kFull = 2, kData = 1;
  static constexpr bool kHeavy = true;

  // With a = n / 2, b = a + 1/2 and q = d^2 / n. The large parts of the two log Gamma cancel; by
  // Stirling's formula with its error e, and h(u) = u - log(1 + u), what is left of them is
  // e(b) - e(a) - a h(1 / 2a), so that the normal limit n -> infinity keeps its digits.
  template <class V>
  PYVAE_FN static Term<V> step(Cell<V, kIn>& c) {
    const V a = V(0.5) * c.in[3], b = a + V(0.5), r_a = V(1) / a;
    const V away = (c.in[0] - c.in[1]) * root_precision(c.in[2] + c.in[2]);  // times exp(-s)
    const V u = V(0.5) * r_a, root_q = abs(away) * sqrt(u);
    const V q = finite(root_q * root_q), q_1 = q + V(1);
    // log(1 + q): near 0 by its residual, far out by the root, whose square may overflow.
    const auto far = root_q > V(1e6);
    const V log_far = log_positive(select(far, root_q, q_1)) * select(far, V(2), V(1));
    const V h_q = log1p_residual(q, q_1, V(1));
    const V log_q_1 = select(q < V(1), q - h_q, log_far);
    const V h_u = log1p_residual(u, b, r_a);  // 1 + u = b / a
    const Stirling<V> of_a = stirling(a, log_positive(a)), of_b = stirling(b, log_positive(b));

    const V share = q / q_1;
    const V steep = select(far, V(1) / (away * u), away / q_1);
    const V slope = b * r_a * steep * root_precision(c.in[2] + c.in[2]);
    c.grad[0] = -slope;
    c.grad[1] = slope;
    c.grad[2] = (b + b) * share - V(1);
    c.grad[3] =
        V(0.5) * (u - h_u - V(0.5) / b + of_b.slope - of_a.slope - log_q_1 + b * r_a * share);
    const V constant = of_b.error - of_a.error - a * h_u - V(0.91893853320467274);  // log 2 pi / 2
    return {constant - c.in[2] - b * log_q_1, V(1)};
  }
};

}  // namespace pyvae::inline PYVAE_ISA

PYVAE_DENSITY(StudentTLogProb)
