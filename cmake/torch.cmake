# The torch of the environment that is installed into, as the target pyvae_torch. PYVAE_TORCH, a CMake
# variable or one of the environment, names the folder of its package where that is not found.
#
# Not by find_package(Torch): that of a torch with CUDA stops where this machine has no CUDA toolkit.
# What we use of torch is the same with and without CUDA: its headers and three libraries.
set(PYVAE_TORCH "" CACHE PATH "Folder of the torch package to build against (default: it is found)")
set(torch "${PYVAE_TORCH}")
if(NOT torch)
  set(torch "$ENV{PYVAE_TORCH}")
endif()
if(NOT torch)
  execute_process(COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/find_torch.py"
                  OUTPUT_VARIABLE torch OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
file(TO_CMAKE_PATH "${torch}" torch)
# Nothing of this is cached: the folder of a build may serve another environment next time.
foreach(name torch torch_cpu c10)
  find_library(PYVAE_LIB_${name} ${name} PATHS "${torch}/lib" NO_DEFAULT_PATH
               NO_CMAKE_FIND_ROOT_PATH NO_CACHE)
endforeach()
if(NOT PYVAE_LIB_torch OR NOT PYVAE_LIB_torch_cpu OR NOT PYVAE_LIB_c10)
  if(torch)
    message(FATAL_ERROR
      "pyvae builds against PyTorch, and PYVAE_TORCH=${torch} is not the folder of a torch package "
      "(it has no lib/ with torch, torch_cpu and c10).")
  elseif(DEFINED ENV{UV})
    message(FATAL_ERROR
      "pyvae builds against the PyTorch of your environment, which uv hides from builds: run "
      "`uv pip install torch scikit-build-core setuptools-scm pybind11 cmake ninja`, then "
      "`uv pip install --no-build-isolation` with what you were installing.")
  endif()
  message(FATAL_ERROR
    "pyvae builds against the PyTorch of your environment and found none in ${Python_SITELIB}: "
    "install PyTorch first (pip install torch), then install pyvae again.")
endif()

# Its version, and that of its CUDA (empty without).
file(STRINGS "${torch}/version.py" lines REGEX "^(__version__|cuda)[: ]")
foreach(line IN LISTS lines)
  if(line MATCHES "^__version__ = '(.*)'")
    set(PYVAE_TORCH_VERSION "${CMAKE_MATCH_1}")
  elseif(line MATCHES "^cuda.* = '(.*)'")
    set(PYVAE_TORCH_CUDA "${CMAKE_MATCH_1}")
  endif()
endforeach()
message(STATUS "pyvae: building against PyTorch ${PYVAE_TORCH_VERSION} in ${torch}")

add_library(pyvae_torch INTERFACE)
target_include_directories(pyvae_torch SYSTEM INTERFACE
  "${torch}/include" "${torch}/include/torch/csrc/api/include")
target_link_libraries(pyvae_torch INTERFACE
  "${PYVAE_LIB_torch}" "${PYVAE_LIB_torch_cpu}" "${PYVAE_LIB_c10}")
