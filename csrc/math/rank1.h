// Gaussians of precision D + u u^T, D = diag(exp(l)): Rezende, Mohamed and Wierstra 2014, equations
// 14 to 16.
//
// With w = D^-1/2, r = w u, s = r.r, p = (1 + s)^-1/2 and h = p r, a vector no longer than 1:
//   C = diag(w) (I - h h^T) diag(w),   log|C| = 2 log p - sum l,
//   R = diag(w) (I - kappa h h^T),     kappa = 1 / (1 + p): R R^T = C.
// Where one u_i outweighs all others, h_i^2 is nearly 1, and what D leaves of that element is the
// difference of large numbers. So sums are kept twice, over all elements and over all but that one,
// and every formula is in sums over the *other* elements: x'_i = sum over j != i of x_j.
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// A sum over all elements, and over all but the one that outweighs the others.
template <class V>
struct PartedSum {
  V all, rest;
  PartedSum() = default;
  template <class U>
  PYVAE_FN explicit PartedSum(const PartedSum<U>& o) : all(o.all), rest(o.rest) {}
  PYVAE_FN PartedSum(V all_, V rest_) : all(all_), rest(rest_) {}

  template <class M>
  PYVAE_FN V others(V own, M outweighs) const {
    return select(outweighs, rest, all - own);
  }
};

// log(1 + s) - s / (1 + s) without cancellation near 0, where it is y^2 / 2 + y^3 / 3 + ... in
// y = s / (1 + s).
PYVAE_FN double log1p_residual(double s, double y) {
  if (!(y < 0.03)) return log(1 + s) - y;
  double q = 1. / 11;
  q = q * y + 1. / 10, q = q * y + 1. / 9, q = q * y + 1. / 8, q = q * y + 1. / 7;
  q = q * y + 1. / 6, q = q * y + 1. / 5, q = q * y + 1. / 4, q = q * y + 1. / 3;
  return (q * y + 1. / 2) * y * y;
}

// z = m + R eps and KL(N(m, C) || N(0, I)) = 1/2 [tr C - d + m.m - log|C|].
struct Rank1GaussianRsampleKl {
  static constexpr int kIn = 3;      // mean, log-precision l, u
  static constexpr int kHeld = 2;    // w, r
  static constexpr int kFirst = 1;   // r^2
  static constexpr int kSecond = 7;  // h^2 of the rest; h eps, h w grad_z, h^2 w^2: all and rest
  static constexpr int kSecondOfValue = 3;  // of those, what sample and KL need
  template <class V>
  using Cell = SweptCell<V, kIn, kHeld>;

  // The numbers of a row.
  template <class V>
  struct Row {
    V p, kappa, mu;               // mu = 1 - kappa = p / (1 + p)
    V rho;                        // 1 - h^2 of the element that outweighs the others
    PartedSum<V> eps, grad, var;  // sums of h eps, h w grad_z and h^2 w^2
    double value;                 // of the KL, beside its sum over the elements
    Row() = default;
    template <class U>
    PYVAE_FN explicit Row(const Row<U>& o)
        : p(o.p), kappa(o.kappa), mu(o.mu), rho(o.rho), eps(o.eps), grad(o.grad), var(o.var),
          value(o.value) {}
  };

  template <class V>
  PYVAE_FN static void hold(Cell<V>& c) {
    c.held[0] = exp(V(-0.5) * c.in[1]);
    c.held[1] = c.held[0] * c.in[2];
  }

  // Scaled by 2^-32, so that the square of any r that can occur is finite; what then underflows
  // is nothing beside 1.
  template <class V>
  PYVAE_FN static void first(const Cell<V>& c, V (&sum)[kFirst]) {
    const V r = c.held[1] * V(0x1p-32);
    sum[0] = sum[0] + r * r;
  }
  template <bool kGrad>
  PYVAE_FN static void close_first(Row<double>& row, const double (&sum)[kFirst]) {
    const double s = sum[0] * 0x1p64;
    const double root = sqrt(1 + s);
    row.p = 1 / root;
    row.mu = 1 / (1 + root);
    row.kappa = 1 - row.mu;
    // Half of log(1 + s) - sum h^2, which takes back what `value` adds to each element.
    if constexpr (!kGrad) row.value = 0.5 * log1p_residual(s, s * row.p * row.p);
  }

