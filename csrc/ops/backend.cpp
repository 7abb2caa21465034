#include "backend.h"

#include <array>

namespace pyvae {

namespace {
std::array<const Backend*, static_cast<size_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES)>&
tables() {
  static std::array<const Backend*,
                    static_cast<size_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES)>
      all{};
  return all;
}
}  // namespace

const Backend* backend(c10::DeviceType device) { return tables()[static_cast<size_t>(device)]; }
void set_backend(c10::DeviceType device, const Backend* table) {
  tables()[static_cast<size_t>(device)] = table;
}

}  // namespace pyvae
