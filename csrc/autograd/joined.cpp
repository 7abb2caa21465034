#include "joined.h"

#include <unordered_map>

#include "../ops/all.h"

namespace pyvae {
namespace {

Pass rows_if(bool can) { return can ? Pass::rows : Pass::none; }
// Sums may turn out useless, so that the operands must be there for a second pass.
// Only the host can look whether the incoming gradient is one number.
Pass allowed(Pass pass, const Tensor& data, bool worth) {
  return pass == Pass::sums && !(worth && on_host(data.device().type())) ? Pass::none : pass;
}

Pass elbo_is_one_pass(const Values& args, const std::vector<bool>& mask, bool) {
  const size_t n = args.size();  // likelihood operands, mean, logvar, beta, reduction
  if (args[n - 1].toInt() == 0 || mask[n - 2]) return Pass::none;
  Operands likelihood, kl;
  for (size_t i = 0; i + 4 < n; ++i) likelihood.push_back(args[i].toTensor());
  kl = {args[n - 4].toTensor(), args[n - 3].toTensor()};
  Mask first{}, second{mask[n - 4], mask[n - 3]};
  for (size_t i = 0; i < likelihood.size(); ++i) first[i] = mask[i];
  const RowOp& op = likelihood.size() == 2 ? kBernoulliLogProb : kGaussianLogProb;
  return rows_if(one_pass(op, likelihood, 1, first) == Pass::rows &&
                 one_pass(kGaussianKlStandard, kl, 1, second) == Pass::rows);
}
// A batch of values is mostly averaged and negated: then the gradients are ready. With more batch
// dimensions the incoming gradient is mostly not constant (importance weights), and scaling the
// gradients costs more than making them later.
Pass row_is_one_pass(const RowOp& op, const Operands& in, int64_t batch_ndim,
                     const std::vector<bool>& mask, bool worth) {
  if (worth && (batch_ndim != 1 || in[0].dim() != in[1].dim() || in[0].element_size() < 4))
    return Pass::none;
  Mask wanted{};
  std::copy(mask.begin(), mask.end(), wanted.begin());
  return allowed(one_pass(op, in, batch_ndim, wanted), in[0], worth);
}
Pass bernoulli_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  return row_is_one_pass(kBernoulliLogProb, {args[0].toTensor(), args[1].toTensor()},
                         args[2].toInt(), mask, worth);
}
Pass gaussian_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  return row_is_one_pass(kGaussianLogProb,
                         {args[0].toTensor(), args[1].toTensor(), args[2].toTensor()},
                         args[3].toInt(), mask, worth);
}
// Log-probabilities with logarithms or exponentials enough that making the gradients again costs
// more than writing and scaling them, however small the data are.
template <ChooseRowOp choose>
Pass log_prob_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  Operands in;
  for (size_t i = 0; i + 1 < args.size(); ++i) in.push_back(args[i].toTensor());
  const int64_t batch_ndim = args.back().toInt();
  if (worth && (batch_ndim != 1 || in[0].dim() != in[1].dim())) return Pass::none;
  Mask wanted{};
  std::copy(mask.begin(), mask.end(), wanted.begin());
  return allowed(one_pass(choose(in, mask[0]), in, batch_ndim, wanted), in[0], worth);
}
Pass logistic_mixture_is_one_pass(const Values& args, const std::vector<bool>& mask, bool) {
  return rows_if(
      logistic_mixture_one_pass(args[0].toTensor(), args[1].toTensor(), {mask[0], mask[1]}));
}
// The value comes with the gradient of the points, and serves that of the components.
Pass gaussian_mixture_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  const Optional weights = has_tensor(args[3]) ? Optional(args[3].toTensor()) : std::nullopt;
  const bool can =
      gaussian_mixture_one_pass(args[0].toTensor(), args[1].toTensor(), args[2].toTensor(), weights,
                                args[4].toBool(), {mask[0], mask[1], mask[2], mask[3]});
  return allowed(can ? Pass::sums : Pass::none, args[0].toTensor(), worth);
}
Pass categorical_is_one_pass(const Values& args, const std::vector<bool>&, bool worth) {
  const Tensor x = args[0].toTensor(), logits = args[1].toTensor();
  if (worth && (args[2].toInt() != 1 || x.dim() + 1 != logits.dim())) return Pass::none;
  return rows_if(categorical_one_pass(x, logits, args[2].toInt()));
}

// By the addresses of the schemas of the op, its backward and its permission to overwrite, which
// live as long as the ops do.
struct Table {
  std::unordered_map<std::string, Joined> all;
  std::unordered_map<const void*, const Joined*> by_schema;
};

std::unordered_map<std::string, Joined> join_all() {
  std::unordered_map<std::string, Joined> all;
  auto& dispatcher = c10::Dispatcher::singleton();
  const auto find = [&](const std::string& name) {
    return dispatcher.findSchemaOrThrow(("pyvae::" + name).c_str(), "");
  };
  const auto add = [&](const std::string& name) {
    const auto op = find(name);
    all.emplace("pyvae::" + name, Joined{name,
                                         op.schema().arguments().size(),
                                         op.schema().returns().size(),
                                         op,
                                         find(name + "_backward"),
                                         find(name + "_reference"),
                                         {}});
  };
#define PYVAE_ADD(name, ...) add(#name);
  PYVAE_OPS(PYVAE_ADD)
#undef PYVAE_ADD
  const auto one_pass = [&](const std::string& name, OnePass when, bool folds_rows) {
    Joined& j = all.at("pyvae::" + name);
    j.value_grad = find("_" + name + "_value_grad");
    j.value_grad_inplace = dispatcher.findSchema({"pyvae::_" + name + "_value_grad_", ""});
    j.one_pass = when;
    j.folds_rows = folds_rows;
  };
  one_pass("bernoulli_log_prob", bernoulli_is_one_pass, true);
  one_pass("gaussian_log_prob", gaussian_is_one_pass, true);
#define PYVAE_ONE_PASS(name) one_pass(#name, log_prob_is_one_pass<name##_op>, true)
  PYVAE_ONE_PASS(continuous_bernoulli_log_prob);
  PYVAE_ONE_PASS(laplace_log_prob);
  PYVAE_ONE_PASS(discretized_logistic_log_prob);
  PYVAE_ONE_PASS(poisson_log_prob);
  PYVAE_ONE_PASS(negative_binomial_log_prob);
  PYVAE_ONE_PASS(zero_inflated_negative_binomial_log_prob);
#undef PYVAE_ONE_PASS
  one_pass("discretized_logistic_mixture_log_prob", logistic_mixture_is_one_pass, true);
  one_pass("gaussian_mixture_log_prob", gaussian_mixture_is_one_pass, true);
  one_pass("categorical_log_prob", categorical_is_one_pass, true);
  one_pass("bernoulli_elbo_loss", elbo_is_one_pass, false);
  one_pass("gaussian_elbo_loss", elbo_is_one_pass, false);
  all.at("pyvae::discretized_logistic_mixture_log_prob").data = 1;
  return all;
}

}  // namespace

const Joined& joined(const c10::OperatorHandle& op) {
  static const Table table = [] {
    Table t;
    t.all = join_all();
    for (const auto& [name, join] : t.all) {
      for (const std::string suffix : {"", "_backward", "_inplace"}) {
        const auto other = c10::Dispatcher::singleton().findSchema({name + suffix, ""});
        if (other) t.by_schema.emplace(&other->schema(), &join);
      }
    }
    return t;
  }();
  return *table.by_schema.at(&op.schema());
}

}  // namespace pyvae
