// A mixture over planes of pixels, as a task: what its loop is given. No torch.
//
// A pixel's parameters lie in planes: first those of the logits of all components, then for each
// parameter of a component those of all components. An item is a block of pixels of one image of
// parameters. Blocks are fixed by the shape alone, so that results do not depend on the number of
// threads. The same for every device.
#pragma once

#include "divide.h"
#include "rows.h"

namespace pyvae {

constexpr int kMaxComponents = 100;
constexpr int kComponentPlanes = 12;  // of a component in the tile: parameters, and two of the loop
constexpr int kBlockStep = 16;        // pixels of a block are a multiple of it, and so of a vector
constexpr int kMaxBlock = 1024;
constexpr int kCachedTile = 8192;  // numbers, where the components are not too many
constexpr int kPixelTeam = 64;     // pixels of a block where it is worked on by a thread for each
constexpr int64_t kTeamTile = 96 << 10;  // bytes that such a block may keep, and GPUs have
constexpr int kPlaneTile = kComponentPlanes * kMaxComponents * kBlockStep;

struct Planes {
  // Batch dimensions: those of the parameters, then those that all parameters are shared along.
  int ndim = 0, kept = 0;
  int64_t sizes[kMaxDims] = {};
  int64_t pixels = 0, block = 0;
  int components = 0;
  View data, parameters, grad;  // strides of batch dimensions; `step` between pixels
  View slope;                   // incoming gradient of each image's value; no data: 1
  int64_t data_plane = 0, parameters_plane = 0, grad_plane = 0;
  int64_t image[kMaxDims] = {};  // strides of an image's place among the values
  double* value = nullptr;       // one number for each image and block
  bool levels = false;           // data are 0 to 255, else already scaled to [-1, 1]
  double scale = 1;              // multiplies every gradient
  // Images whose incoming gradient is this number may be left alone: they have their gradient. NaN:
  // there are none, as where parameters are shared.
  double ready = __builtin_nan("");
  // Where several images of data share their parameters, on a device whose threads have no tiles:
  // room for two numbers of the compute type for each pixel of data.
  void* normalizers = nullptr;

  PYVAE_FN int64_t blocks() const { return quotient(pixels + block - 1, block); }
};

// Pixels of a block with a thread for each, which keeps `numbers` of `size` bytes for its gradient.
inline int64_t team_pixels(int64_t numbers, int64_t size) {
  int64_t pixels = kPixelTeam;
  while (pixels > 1 && pixels * numbers * size > kTeamTile) pixels /= 2;
  return pixels;
}

inline namespace PYVAE_ISA {

// Where one image of each tensor begins.
struct ImageCursor {
  const Planes& a;
  int64_t data = 0, parameters = 0, grad = 0, slope = 0, value = 0;

  // Moves to index `i` of dimensions [from, to).
  PYVAE_FN void move(int64_t i, int from, int to) {
    for (int d = to - 1; d >= from; --d) {
      const int64_t outer = quotient(i, a.sizes[d]), at = i - outer * a.sizes[d];
      i = outer;
      data += at * a.data.strides[d];
      parameters += at * a.parameters.strides[d];
      grad += at * a.grad.strides[d];
      slope += at * a.slope.strides[d];
      value += at * a.image[d];
    }
  }
};

}  // namespace PYVAE_ISA

}  // namespace pyvae
