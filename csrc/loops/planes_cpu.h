// The CPU loop over planes: lanes are pixels, and a block's parameters become its gradients in a
// tile that fits the first cache. It knows no density and no torch.
#pragma once

#include "convert.h"
#include "planes.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class T>
T slope_of(const Planes& a, int64_t offset) {
  T slope = 1;
  if (a.slope.data) slope = *fetch(a.slope, offset, &slope, 1);
  return slope * static_cast<T>(a.scale);
}

// n pixels of consecutive planes as rows of `width` numbers, 0 beyond n.
template <class T>
void fetch_planes(const View& v, int64_t offset, int64_t plane, int count, T* tile, int width,
                  int n) {
  for (int k = 0; k < count; ++k, offset += plane, tile += width) {
    const T* p = fetch(v, offset, tile, n);
    if (p != tile) memcpy(tile, p, n * sizeof(T));
    for (int i = n; i < width; ++i) tile[i] = 0;
  }
}
template <class T>
void put_planes(const View& v, int64_t offset, int64_t plane, int count, const T* tile, int width,
                int n, bool large) {
  constexpr int64_t kLine = 64;
  const bool lines = n * sizeof(T) % kLine == 0 && plane * sizeof(T) % kLine == 0 &&
                     (reinterpret_cast<uintptr_t>(v.data) + offset * sizeof(T)) % kLine == 0;
  if (large && lines && v.dtype == DtypeOf<T>::value && v.step == 1) {
    T* p = static_cast<T*>(v.data) + offset;
    for (int k = 0; k < count; ++k, p += plane, tile += width)
      for (int j = 0; j < n; j += Vec<T>::kLanes) stream(Vec<T>::load(tile + j), p + j);
  } else {
    for (int k = 0; k < count; ++k, offset += plane, tile += width) put(v, offset, tile, n);
  }
}

// Parameters that come next, in bytes. They are asked for while those at hand are worked on: lines
// of so many planes are no pattern that processors foresee.
struct Ahead {
  const char* first;
  int64_t plane, step;
};

// The tiles of one thread.
template <class F, class T>
struct Block {
  static constexpr int kPlanes = 1 + F::kParameters;  // logit and parameters
  alignas(64) T data[F::kChannels * kMaxBlock];
  alignas(64) T tile[kPlaneTile];
  int components, width, n;  // rows of `width`, of which n are pixels

  T* plane(int slot) { return tile + slot * components * width; }

  // log sum_m pi_m p_m, summed over the pixels, with pi the softmax of the logits; gradients, times
  // slope, take the place of the parameters. p_m is exp(linear_m) factor_m with a factor of
  // moderate size, so that one logarithm does for all components and both normalizers.
  template <bool kGrad>
  double run(bool levels, T slope_of_image, Ahead ahead) {
    using V = Vec<T>;
    const int next = components * width;  // from a component's logit to its first parameter
    T *joint = plane(kPlanes), *weight = plane(kPlanes + 1);
    const V slope(slope_of_image);
    V total(0);
    for (int j = 0; j < n; j += V::kLanes) {
      V x[F::kChannels];
      for (int k = 0; k < F::kChannels; ++k) x[k] = V::load(data + k * width + j);
      const typename F::template Pixel<V> pixel(x, levels);
      V top(-__builtin_inf()), top_logit(-__builtin_inf());
      const char* soon = ahead.first + j * ahead.step;
      for (int i = j; i < next; i += width, soon += ahead.plane) {
        for (int k = 0; k < kPlanes; ++k)
          __builtin_prefetch(soon + k * components * ahead.plane, 0, 2);
        V p[F::kParameters];
        for (int k = 0; k < F::kParameters; ++k) p[k] = V::load(tile + i + (1 + k) * next);
        const auto c = F::component(pixel, p);
        const V logit = V::load(tile + i), sum = logit + c.linear;
        top_logit = select(top_logit < logit, logit, top_logit);
        top = select(sum == sum, select(top < sum, sum, top), sum);  // NaN stays
        sum.store(joint + i), c.factor.store(weight + i);
        if constexpr (kGrad)
          for (int k = 0; k < F::kParameters; ++k) c.slope[k].store(tile + i + (1 + k) * next);
      }
      V of_joint(0), of_logits(0);
      for (int i = j; i < next; i += width) {
        const V e = exp_floored(V::load(joint + i) - top) * V::load(weight + i);
        const V pi = exp_floored(V::load(tile + i) - top_logit);
        of_joint = of_joint + e, of_logits = of_logits + pi;
        if constexpr (kGrad) e.store(weight + i), pi.store(tile + i);
      }
      V value = top - top_logit + log(of_joint / of_logits);
      value = select(top < V(-3e38), top, value);  // impossible under every component
      if (j + V::kLanes > n) value = select(V(lane_index<T>()) < V(n - j), value, V(0));
      total = total + value;
      if constexpr (kGrad) {
        const V per_joint = slope / of_joint, per_logits = slope / of_logits;
        for (int i = j; i < next; i += width) {
          const V share = V::load(weight + i) * per_joint;  // posterior of the component
          (share - V::load(tile + i) * per_logits).store(tile + i);
          for (int k = 0; k < F::kParameters; ++k) {
            T* g = tile + i + (1 + k) * next;
            (V::load(g) * share).store(g);
          }
        }
      }
    }
    return static_cast<double>(sum_lanes(total));
  }
};

