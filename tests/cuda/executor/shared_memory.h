// Shared memory, static and dynamic, and the poison that each block finds in it.
#pragma once

#include <link.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "executor.h"

namespace pyvae::executor {

// Makes the linker give this library thread-local storage, and glibc allocate it.
inline thread_local volatile char anchor;

// The shared variables of all kernels: this library's thread-local storage, of this thread.
class SharedMemory {
 public:
  // A launch begins: everything is poisoned.
  void open(size_t dynamic_bytes) {
    anchor = 0;
    dl_iterate_phdr(find, this);
    blocks_ = 0;
    dirty_.assign((bytes_ + kPiece - 1) / kPiece, true);
    dynamic_bytes_ = dynamic_bytes;
    dynamic_ = std::make_unique<char[]>(dynamic_bytes);
  }
  // A block begins. There is too much to poison it all each time: after the first blocks of a
  // launch, only pieces that they wrote to.
  void poison() {
    if (blocks_ && blocks_ <= 4) {
      if (blocks_ == 1) dirty_.assign(dirty_.size(), false);
      for (size_t i = 0; i < dirty_.size(); ++i) dirty_[i] = dirty_[i] || written(i);
    }
    ++blocks_;
    for (size_t i = 0; i < dirty_.size(); ++i)
      if (dirty_[i]) std::memset(data_ + i * kPiece, 0xff, size(i));
    std::memset(dynamic_.get(), 0xff, dynamic_bytes_);
  }
  void close() { dynamic_.reset(); }
  void* dynamic() const { return dynamic_.get(); }

 private:
  static constexpr size_t kPiece = 4096;

  size_t size(size_t piece) const { return std::min(kPiece, bytes_ - piece * kPiece); }
  bool written(size_t piece) const {
    static const std::vector<char> clean(kPiece, static_cast<char>(0xff));
    return std::memcmp(data_ + piece * kPiece, clean.data(), size(piece)) != 0;
  }
  static int find(dl_phdr_info* info, size_t, void* to) {
    const auto self = reinterpret_cast<uintptr_t>(&position);
    bool here = false;
    size_t bytes = 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& p = info->dlpi_phdr[i];
      const uintptr_t low = info->dlpi_addr + p.p_vaddr;
      if (p.p_type == PT_LOAD && self >= low && self < low + p.p_memsz) here = true;
      if (p.p_type == PT_TLS) bytes = p.p_memsz;
    }
    if (!here) return 0;
    auto* shared = static_cast<SharedMemory*>(to);
    shared->data_ = static_cast<char*>(info->dlpi_tls_data);
    shared->bytes_ = shared->data_ ? bytes : 0;
    return 1;
  }

  char* data_ = nullptr;
  size_t bytes_ = 0, dynamic_bytes_ = 0, blocks_ = 0;
  std::vector<bool> dirty_;
  std::unique_ptr<char[]> dynamic_;
};

}  // namespace pyvae::executor
