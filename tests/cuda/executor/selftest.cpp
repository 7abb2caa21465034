// The executor's own test: small kernels whose answers are known, and mistakes that it must catch.
// Prints one line per check and ends with 1 if any failed. With an argument: a mistake that the
// sanitizers must report.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "loops/cuda/launch.cuh"
#include "loops/cuda/team.cuh"

namespace {

using namespace pyvae::cuda;
constexpr int kThreads = 128;

// Reversed through shared memory: every thread reads what another one wrote.
__global__ void reverse(const int* in, int* out) {
  __shared__ int tile[kThreads];
  const int at = blockIdx.x * kThreads;
  tile[threadIdx.x] = in[at + threadIdx.x];
  __syncthreads();
  out[at + threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

__global__ void unsynchronised(const int* in, int* out) {
  __shared__ int tile[kThreads];
  const int at = blockIdx.x * kThreads;
  tile[threadIdx.x] = in[at + threadIdx.x];
  out[at + threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

__global__ void sums(double* out) {
  const double x = threadIdx.x;
  double pair[2] = {x, 2 * x};
  block_sums<kThreads>(pair);
  const double again = block_sum<kThreads>(1.0), most = block_max<kThreads>(x);
  double* o = out + 5 * threadIdx.x;
  o[0] = pair[0], o[1] = pair[1], o[2] = again, o[3] = most, o[4] = warp_sum(x);
}

__global__ void shuffles(int* out) {
  const int lane = threadIdx.x % 32, x = 100 + threadIdx.x;
  int* o = out + 6 * threadIdx.x;
  o[0] = __shfl_xor_sync(kFullMask, x, 5);
  o[1] = __shfl_down_sync(kFullMask, x, 3);
  o[2] = __shfl_up_sync(kFullMask, x, 3);
  o[3] = __shfl_sync(kFullMask, x, 7);
  o[4] = __shfl_down_sync(kFullMask, x, 3, 8);
  o[5] = __ballot_sync(kFullMask, lane < 4);
}

__global__ void dynamic(int* out) {
  int* shared = shared_memory<int>();
  const int before = shared[threadIdx.x];
  __syncthreads();
  shared[threadIdx.x] = 7;
  out[blockIdx.x * blockDim.x + threadIdx.x] = before;
}

__global__ void half_the_block() {
  if (threadIdx.x < kThreads / 2) __syncthreads();
}
__global__ void two_barriers() {
  if (threadIdx.x % 2)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void part_of_a_warp(int* out) {
  if (threadIdx.x % 32 < 8) *out = __shfl_xor_sync(kFullMask, 1, 1);
}

// For the sanitizers: an address that is no multiple of 16, and one beyond the end.
__global__ void misaligned(const float* in, float* out) {
  if (threadIdx.x == 0) *out = reinterpret_cast<const float4*>(in + 1)->x;
}
__global__ void beyond(const float* in, float* out) {
  if (threadIdx.x == kThreads - 1) *out = in[threadIdx.x + 1];
}
__global__ void beyond_shared(const float* in, float* out) {
  __shared__ float tile[kThreads];
  tile[threadIdx.x + static_cast<int>(in[0])] = 0;
  __syncthreads();
  *out = tile[0];
}

// What only a sanitizer shows; returns if it does not.
int mistake(const std::string& name) {
  const std::vector<float> in(kThreads, 1.f);
  float out = 0;
  const auto kernel = name == "misaligned" ? misaligned : name == "beyond" ? beyond : beyond_shared;
  launch(kernel, {1}, kThreads, 0, nullptr, in.data(), &out);
  std::printf("nothing was reported\n");
  return 0;
}

int failures = 0;

void expect(const char* what, bool good) {
  std::printf("%s: %s\n", what, good ? "ok" : "FAILED");
  failures += !good;
}

template <class... P>
std::string caught(void (*kernel)(P...), std::type_identity_t<P>... arguments) {
  try {
    launch(kernel, {2}, kThreads, 0, nullptr, arguments...);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}
bool holds(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

bool reversed(void (*kernel)(const int*, int*)) {
  constexpr int kBlocks = 3;
  std::vector<int> in(kBlocks * kThreads), out(in.size());
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
  launch(kernel, {kBlocks}, kThreads, 0, nullptr, in.data(), out.data());
  bool good = true;
  for (int i = 0; i < kBlocks * kThreads; ++i)
    good &= out[i] == i / kThreads * kThreads + kThreads - 1 - i % kThreads;
  return good;
}

}  // namespace

int main(int count, char** words) {
  if (count > 1) return mistake(words[1]);
  expect("shared memory and barrier", reversed(reverse));
  expect("a missing barrier shows", !reversed(unsynchronised));

  std::vector<double> s(5 * kThreads);
  launch(sums, {1}, kThreads, 0, nullptr, s.data());
  bool good = true;
  for (int t = 0; t < kThreads; ++t) {
    const double* o = s.data() + 5 * t;
    const double warp = 32 * (t / 32 * 32) + 31 * 16;
    good &= o[0] == 8128 && o[1] == 16256 && o[2] == kThreads && o[3] == 127 && o[4] == warp;
  }
  expect("sums and maxima of warps and blocks", good);

  std::vector<int> v(6 * kThreads);
  launch(shuffles, {1}, kThreads, 0, nullptr, v.data());
  good = true;
  for (int t = 0; t < kThreads; ++t) {
    const int* o = v.data() + 6 * t;
    const int lane = t % 32, first = 100 + t - lane;
    good &= o[0] == first + (lane ^ 5) && o[1] == first + (lane < 29 ? lane + 3 : lane) &&
            o[2] == first + (lane >= 3 ? lane - 3 : lane) && o[3] == first + 7 &&
            o[4] == first + (lane % 8 < 5 ? lane + 3 : lane) && o[5] == 15;
  }
  expect("shuffles and ballots", good);

  std::vector<int> d(3 * 64);
  launch(dynamic, {3}, 64, 64 * sizeof(int), nullptr, d.data());
  good = true;
  for (int x : d) good &= x == -1;
  expect("each block finds poison in shared memory", good);

  expect("a barrier that half of the block reaches",
         holds(caught(half_the_block), "do not come (64 of 128 have ended)"));
  expect("threads at two barriers", holds(caught(two_barriers), "others wait at another one"));
  int word = 0;
  expect("a shuffle of a part of a warp", holds(caught(part_of_a_warp, &word), "do not come"));
  expect("the executor goes on after mistakes", reversed(reverse));
  return failures != 0;
}