  template <bool kGrad, class V>
  PYVAE_FN static void second(const Cell<V>& c, const Row<V>& row, V (&sum)[kSecond]) {
    const V w = c.held[0], h = row.p * c.held[1], square = h * h;
    const auto outweighs = square > V(2. / 3);
    const auto add = [&](V x, V& all, V& rest) {
      all = all + x;
      rest = rest + select(outweighs, V(0), x);
    };
    sum[0] = sum[0] + select(outweighs, V(0), square);
    add(h * c.eps, sum[1], sum[2]);
    if constexpr (kGrad) {
      add(h * w * c.grad_z, sum[3], sum[4]);
      add(square * w * w, sum[5], sum[6]);
    }
  }
  PYVAE_FN static void close_second(Row<double>& row, const double (&sum)[kSecond]) {
    row.rho = row.p * row.p + sum[0];
    row.eps = {sum[1], sum[2]};
    row.grad = {sum[3], sum[4]};
    row.var = {sum[5], sum[6]};
  }

  // What sample and KL share: an element's own h and rho = 1 - h^2, its offset z - m, and
  // e^-l - 1 with what is left of that beyond -l.
  template <class V>
  struct Parts {
    V w, h, square, rho, eps_others, offset, expm1, residual;
    decltype(V() > V()) outweighs;

    PYVAE_FN Parts(const Cell<V>& c, const Row<V>& row) {
      w = c.held[0], h = row.p * c.held[1], square = h * h;
      outweighs = square > V(2. / 3);
      rho = select(outweighs, row.rho, V(1) - square);
      eps_others = row.eps.others(h * c.eps, outweighs);
      offset = w * ((row.mu + row.kappa * rho) * c.eps - row.kappa * h * eps_others);
      const V v = -c.in[1], variance = w * w;
      residual = expm1_residual(v, variance);
      expm1 = expm1_of(v, variance, residual);
    }
  };

  // z, and the element's part of the KL: 1/2 [C_ii - 1 + h^2 + l + m^2], of which
  // C_ii - 1 + h^2 = w^2 rho - rho = (e^-l - 1) rho.
  template <class V>
  PYVAE_FN static V value(Cell<V>& c, const Row<V>& row) {
    const Parts<V> x(c, row);
    const V m = c.in[0], l = c.in[1];
    c.z = m + x.offset;
    const V near = x.residual - x.expm1 * x.square, far = x.expm1 * x.rho + l;
    return V(0.5) * (select(abs(l) > V(0.5), far, near) + m * m);
  }

  // Gradients, where `slope` is the incoming gradient of the KL. With g = w grad_z,
  // nu = mu + (2 - mu) rho and sums over the others primed,
  //   d(grad_z . z) / dr_i = mu [(2 - mu) h g' eps' + (1 - nu) (g' eps + g eps') - nu h g eps],
  //   dKL / dr_i = p h (var' + 1 - C_ii),   1 - C_ii = h^2 - (e^-l - 1) rho.
  template <class V>
  PYVAE_FN static void gradient(Cell<V>& c, const Row<V>& row, V slope) {
    const Parts<V> x(c, row);
    const V g = x.w * c.grad_z;
    const V g_others = row.grad.others(x.h * g, x.outweighs);
    const V var_others = row.var.others(x.square * x.w * x.w, x.outweighs);
    const V nu = row.mu + (V(2) - row.mu) * x.rho;
    const V along = (V(2) - row.mu) * x.h * g_others * x.eps_others +
                    (V(1) - nu) * (g_others * c.eps + g * x.eps_others) - nu * x.h * g * c.eps;
    const V missing = x.square - x.expm1 * x.rho;
    c.grad[0] = c.grad_z + slope * c.in[0];
    c.grad[1] = V(0.5) * (slope * (x.rho * missing - x.square * var_others) - c.grad_z * x.offset -
                          row.kappa * x.h * along);
    c.grad[2] = x.w * (row.mu * along + slope * (row.p * x.h * (var_others + missing)));
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
