#include "loss.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace pyvae::cpu {
namespace {

template <class F>
void with_pointer(void* data, Dtype dtype, const F& f) {
  if (dtype == Dtype::f64)
    f(static_cast<double*>(data));
  else
    f(static_cast<float*>(data));
}

double number(const View& v, int64_t i) {
  double x;
  with_pointer(v.data, v.dtype, [&](const auto* p) { x = static_cast<double>(p[i]); });
  return x;
}
template <class Numbers>
void write(void* to, Dtype dtype, const Numbers& numbers) {
  with_pointer(to, dtype, [&](auto* p) {
    using T = std::decay_t<decltype(*p)>;
    std::transform(std::begin(numbers), std::end(numbers), p,
                   [](double x) { return static_cast<T>(x); });
  });
}

// One after the other: the same for any number of threads.
double sum(const Loss::Term& term) {
  double total = 0;
  with_pointer(term.values.data, term.values.dtype, [&](const auto* p) {
    for (int64_t i = 0; i < term.count; ++i) total += static_cast<double>(p[i]);
  });
  return total * term.scale;
}
void gradient(const Loss::Term& term, double slope) {
  if (!term.grad) return;
  with_pointer(term.grad, term.values.dtype, [&](auto* p) {
    std::fill_n(p, term.count, static_cast<std::decay_t<decltype(*p)>>(slope * term.scale));
  });
}

}  // namespace

void loss(const Loss& a) {
  const double beta = a.beta.data ? number(a.beta, 0) : a.weight;
  const bool given = a.grad.data || a.grad_terms.data;
  const double grad = a.grad.data ? number(a.grad, 0) : !given;
  double of[3] = {};
  for (int i = 0; a.grad_terms.data && i < 3; ++i) of[i] = number(a.grad_terms, i);
  const LossSlopes slopes = loss_slopes(beta, grad, of);
  gradient(a.log_prob, slopes.log_prob);
  gradient(a.kl, slopes.kl);
  if (!a.out) return;
  const double log_prob = sum(a.log_prob), kl = sum(a.kl);
  write(a.out, a.dtype, std::array{beta * kl - log_prob});
  if (a.terms) write(a.terms, a.dtype, std::array{log_prob - kl, log_prob, kl});
}

}  // namespace pyvae::cpu
