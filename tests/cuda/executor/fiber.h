// A stack of its own and the place to go on at.
#pragma once

#include <cstddef>

namespace pyvae::executor {

struct Fiber {
  void* stack_pointer = nullptr;  // x86-64: everything else lies on the stack
  void* context = nullptr;        // elsewhere: a ucontext_t
  char* stack = nullptr;          // null: the thread that launched
  size_t size = 0;
  void* fake_stack = nullptr;  // address sanitizer's
  bool started = false;
};

// `entry` never returns. The stack is kept and used again.
void prepare(Fiber& fiber, void (*entry)());
// From `from`, the one that runs, to `to`. `leaving`: `from` is never gone back to.
void switch_fiber(Fiber& from, Fiber& to, bool leaving = false);

}  // namespace pyvae::executor
