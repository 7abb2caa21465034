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

void Backend::sum_groups(const double* partial, int64_t count, int64_t group, bool is_double,
                         void* out) const {
  Combine c;
  c.ndim = 2, c.kept = 1;
  c.sizes[0] = count, c.sizes[1] = group;
  c.strides[0] = group, c.strides[1] = 1;
  c.out_strides[0] = 1;
  c.partial = partial, c.out = out, c.dtype = is_double ? Dtype::f64 : Dtype::f32;
  combine(&c, 1);
}

}  // namespace pyvae
