// Looks at schedules without running them: shapes, strides and limits in, passes out.
#include "ops/schedule.h"

#include <cstdio>
#include <cstdlib>

using namespace pyvae;

namespace {

double memory[1 << 12];  // what views point at; nothing reads or writes it

void expect(bool true_, const char* what) {
  if (true_) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

// Rows of a density with one operand (kInput) and its gradient, whose strides are given: those of
// the dimensions, then the step between columns.
Rows rows_of(std::initializer_list<int64_t> sizes, int64_t cols,
             std::initializer_list<int64_t> grad) {
  Rows r;
  r.cols = cols;
  for (const int64_t size : sizes) r.sizes[r.ndim++] = size, r.rows *= size;
  for (const int slot : {static_cast<int>(kInput), static_cast<int>(kGrad)}) {
    View& v = r.view[slot];
    v.data = memory;
    int d = 0;
    for (const int64_t stride : grad) (d < r.ndim ? v.strides[d++] : v.step) = stride;
  }
  return r;
}

const Limits kHost{true, false, true, 256, 4096, 8}, kDevice{false, true, false, 16, 128, 512};

template <class Pass>
const Pass& pass(const Schedule& s, size_t i) {
  expect(i < s.steps.size(), "there are as many passes");
  const Pass* found = std::get_if<Pass>(&s.steps[i].pass);
  expect(found != nullptr, "the pass is of this kind");
  return *found;
}

void values_alone() {
  Rows r = rows_of({5}, 100, {100, 1});
  r.view[kGrad].data = nullptr;
  const Schedule one = schedule(r, {memory, 5, false}, kHost, 512);
  expect(one.steps.size() == 1 && one.scratch == 0, "a value for each row is one pass");
  expect(pass<Map>(one, 0).value == memory && !pass<Map>(one, 0).partial, "written in place");

  const Schedule all = schedule(r, {memory, 1, false}, kHost, 512);
  expect(all.steps.size() == 2 && all.scratch == 5, "a value of all rows has parts");
  const Combine& c = pass<Combine>(all, 1);
  expect(c.kept == 1 && c.ndim == 2 && c.sizes[0] == 1 && c.sizes[1] == 5, "which are summed");

  Rows longer = rows_of({2}, 3 * kChunk + 1, {3 * kChunk + 1, 1});
  longer.view[kGrad].data = nullptr;
  const Schedule chunks = schedule(longer, {memory, 2, true}, kDevice, 0);
  expect(chunks.scratch == 2 * 4, "a long row has a part for each chunk");
  expect(pass<Combine>(chunks, 1).dtype == Dtype::f64, "in the compute type");
}

void long_rows() {
  Limits whole = kDevice;
  whole.whole_rows = 256, whole.whole_columns = 4 * kChunk;
  const auto of = [&](int64_t rows, int64_t cols, int64_t values) {
    Rows r = rows_of({rows}, cols, {cols, 1});
    return schedule(r, {memory, values, false}, whole, 0);
  };
  const Schedule many = of(256, 2 * kChunk, 256);
  expect(many.steps.size() == 1 && many.scratch == 0, "many long rows are one pass");
  expect(pass<Map>(many, 0).whole && !pass<Map>(many, 0).partial, "in which none is cut");
  for (const Schedule& cut :
       {of(255, 2 * kChunk, 255), of(256, 4 * kChunk + 1, 256), of(256, 2 * kChunk, 1)}) {
    expect(cut.steps.size() == 2, "few rows, longer ones and one value of all are two");
    expect(!pass<Map>(cut, 0).whole && pass<Map>(cut, 0).partial, "with parts between them");
  }
}

void gradients_made_again() {
  const Rows r = rows_of({5}, 100, {100, 1});
  Goal again;
  again.ready = -0.2;
  expect(pass<Map>(schedule(r, again, kDevice, 0), 0).ready == -0.2, "rows may be ready");
  const double none = pass<Map>(schedule(r, {}, kDevice, 0), 0).ready;
  expect(none != none, "but no number is ready unless it is said");

  const Rows shared = rows_of({2000}, 100, {0, 1});
  const Schedule sums = schedule(shared, again, kDevice, 0);
  expect(pass<ReduceColumns>(sums, 0).ready == -0.2, "so may sums over all rows");
  expect(sums.steps[0].at.done == sums.scratch - 1, "which say whether they were");
  expect(sums.steps[1].at.done == sums.steps[0].at.done, "to the pass that adds up their parts");
  const Schedule host = schedule(shared, again, kHost, 512);
  const double looked = pass<ReduceColumns>(host, 0).ready;
  expect(looked != looked && host.steps[1].at.done == kNowhere, "the host has looked itself");
  const Schedule plain = schedule(shared, {}, kDevice, 0);
  expect(plain.steps[1].at.done == kNowhere && plain.scratch + 1 == sums.scratch, "or had no need");
}

void nothing_wanted() {
  Rows r = rows_of({5}, 100, {100, 1});
  r.view[kGrad].data = nullptr;
  expect(schedule(r, {}, kHost, 512).steps.empty(), "nothing is done");
}

void gradients_of_full_operands() {
  const Rows r = rows_of({5}, 100, {100, 1});
  const Schedule both = schedule(r, {memory, 5, false}, kDevice, 0);
  expect(both.steps.size() == 1 && pass<Map>(both, 0).want == Want::both, "come with the value");
  const Schedule alone = schedule(r, {}, kDevice, 0);
  expect(alone.steps.size() == 1 && pass<Map>(alone, 0).want == Want::grad, "or by themselves");
}

void a_value_of_each_element() {
  Rows r = rows_of({}, 100, {1});
  r.view[kElementValue] = r.view[kInput];
  const Schedule both = schedule(r, {}, kHost, 512);
  expect(both.steps.size() == 1 && pass<Map>(both, 0).want == Want::both, "comes with gradients");
  expect(!pass<Map>(both, 0).value && both.scratch == 0, "and has no parts");

  Rows shared = rows_of({50}, 100, {0, 1});
  shared.view[kElementValue] = shared.view[kInput];
  const Schedule two = schedule(shared, {}, kHost, 64);
  expect(pass<Map>(two, 0).want == Want::value, "or before those that are sums");
  expect(two.steps[1].at.values == kNowhere, "which have no values with them");
}

void gradients_of_operands_shared_by_rows() {
  const Rows r = rows_of({2000}, 100, {0, 1});
  for (const Limits& limits : {kHost, kDevice}) {
    const Schedule s = schedule(r, {}, limits, 512);
    const ReduceColumns& sums = pass<ReduceColumns>(s, 0);
    expect(sums.kept == 0, "are summed over all rows");
    expect(sums.splits == (limits.host ? 8 : 125), "in parts that the device states");
    const Combine& c = pass<Combine>(s, 1);
    expect(c.kept == 1 && c.sizes[0] == 100 && c.sizes[1] == sums.splits, "which are added up");
    expect(s.steps.size() == 2 && s.scratch == sums.splits * 100, "once");
  }
  for (const Limits& limits : {kHost, kDevice}) {
    const Schedule s = schedule(r, {memory, 2000, false}, limits, 32);
    pass<ReduceColumns>(s, 0);
    expect(s.steps.size() == 3 && s.steps[0].at.values != kNowhere, "with the values, in one pass");
    const Combine& c = pass<Combine>(s, 1);
    expect(c.sizes[0] == 2000 && c.sizes[1] == 4, "which has a part for each segment");
  }
}

void gradients_of_operands_shared_by_columns() {
  const Rows r = rows_of({4, 30}, 100, {1, 0, 0});
  const Schedule s = schedule(r, {}, kHost, 512);
  expect(pass<ReduceRows>(s, 0).target == 0, "are summed along their rows");
  const Combine& c = pass<Combine>(s, 1);
  expect(c.kept == 1 && c.sizes[0] == 4 && c.out_strides[0] == 1, "and over rows that share them");
  expect(c.sizes[1] == 30 && c.sizes[2] == 1 && s.scratch == 120, "in the order of rows");
}

}  // namespace

int main() {
  values_alone();
  long_rows();
  gradients_made_again();
  nothing_wanted();
  gradients_of_full_operands();
  a_value_of_each_element();
  gradients_of_operands_shared_by_rows();
  gradients_of_operands_shared_by_columns();
  std::printf("as scheduled\n");
}
