#include "schedule.h"

#include <algorithm>

namespace pyvae {

GradKind grad_kind(const Rows& r, int operand) {
  const View& g = r.view[kGrad + operand];
  if (g.step == 0 && r.cols > 1) return GradKind::rows;
  for (int d = 0; d < r.ndim; ++d)
    if (g.strides[d] == 0) return GradKind::columns;
  return GradKind::full;
}

ReduceColumns summed_last(const Rows& r, int operand) {
  ReduceColumns out;
  static_cast<Rows&>(out) = r;
  for (int k = 0; k < kMaxIn; ++k) {
    View& g = out.view[kGrad + k];
    bool same = g.data && grad_kind(r, k) == GradKind::columns;
    for (int d = 0; same && d < r.ndim; ++d)
      same = (g.strides[d] == 0) == (r.view[kGrad + operand].strides[d] == 0);
    if (!same) g.data = nullptr;
  }
  int to = 0;
  for (const bool summed : {false, true}) {
    for (int d = 0; d < r.ndim; ++d) {
      if ((r.view[kGrad + operand].strides[d] == 0) != summed) continue;
      out.sizes[to] = r.sizes[d];
      for (int s = 0; s < kSlots; ++s) out.view[s].strides[to] = r.view[s].strides[d];
      ++to;
    }
    if (!summed) out.kept = to;
  }
  return out;
}

namespace {

// A schedule being put together.
class Scheduler {
 public:
  Scheduler(const Rows& rows, const Goal& goal, const Limits& limits, int64_t segment)
      : rows_(rows), goal_(goal), limits_(limits), segment_(segment) {}

  Schedule make() {
    int full = 0, sums = 0;
    bool all_rows = true;  // every sum is one over all rows
    for (int k = 0; k < kMaxIn; ++k) {
      if (!rows_.view[kGrad + k].data) continue;
      const GradKind kind = grad_kind(rows_, k);
      ++(kind == GradKind::full ? full : sums);
      if (kind != GradKind::full)
        all_rows &= kind == GradKind::columns && summed_last(rows_, k).kept == 0;
    }
    const bool by_element = rows_.view[kElementValue].data != nullptr;
    if (!goal_.value && !by_element) {
      if (full + sums)
        gradients();
      else if (rows_.view[kSample].data)
        map(rows_, Want::value);
    } else if (sums == 0) {
      map(rows_, full ? Want::both : Want::value);
    } else if (all_rows && !by_element) {
      gradients(true);
    } else {
      map(without_gradients(), Want::value);
      gradients();
    }
    return std::move(made_);
  }

 private:
  template <class Pass>
  void add(const Pass& pass, const Places& at = {}) {
    made_.steps.push_back({pass, at});
  }
  int64_t take(int64_t doubles) {
    const int64_t at = made_.scratch;
    made_.scratch += doubles;
    return at;
  }
  Rows without_gradients() const {
    Rows r = rows_;
    for (int k = 0; k < kMaxIn; ++k) r.view[kGrad + k].data = nullptr;
    return r;
  }

  // Each element by itself, and the values.
  void map(const Rows& rows, Want want) {
    Map pass;
    static_cast<Rows&>(pass) = rows;
    pass.want = want, pass.ready = goal_.ready;
    if (want == Want::grad || !goal_.value) return add(pass);
    pass.whole = limits_.whole_rows && rows.rows == goal_.values &&
                 rows.rows >= limits_.whole_rows && rows.cols <= limits_.whole_columns;
    const int64_t parts = rows.rows * (pass.whole ? 1 : rows.chunks());
    if (parts == goal_.values) {
      pass.value = goal_.value;
      return add(pass);
    }
    pass.partial = true;
    const int64_t at = take(parts);
    add(pass, {.sums = at});
    combine_values(parts, at);
  }

  // All gradients: those that are sums by groups of the same dimensions, the others on the way.
  void gradients(bool with_values = false) {
    Rows full = rows_;
    bool left = false, done[kMaxIn] = {};  // left: full gradients that nothing has written yet
    for (int k = 0; k < kMaxIn; ++k) {
      if (!full.view[kGrad + k].data) continue;
      if (grad_kind(rows_, k) == GradKind::full)
        left = true;
      else
        full.view[kGrad + k].data = nullptr;
    }
    for (int k = 0; k < kMaxIn; ++k) {
      if (!rows_.view[kGrad + k].data || done[k]) continue;
      const GradKind kind = grad_kind(rows_, k);
      if (kind == GradKind::rows) reduce_rows(k);
      if (kind != GradKind::columns) continue;
      ReduceColumns pass = summed_last(rows_, k);
      for (int i = 0; i < kMaxIn; ++i) done[i] |= pass.view[kGrad + i].data != nullptr;
      reduce_columns(pass, full, with_values);
      for (int i = 0; i < kMaxIn; ++i) full.view[kGrad + i].data = nullptr;
      left = with_values = false;
    }
    if (left) map(full, Want::grad);
  }

