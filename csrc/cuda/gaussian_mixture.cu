#include "../math/gaussian_mixture.h"

#include "../loops/cuda/launch.cuh"
#include "../loops/cuda/pairs_columns.cuh"
#include "../loops/cuda/pairs_components.cuh"
#include "../task.h"

// The tasks of a mixture: their grids, and the kernels that put parts together.
namespace pyvae {
inline namespace PYVAE_ISA {
namespace {

cuda::Grid team_grid(int64_t x, int64_t y = 1, int64_t z = 1) {
  return {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
}
template <class T>
int64_t spans_of(int64_t width) {
  return width <= kPairSpan<T> ? 1 : tiles_of(width, kPairSpan<T>);
}

template <class M, class T, bool kGrad>
void mixture_points_task(const Mixture& a, int64_t, void* stream) {
  if (by_columns(a)) {
    const int lanes = team_lanes(a);
    cuda::launch(
        mixture_points_1d_kernel<M, T, kGrad>,
        team_grid(tiles_of(a.num_points, column_owners(a)), a.parts, tiles_of(a.problems, lanes)),
        kTeamThreads, 0, stream, a, lanes);
  } else {
    cuda::launch(
        mixture_points_kernel<M, T, kGrad>,
        team_grid(tiles_of(a.num_points, kTeamOwners), a.parts, kGrad ? spans_of<T>(a.width) : 1),
        kTeamThreads, sizeof(PairTiles<typename M::OfPoint, T>), stream, a);
  }
  if (a.parts == 1) return;
  const int64_t joined = a.num_points * a.problems * (kGrad && a.width ? a.width : 1);
  cuda::launch(join_points_kernel<T, kGrad>, team_grid(tiles_of(joined, kTeamThreads)),
               kTeamThreads, 0, stream, a);
}

template <class M, class T>
void mixture_components_task(const Mixture& a, int64_t, void* stream) {
  if (by_columns(a)) {
    const int lanes = team_lanes(a);
    cuda::launch(mixture_components_1d_kernel<M, T>,
                 team_grid(tiles_of(a.num_components, column_owners(a)), a.parts,
                           tiles_of(a.problems, lanes)),
                 kTeamThreads, 0, stream, a, lanes);
  } else {
    cuda::launch(mixture_components_kernel<M, T>,
                 team_grid(tiles_of(a.num_components, kTeamOwners), a.parts, spans_of<T>(a.width)),
                 kTeamThreads, sizeof(PairTiles<typename M::OfComponent, T>), stream, a);
  }
  constexpr int kTeamWarps = kTeamThreads / cuda::kWarp;
  if (a.parts > 1 || by_columns(a))  // whose weights are summed over problems there
    cuda::launch(join_components_kernel<M, T>, team_grid(tiles_of(a.num_components, kTeamWarps)),
                 kTeamThreads, 0, stream, a);
}

template <class M, class T>
void mixture_log_weights_task(const Mixture& a, int64_t, void* stream) {
  const cuda::Grid grid =
      team_grid(tiles_of(a.num_components, kTeamOwners) * tiles_of(a.num_points, kTeamOthers));
  if (by_columns(a))
    cuda::launch(mixture_log_weights_1d_kernel<M, T>, grid, kTeamThreads, 0, stream, a);
  else
    cuda::launch(mixture_log_weights_kernel<M, T>, grid, kTeamThreads,
                 sizeof(PairTiles<typename M::OfComponent, T>), stream, a);
}

}  // namespace
}  // namespace PYVAE_ISA
}  // namespace pyvae

#define PYVAE_MIXTURE_TASK(name, task, ...)                                                        \
  PYVAE_CUDA_TASK(name, Mixture, task<GaussianMixture, float __VA_ARGS__>,                         \
                  task<GaussianMixture, double __VA_ARGS__>)

PYVAE_MIXTURE_TASK(mixture_value, mixture_points_task, , false)
PYVAE_MIXTURE_TASK(mixture_points, mixture_points_task, , true)
PYVAE_MIXTURE_TASK(mixture_components, mixture_components_task)
PYVAE_MIXTURE_TASK(mixture_log_weights, mixture_log_weights_task)
