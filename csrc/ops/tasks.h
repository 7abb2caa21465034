// The tasks (task.h) by name, with their kernels on every device.
#pragma once

#include <initializer_list>

#include "../loops/classes.h"
#include "../loops/pairs.h"
#include "../loops/planes.h"
#include "../plugin.h"
#include "../task.h"

namespace pyvae {

// A task as a device sees it, which does not know its arguments.
class AnyTask {
 public:
  const char* const name;

  virtual void on_cpu(Isa isa, bool is_double, const void* arguments, int64_t begin,
                      int64_t end) const = 0;
  virtual void on_cuda(bool is_double, const void* arguments, int64_t items,
                       void* stream) const = 0;

 protected:
  explicit AnyTask(const char* given) : name(given) {}
  ~AnyTask() = default;
};

template <class A>
class Task final : public AnyTask {
 public:
  using Cpu = const CpuTask<A>*;
  Task(const char* name, std::initializer_list<Cpu> cpu, const CudaTask<A>* cuda)
      : AnyTask(name), cuda_(cuda) {
    int isa = 0;
    for (const Cpu table : cpu) cpu_[isa++] = table;
  }
  void on_cpu(Isa isa, bool is_double, const void* arguments, int64_t begin,
              int64_t end) const override {
    cpu_[isa]->run[is_double](*static_cast<const A*>(arguments), begin, end);
  }
  void on_cuda(bool is_double, const void* arguments, int64_t items, void* stream) const override {
    cuda_->run[is_double](*static_cast<const A*>(arguments), items, stream);
  }

 private:
  Cpu cpu_[kIsas] = {};
  const CudaTask<A>* cuda_;
};

// X(name, arguments), of all devices; and of those alone on which one thread works on an item.
#define PYVAE_TASKS(X)                                                                             \
  X(categorical_log_prob, ClassRows)                                                               \
  X(grey_logistic_mixture, Planes)                                                                 \
  X(colour_logistic_mixture, Planes)                                                               \
  X(mixture_value, Mixture)                                                                        \
  X(mixture_points, Mixture)                                                                       \
  X(mixture_components, Mixture)                                                                   \
  X(mixture_log_weights, Mixture)                                                                  \
  X(mmd_rbf, Discrepancy)                                                                          \
  X(mmd_rbf_gradient, Discrepancy)                                                                 \
  X(mmd_imq, Discrepancy)                                                                          \
  X(mmd_imq_gradient, Discrepancy)                                                                 \
  X(rank1_gaussian_rsample_kl, Map)                                                                \
  X(rank1_gaussian_rsample_kl_backward, Map)
#define PYVAE_HOST_TASKS(X)                                                                        \
  X(mixture_few_weights, Mixture)                                                                  \
  X(mixture_few_pulls, Mixture)                                                                    \
  X(mixture_few_points, Mixture)

// What the glue to torch takes from the library of kernels.
#pragma GCC visibility push(default)
namespace tasks {
#define PYVAE_DECLARE(name, A) extern const Task<A> name;
PYVAE_TASKS(PYVAE_DECLARE)
PYVAE_HOST_TASKS(PYVAE_DECLARE)
#undef PYVAE_DECLARE

// By name, for a device whose kernels lie in another library. Null where there is none.
const AnyTask* find(const char* name);
}  // namespace tasks
#pragma GCC visibility pop

}  // namespace pyvae
