#include "executor.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.h"
#include "shared_memory.h"

namespace pyvae::executor {

Position position;

namespace {

constexpr unsigned kLanes = 32;
struct Thread {
  Fiber* fiber = nullptr;
  Where where;
};

struct Warp {
  unsigned arrived = 0;  // bits of lanes
  uint64_t phase = 0;    // of its exchanges: a lane is never further ahead than one
  uint64_t word[2][kLanes] = {};
  Where where;
};

std::mutex one_at_a_time;
const std::function<void()>* body;
Fiber launcher;
std::vector<std::unique_ptr<Fiber>> fibers;  // all there are
std::vector<Fiber*> idle;
std::vector<Thread> block;
std::vector<Warp> warps;
std::vector<unsigned> order, ready;  // threads in the order they start in; who may go on
size_t next, next_ready;             // places in these
unsigned waiting, exited, current;
uint64_t launched;
Where barrier_where;
Fiber* running;
std::string failure;

std::string name(const Where& w) {
  return std::string(w.file_name()) + ":" + std::to_string(w.line()) + " (" + w.function_name() +
         ")";
}
bool same(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         !std::strcmp(a.file_name(), b.file_name());
}

void enter(unsigned thread) {
  current = thread;
  position.thread = dim3(thread);
}

// Life of a fiber: threads that have not started, one after the other, until it waits in one.
void live() {
  for (;;) {
    while (next < order.size()) {
      enter(order[next++]);
      block[current].fiber = running;
      (*body)();
      ++exited;
    }
    idle.push_back(running);
    switch_fiber(*running, launcher);
  }
}

void wait() {
  Fiber* own = running;
  const unsigned thread = current;
  switch_fiber(*own, launcher);
  running = own;
  enter(thread);
}

Fiber* fresh() {
  if (idle.empty()) {
    fibers.push_back(std::make_unique<Fiber>());
    idle.push_back(fibers.back().get());
  }
  Fiber* f = idle.back();
  idle.pop_back();
  if (!f->started) prepare(*f, live), f->started = true;
  return f;
}

SharedMemory shared;

void run_block(unsigned threads, bool backwards) {
  block.assign(threads, {});
  warps.assign((threads + kLanes - 1) / kLanes, {});
  order.resize(threads);
  std::iota(order.begin(), order.end(), 0);
  if (backwards) std::reverse(order.begin(), order.end());
  ready.clear();
  next = next_ready = waiting = exited = 0;
  while (exited < threads && failure.empty()) {
    if (next_ready < ready.size()) {
      running = block[ready[next_ready++]].fiber;
      if (next_ready == ready.size()) ready.clear(), next_ready = 0;
    } else if (next < order.size()) {
      running = fresh();
    } else {
      for (unsigned t = 0; t < threads; ++t)
        if (block[t].where.line()) {
          failure = "thread " + std::to_string(t) + " of block " +
                    std::to_string(position.block.x) + " waits at " + name(block[t].where) +
                    " for threads that do not come (" + std::to_string(exited) + " of " +
                    std::to_string(threads) + " have ended)";
          break;
        }
      break;
    }
    switch_fiber(launcher, *running);
  }
}

}  // namespace

void fail(const char* what, const Where& where) {
  failure = "thread " + std::to_string(current) + " of block " + std::to_string(position.block.x) +
            ": " + what + " at " + name(where);
  wait();
  __builtin_trap();
}

void run(dim3 grid, unsigned threads, size_t shared_bytes, const std::function<void()>& kernel) {
  const std::lock_guard lock(one_at_a_time);
  if (!threads || threads > 1024 || threads % kLanes || grid.y > 65535 || grid.z > 65535 ||
      shared_bytes > 227 * 1024)
    throw std::runtime_error("executor: no CUDA device would take this launch");
  const char* wish = std::getenv("PYVAE_EXECUTOR_ORDER");
  const bool forward = wish && !std::strcmp(wish, "forward");
  const bool reverse = wish && !std::strcmp(wish, "reverse");
  body = &kernel;
  ++launched;
  position.grid = grid, position.threads = dim3(threads);
  shared.open(shared_bytes);
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t b = reverse ? blocks - 1 - i : i;
    position.block = dim3(b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y);
    shared.poison();
    run_block(threads, reverse || (!forward && b % 2));
    if (!failure.empty()) break;
  }
  shared.close();
  if (failure.empty()) return;
  // What fibers were in the middle of is given up.
  idle.clear();
  for (auto& f : fibers) f->started = false, idle.push_back(f.get());
  std::string message = "executor: ";
  message.append(failure);
  failure.clear();
  throw std::runtime_error(message);
}

void barrier(const Where& where) {
  if (waiting == 0) barrier_where = where;
  if (!same(barrier_where, where)) fail("a barrier while others wait at another one", where);
  block[current].where = where;
  if (++waiting < block.size()) return wait();
  waiting = 0;
  for (unsigned t : order) {
    block[t].where = {};
    if (t != current) ready.push_back(t);
  }
}

uint64_t exchange(uint64_t mine, unsigned lane, unsigned mask, const Where& where) {
  if (mask != ~0u) fail("a shuffle with less than the full mask", where);
  if (lane >= kLanes) fail("a shuffle with a lane that is none", where);
  const unsigned thread = current, w = thread / kLanes, bit = 1u << thread % kLanes;
  Warp& warp = warps[w];
  if (!warp.arrived) warp.where = where;
  if (!same(warp.where, where)) fail("a shuffle while others of the warp wait at another", where);
  const uint64_t phase = warp.phase % 2;
  warp.word[phase][thread % kLanes] = mine;
  block[thread].where = where;
  warp.arrived |= bit;
  if (warp.arrived != ~0u) {
    wait();
  } else {
    warp.arrived = 0, ++warp.phase;
    for (unsigned i = 0; i < kLanes; ++i) {
      const unsigned t = w * kLanes + i;
      block[t].where = {};
      if (t != thread) ready.push_back(t);
    }
  }
  return warp.word[phase][lane];
}

unsigned ballot(bool predicate, unsigned mask, const Where& where) {
  const unsigned w = current / kLanes;
  const uint64_t phase = warps[w].phase % 2;
  exchange(predicate, 0, mask, where);
  unsigned bits = 0;
  for (unsigned i = 0; i < kLanes; ++i) bits |= unsigned(warps[w].word[phase][i]) << i;
  return bits;
}

uint64_t launches() { return launched; }
void* dynamic_shared() { return shared.dynamic(); }

}  // namespace pyvae::executor
