#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define PYVAE_ASAN 1
#else
#define PYVAE_ASAN 0
#endif

#if defined(__x86_64__)
// Saves what a call must preserve, changes stacks, takes back what the other had saved.
extern "C" void pyvae_switch_stack(void** save, void* load);
asm(R"(
.text
.globl pyvae_switch_stack
.hidden pyvae_switch_stack
.type pyvae_switch_stack, @function
pyvae_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size pyvae_switch_stack, . - pyvae_switch_stack
)");
#else
#include <ucontext.h>
#endif

namespace pyvae::executor {
namespace {

constexpr size_t kStack = PYVAE_ASAN ? 512 * 1024 : 128 * 1024;

void (*entry_point)();
#if PYVAE_ASAN
void* launcher_stack;
size_t launcher_size;

// The stack of the launching thread, which need not be the same thread every time.
void find_launcher() {
  static pthread_t known;
  static bool any = false;
  const pthread_t self = pthread_self();
  if (any && pthread_equal(known, self)) return;
  pthread_attr_t attributes;
  pthread_getattr_np(self, &attributes);
  pthread_attr_getstack(&attributes, &launcher_stack, &launcher_size);
  pthread_attr_destroy(&attributes);
  known = self, any = true;
}
#endif

// The first thing that runs on a fresh stack.
void start() {
#if PYVAE_ASAN
  const void* bottom;
  size_t size;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
#endif
  entry_point();
  __builtin_trap();
}

}  // namespace

void prepare(Fiber& fiber, void (*entry)()) {
  entry_point = entry;
  if (!fiber.stack) {
    void* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, 4096, PROT_NONE);  // an overflow stops here
    fiber.stack = static_cast<char*>(memory), fiber.size = kStack;
  }
#if PYVAE_ASAN
  __asan_unpoison_memory_region(fiber.stack + 4096, fiber.size - 4096);
#endif
#if defined(__x86_64__)
  // Six registers and where to return to. A function begins 8 bytes off a multiple of 16.
  auto* top = reinterpret_cast<void**>(fiber.stack + fiber.size);
  *--top = nullptr;  // the caller of `start`: none
  *--top = reinterpret_cast<void*>(&start);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  fiber.stack_pointer = top;
#else
  if (!fiber.context) fiber.context = new ucontext_t;
  auto* context = static_cast<ucontext_t*>(fiber.context);
  getcontext(context);
  context->uc_stack.ss_sp = fiber.stack + 4096, context->uc_stack.ss_size = fiber.size - 4096;
  context->uc_link = nullptr;
  makecontext(context, start, 0);
#endif
  fiber.fake_stack = nullptr;
}

void switch_fiber(Fiber& from, Fiber& to, bool leaving) {
#if PYVAE_ASAN
  if (!from.stack) {  // the launching thread's own stack, which is not the same one every time
    find_launcher();
  }
  __sanitizer_start_switch_fiber(leaving ? nullptr : &from.fake_stack,
                                 to.stack ? to.stack : launcher_stack,
                                 to.stack ? to.size : launcher_size);
#else
  (void)leaving;
#endif
#if defined(__x86_64__)
  pyvae_switch_stack(&from.stack_pointer, to.stack_pointer);
#else
  if (!from.context) from.context = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(from.context), static_cast<ucontext_t*>(to.context));
#endif
#if PYVAE_ASAN
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace pyvae::executor