  void reduce_columns(ReduceColumns pass, const Rows& full, bool with_values) {
    int64_t kept = 1;
    for (int d = 0; d < pass.kept; ++d) kept *= pass.sizes[d];
    const int64_t summed = pass.rows / kept, columns = kept * pass.cols;
    const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
    pass.splits =
        std::max<int64_t>(1, std::min(limits_.split_blocks / ceil(columns, limits_.split_columns),
                                      ceil(summed, limits_.split_rows)));
    c10::SmallVector<int, kMaxIn> targets;
    for (int k = 0; k < kMaxIn; ++k) {
      if (pass.view[kGrad + k].data)
        targets.push_back(k);
      else
        pass.view[kGrad + k].data = full.view[kGrad + k].data;
    }
    const auto count = static_cast<int64_t>(targets.size());
    const int64_t parts = with_values ? pass.rows * ceil(pass.cols, segment_) : 0;
    const bool split = pass.splits > 1;
    if (!limits_.host) pass.ready = goal_.ready;
    Places at;
    if (with_values) at.values = take(parts);
    if (split) at.sums = take(count * pass.splits * columns);
    if (split && pass.ready == pass.ready) at.done = take(1);
    add(pass, at);
    if (with_values) combine_values(parts, at.values);
    for (int64_t t = 0; split && t < count; ++t) {
      const View& g = pass.view[kGrad + targets[t]];
      Combine c = into(g);
      for (int d = 0; d < pass.kept; ++d) keep(c, pass.sizes[d], g.strides[d]);
      keep(c, pass.cols, g.step);
      int64_t stride = 1;
      for (int d = c.ndim - 1; d >= 0; stride *= c.sizes[d--]) c.strides[d] = stride;
      sum(c, pass.splits, columns);
      add(c, {.sums = at.sums + t * pass.splits * columns, .done = at.done});
    }
  }

  void reduce_rows(int target) {
    ReduceRows pass;
    static_cast<Rows&>(pass) = without_gradients();
    const View& g = pass.view[kGrad + target] = rows_.view[kGrad + target];
    pass.target = target;
    const int64_t at = take(pass.rows * pass.chunks());
    add(pass, {.sums = at});
    Combine c = into(g);
    int64_t strides[kMaxDims], stride = pass.chunks();
    for (int d = pass.ndim - 1; d >= 0; stride *= pass.sizes[d--]) strides[d] = stride;
    for (const bool summed : {false, true})
      for (int d = 0; d < pass.ndim; ++d) {
        if ((g.strides[d] == 0) != summed) continue;
        if (summed)
          sum(c, pass.sizes[d], strides[d]);
        else
          keep(c, pass.sizes[d], g.strides[d], strides[d]);
      }
    sum(c, pass.chunks(), 1);
    add(c, {.sums = at});
  }

  void combine_values(int64_t parts, int64_t at) {
    Combine c;
    c.out = goal_.value;
    c.dtype = goal_.is_double ? Dtype::f64 : Dtype::f32;
    const int64_t group = parts / goal_.values;
    keep(c, goal_.values, 1, group);
    sum(c, group, 1);
    add(c, {.sums = at});
  }

  static Combine into(const View& grad) {
    Combine c;
    c.out = grad.data, c.dtype = grad.dtype;
    return c;
  }
  static void keep(Combine& c, int64_t size, int64_t out_stride, int64_t stride = 0) {
    c.sizes[c.ndim] = size, c.out_strides[c.ndim] = out_stride, c.strides[c.ndim] = stride;
    ++c.ndim, ++c.kept;
  }
  static void sum(Combine& c, int64_t size, int64_t stride) {
    c.sizes[c.ndim] = size, c.strides[c.ndim] = stride;
    ++c.ndim;
  }
  const Rows& rows_;
  const Goal& goal_;
  const Limits& limits_;
  int64_t segment_;
  Schedule made_;
};

// The same places in memory.
struct Pointers {
  double *sums, *values, *done;
};
void point(Map& pass, const Pointers& at) {
  if (at.sums) pass.value = at.sums;
}
void point(ReduceColumns& pass, const Pointers& at) {
  pass.sums = at.sums, pass.values = at.values, pass.done = at.done;
}
void point(ReduceRows& pass, const Pointers& at) { pass.sums = at.sums; }
void point(Combine& pass, const Pointers& at) { pass.partial = at.sums, pass.done = at.done; }

// Sums of what the other passes left come last, all at once.
struct Run {
  const Backend& device;
  const Kernel& kernel;
  c10::SmallVector<Combine, 2> sums;
  void operator()(const Map& pass) { device.map(kernel, pass); }
  void operator()(const ReduceColumns& pass) { device.reduce_columns(kernel, pass); }
  void operator()(const ReduceRows& pass) { device.reduce_rows(kernel, pass); }
  void operator()(const Combine& pass) { sums.push_back(pass); }
};

}  // namespace

Schedule schedule(const Rows& rows, const Goal& goal, const Limits& limits, int64_t segment) {
  return Scheduler(rows, goal, limits, segment).make();
}

void run(Schedule& schedule, const Backend& device, const Kernel& kernel, double* scratch) {
  const auto at = [&](int64_t place) { return place == kNowhere ? nullptr : scratch + place; };
  Run passes{device, kernel, {}};
  for (Step& step : schedule.steps)
    std::visit(
        [&](auto& pass) {
          point(pass, {at(step.at.sums), at(step.at.values), at(step.at.done)});
          passes(pass);
        },
        step.pass);
  if (!passes.sums.empty())
    device.combine(passes.sums.data(), static_cast<int>(passes.sums.size()));
}

}  // namespace pyvae
