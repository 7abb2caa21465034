// An op on the device of its tensors: the current device while it runs.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <optional>

namespace pyvae {

namespace detail {
inline void find_device(const at::Tensor& t, std::optional<c10::Device>& found) {
  if (!found && t.defined() && !t.is_cpu()) found = t.device();
}
inline void find_device(const std::optional<at::Tensor>& t, std::optional<c10::Device>& found) {
  if (t) find_device(*t, found);
}
template <class T>
void find_device(const T&, std::optional<c10::Device>&) {}
}  // namespace detail

// The function `fn` with a guard for the first device that its arguments name.
template <auto fn>
struct OnDevice;
template <class R, class... A, R (*fn)(A...)>
struct OnDevice<fn> {
  static R call(A... arguments) {
    std::optional<c10::Device> device;
    (detail::find_device(arguments, device), ...);
    const c10::OptionalDeviceGuard guard(device);
    return fn(static_cast<A>(arguments)...);
  }
};

}  // namespace pyvae
