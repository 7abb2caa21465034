// Special functions in the forms that keep their digits: what is left of log Gamma, log(1 + s) and
// sinh when their leading terms, which cancel in a density, are taken away.
#pragma once

#include "numeric.h"

namespace pyvae {
inline namespace PYVAE_ISA {

// log of a positive normal number.
PYVAE_FN float log_positive(float x) { return ::logf(x); }
PYVAE_FN double log_positive(double x) { return ::log(x); }

// log of any number, of subnormal ones too, which `log` need not know.
PYVAE_FN float log_subnormal(float x) { return ::logf(x); }
PYVAE_FN double log_subnormal(double x) { return ::log(x); }

// a - log x, in which the large parts of the two are subtracted first; positive normal x.
constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;  // their sum is ln 2
PYVAE_FN float minus_log(float a, float x) {
  int n;
  const float rest = ::logf(::frexpf(x, &n)), power = static_cast<float>(n);
  return (a - power * kLog2High) - (power * kLog2Low + rest);
}
PYVAE_FN double minus_log(double a, double x) { return a - ::log(x); }

// log(a b), where the product may be smaller than any number.
PYVAE_FN float log_product(float a, float b) {
  return a * b < __FLT_MIN__ ? ::logf(a) + ::logf(b) : ::logf(a * b);
}
PYVAE_FN double log_product(double a, double b) {
  return a * b < __DBL_MIN__ ? ::log(a) + ::log(b) : ::log(a * b);
}

// s - log(1 + s) without cancellation near 0, for one who has 1 + s = a b with all its digits,
// which the sum has not near s = -1. With r = s / (2 + s) it is s r - 2 (r^3 / 3 + r^5 / 5 + ...).
template <int kTerms, class T>
PYVAE_FN T log1p_residual_by_series(T s) {
  const T r = ratio(s, T(2) + s), square = r * r;
  T p = T(0);
  for (int k = kTerms; k > 0; --k) p = p * square + T(2) / T(2 * k + 1);
  return s * r - p * square * r;
}
PYVAE_FN float log1p_residual(float s, float a, float b) {
  return ::fabsf(s) < 0.3f ? log1p_residual_by_series<4>(s) : s - log_product(a, b);
}
PYVAE_FN double log1p_residual(double s, double a, double b) {
  return ::fabs(s) < 0.3 ? log1p_residual_by_series<11>(s) : s - log_product(a, b);
}

// How far Stirling's formula is off:
//   log Gamma(z) = (z - 1/2) log z - z + 1/2 log 2 pi + error,
//   digamma(z) = log z - 1 / (2 z) + slope.
template <class V>
struct Stirling {
  V error, slope;
};

// For z > 0, in single precision: above 1 minimax polynomials in 1 / z^2 (off by 8e-9 in the
// error and 5e-7 of itself in the slope), below it such of log Gamma(1 + z) and digamma(1 + z)
// (off by 3e-8 and 2e-7). Below 1 it needs log z.
template <class V>
PYVAE_FN Stirling<V> stirling_single(V z, V log_z) {
  const V r = reciprocal(z), q = r * r;
  V error = q * V(-4.3556724933e-5) + V(1.8382472048e-4);
  error = error * q + V(-3.9073105036e-4), error = error * q + V(7.5244381312e-4);
  error = error * q + V(-2.7737365643e-3), error = (error * q + V(8.3333214259e-2)) * r;
  V slope = q * V(-3.6250087755e-4) + V(1.4614024132e-3);
  slope = slope * q + V(-2.6410425612e-3), slope = slope * q + V(3.1852344449e-3);
  slope = slope * q + V(-3.8532927001e-3), slope = slope * q + V(8.3277775108e-3);
  slope = (slope * q + V(-8.3333288233e-2)) * q;

  V gamma = z * V(6.3962962121e-3) + V(-3.6108724046e-2);  // log Gamma(1 + z) + z - 1/2 log 2 pi
  gamma = gamma * z + V(9.6672166081e-2), gamma = gamma * z + V(-1.7379825329e-1);
  gamma = gamma * z + V(2.6071771142e-1), gamma = gamma * z + V(-3.9898522771e-1);
  gamma = gamma * z + V(8.2231656485e-1), gamma = gamma * z + V(4.2278952564e-1);
  gamma = gamma * z + V(-9.1893856279e-1);
  V digamma = z * V(-3.6161765576e-2) + V(1.9612390361e-1);  // digamma(1 + z)
  digamma = digamma * z + V(-4.9107883583e-1), digamma = digamma * z + V(7.8699765849e-1);
  digamma = digamma * z + V(-9.7081490363e-1), digamma = digamma * z + V(1.0711100942);
  digamma = digamma * z + V(-1.2010771613), digamma = digamma * z + V(1.6449006328);
  digamma = digamma * z + V(-5.7721547625e-1);

  const auto small = z < V(1);
  return {select(small, gamma - (z + V(0.5)) * log_z, error),
          select(small, digamma - log_z - V(0.5) * r, slope)};
}
PYVAE_FN Stirling<float> stirling(float z, float log_z) { return stirling_single(z, log_z); }

// Stirling's series from 10 on; below, by Gamma(z + 1) = z Gamma(z).
PYVAE_FN Stirling<double> stirling(double z, double log_z) {
  if (!(z > 0)) return z == 0 ? Stirling<double>{INFINITY, -INFINITY} : Stirling<double>{NAN, NAN};
  double w = z, product = 1, sum = 0;
  for (; w < 10; ++w) product *= w, sum += 1 / w;
  const double r = 1 / w, q = r * r;
  double error = 6.41025641025641026e-3, slope = -8.33333333333333333e-2;
  error = error * q - 1.91752691752691753e-3, slope = slope * q + 2.10927960927960928e-2;
  error = error * q + 8.41750841750841751e-4, slope = slope * q - 7.57575757575757576e-3;
  error = error * q - 5.95238095238095238e-4, slope = slope * q + 4.16666666666666667e-3;
  error = error * q + 7.93650793650793651e-4, slope = slope * q - 3.96825396825396825e-3;
  error = error * q - 2.77777777777777778e-3, slope = slope * q + 8.33333333333333333e-3;
  error = (error * q + 8.33333333333333333e-2) * r;
  slope = (slope * q - 8.33333333333333333e-2) * q;
  if (w == z) return {error, slope};
  const double log_w = ::log(w);
  return {error + (w - 0.5) * log_w - (z - 0.5) * log_z - (w - z) - ::log(product),
          slope + (log_w - log_z) - 0.5 * r + 0.5 / z - sum};
}

// log(sinh(t / 2) / (t / 2)) / t^2 and its derivative in t over t, of q = t^2 <= 1: sums of
// B_2k t^(2k - 2) / (2k)!, over 2k in the value.
template <class V>
struct LogSinhc {
  V value, slope;
};
template <class V>
PYVAE_FN LogSinhc<V> log_sinhc_single(V q) {
  V slope = q * V(2.0876756988e-8) + V(-8.2671957672e-7);
  slope = slope * q + V(3.3068783069e-5), slope = slope * q + V(-1.3888888889e-3);
  V value = q * V(2.0876756988e-9) + V(-1.0333994709e-7);
  value = value * q + V(5.5114638448e-6), value = value * q + V(-3.4722222222e-4);
  return {value * q + V(4.1666666667e-2), slope * q + V(8.3333333333e-2)};
}
PYVAE_FN LogSinhc<float> log_sinhc(float q) { return log_sinhc_single(q); }
PYVAE_FN LogSinhc<double> log_sinhc(double q) {
  constexpr double bernoulli[] = {
      8.33333333333333333e-2,   -1.38888888888888889e-3,  3.30687830687830688e-5,
      -8.2671957671957672e-7,   2.0876756987868099e-8,    -5.28419013868749318e-10,
      1.33825365306846788e-11,  -3.38968029632258287e-13, 8.58606205627784456e-15,
      -2.17486869855806187e-16, 5.50900282836022952e-18};
  double value = 0, slope = 0;
  for (int k = 10; k >= 0; --k) {
    slope = slope * q + bernoulli[k];
    value = value * q + bernoulli[k] / (2 * k + 2);
  }
  return {value, slope};
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
