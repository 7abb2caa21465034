# The CUDA kernels: PYVAE_CUDA=AUTO (where torch has CUDA and nvcc is found), ON or OFF, for the
# architectures PYVAE_CUDA_ARCHS ("80;90"; cuda_archs.cmake says which unless they are given).
# The kernels know no torch and the glue no CUDA, so that neither a GPU nor a torch with CUDA is
# needed to build them.
set(PYVAE_CUDA "AUTO" CACHE STRING "Build the CUDA kernels: AUTO, ON or OFF")
set(PYVAE_CUDA_ARCHS "" CACHE STRING
    "Architectures of the CUDA kernels, as 80;90 (default: those of the GPUs of this machine)")
set(PYVAE_CUDA_VERSION "")  # of the toolkit that builds them; empty: no kernels

string(TOUPPER "${PYVAE_CUDA}" wish)
if(NOT wish MATCHES "^(AUTO|ON|OFF|TRUE|FALSE|YES|NO|1|0)$")
  message(FATAL_ERROR "PYVAE_CUDA must be AUTO, ON or OFF, got ${PYVAE_CUDA}")
endif()
if(wish STREQUAL "AUTO")
  set(wish OFF)
  if(PYVAE_TORCH_CUDA)
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      set(wish ON)
    else()
      message(WARNING
        "PyTorch has CUDA ${PYVAE_TORCH_CUDA}, but there is no nvcc to build pyvae's CUDA kernels "
        "with: CUDA tensors will run the plain PyTorch reference. Install the CUDA toolkit, or "
        "set CUDACXX to its nvcc, and install pyvae again.")
    endif()
  endif()
endif()
if(NOT wish)
  return()
endif()

find_package(CUDAToolkit REQUIRED)
if(CUDAToolkit_VERSION VERSION_LESS 12.0)
  message(FATAL_ERROR "pyvae's CUDA kernels are C++20: they need CUDA 12.0 or newer, found "
                      "${CUDAToolkit_VERSION}")
endif()
include("${CMAKE_CURRENT_LIST_DIR}/cuda_archs.cmake")
pyvae_cuda_archs(PYVAE_CUDA_ARCHS "${PYVAE_CUDA_ARCHS}" "${CUDAToolkit_NVCC_EXECUTABLE}")
# Code for each; PTX, which the driver compiles for what has none, of the lowest and of the newest.
list(GET PYVAE_CUDA_ARCHS 0 lowest)
list(GET PYVAE_CUDA_ARCHS -1 newest)
list(TRANSFORM PYVAE_CUDA_ARCHS APPEND "-real" OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
list(APPEND CMAKE_CUDA_ARCHITECTURES "${lowest}-virtual" "${newest}-virtual")
list(REMOVE_DUPLICATES CMAKE_CUDA_ARCHITECTURES)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
enable_language(CUDA)
set(PYVAE_CUDA_VERSION "${CMAKE_CUDA_COMPILER_VERSION}")

# The loops of another kind than rows.
add_library(tasks_cuda OBJECT csrc/cuda/kernels.cu
  csrc/cuda/categorical.cu csrc/cuda/gaussian_mixture.cu csrc/cuda/logistic_mixture.cu
  csrc/cuda/mmd.cu csrc/cuda/rank1.cu)
# A namespace of its own, as every instruction set of the CPU has.
target_compile_definitions(tasks_cuda PRIVATE PYVAE_ISA=device)
target_compile_options(tasks_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xfatbin=-compress-all>)
target_link_libraries(pyvae_kernels PRIVATE tasks_cuda CUDA::cudart_static)
# The library itself has no CUDA source; a target that is older than the language may have taken an
# empty list of architectures from an earlier run's cache.
set_target_properties(pyvae_kernels PROPERTIES LINKER_LANGUAGE CXX CUDA_ARCHITECTURES OFF)
# The runtime is this library's own: torch brings another, which must not take its place.
target_link_options(pyvae_kernels PRIVATE LINKER:--exclude-libs,libcudart_static.a)