// Items are (image of parameters, block of pixels). Where parameters are shared by many images of
// data, their gradients add up in order, in double.
template <class F, class T>
class PlanesLoop {
 public:
  explicit PlanesLoop(const Planes& planes) : a(planes), blocks(planes.blocks()) {
    for (int d = a.kept; d < a.ndim; ++d) shared *= a.sizes[d];
    b.components = a.components, b.width = static_cast<int>(a.block);
    count = Block<F, T>::kPlanes * a.components;
    int64_t size = a.pixels * count * static_cast<int64_t>(sizeof(T));
    for (int d = 0; d < a.kept; ++d) size *= a.sizes[d];
    large = size >= kLarge;
  }
  void run(int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const Place at = place(item), next = place(item + 1 < end ? item + 1 : item);
      b.n = static_cast<int>(a.pixels - at.pixel < a.block ? a.pixels - at.pixel : a.block);
      for (int64_t s = 0; s < shared; ++s) one(at, s, s + 1 < shared ? at : next);
      if (!a.grad.data) continue;
      const int64_t offset = at.image.grad + at.pixel * a.grad.step;
      if (shared > 1)
        put_planes(a.grad, offset, a.grad_plane, count, sums, b.width, b.n, large);
      else
        put_planes(a.grad, offset, a.grad_plane, count, b.tile, b.width, b.n, large);
    }
    finish_streams();
  }

 private:
  static constexpr int64_t kLarge = 4 << 20;  // bytes: more than a core's caches keep
  struct Place {
    ImageCursor image;
    int64_t pixel;
  };

  Place place(int64_t item) const {
    Place p{{a}, item % blocks * a.block};
    p.image.move(item / blocks, 0, a.kept);
    return p;
  }
  // The block against the s-th image of data that shares its parameters.
  void one(const Place& place, int64_t s, const Place& next) {
    ImageCursor at = place.image;
    at.move(s, a.kept, a.ndim);
    const int64_t first = place.pixel;
    fetch_planes(a.data, at.data + first * a.data.step, a.data_plane, F::kChannels, b.data, b.width,
                 b.n);
    fetch_planes(a.parameters, at.parameters + first * a.parameters.step, a.parameters_plane, count,
                 b.tile, b.width, b.n);
    const int64_t size = element_size(a.parameters.dtype);
    const int64_t offset = next.image.parameters + next.pixel * a.parameters.step;
    const Ahead ahead{static_cast<const char*>(element(a.parameters, offset)),
                      a.parameters_plane * size, a.parameters.step * size};
    const double value = a.grad.data
                             ? b.template run<true>(a.levels, slope_of<T>(a, at.slope), ahead)
                             : b.template run<false>(a.levels, T(0), ahead);
    if (a.value) a.value[at.value * blocks + first / a.block] = value;
    if (shared > 1 && a.grad.data)
      for (int i = 0; i < count * b.width; ++i)
        sums[i] = (s ? sums[i] : 0) + static_cast<double>(b.tile[i]);
  }

  const Planes& a;
  const int64_t blocks;
  int64_t shared = 1;  // images of data for each image of parameters
  int count;           // planes of parameters
  bool large;
  Block<F, T> b;
  double sums[kPlaneTile];
};

template <class F, class T>
void planes_loop(const Planes& a, int64_t begin, int64_t end) {
  PlanesLoop<F, T>(a).run(begin, end);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
