# The torches to build for, each as a target: PYVAE_TORCH_TARGETS lists them, as torch2_13;torch2_14.
# PYVAE_TORCHES, a CMake variable or one of the environment, names the folders of their packages
# ("/a/torch;/b/torch"). Without it there is one, that of the environment that is installed into.
#
# Not by find_package(Torch): that of a torch with CUDA stops where this machine has no CUDA toolkit.
# What we use of torch is the same with and without CUDA: its headers and three libraries.
set(PYVAE_TORCHES "" CACHE STRING "Folders of torch packages to build for (default: one is found)")
set(PYVAE_TORCH_TARGETS "")
set(PYVAE_TORCH_CUDA "") # the version of CUDA of one of them, if any has it

# pyvae_add_torch(folder): makes a target of a package, and appends it to the list.
function(pyvae_add_torch folder)
  file(TO_CMAKE_PATH "${folder}" folder)
  # Nothing of this is cached: the folder of a build may serve another environment next time.
  set(libraries "")
  foreach(name torch torch_cpu c10)
    find_library(library_${name} ${name} PATHS "${folder}/lib" NO_DEFAULT_PATH
                 NO_CMAKE_FIND_ROOT_PATH NO_CACHE)
    if(NOT library_${name})
      message(FATAL_ERROR
        "pyvae builds against PyTorch, and ${folder} is not the folder of a torch package (it has no "
        "lib/ with torch, torch_cpu and c10): PYVAE_TORCHES names another.")
    endif()
    list(APPEND libraries "${library_${name}}")
  endforeach()

  # Its version, and that of its CUDA.
  set(version "")
  set(cuda "")
  file(STRINGS "${folder}/version.py" lines REGEX "^(__version__|cuda)[: ]")
  foreach(line IN LISTS lines)
    if(line MATCHES "^__version__ = '(.*)'")
      set(version "${CMAKE_MATCH_1}")
    elseif(line MATCHES "^cuda.* = '(.*)'")
      set(cuda "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  # Releases that differ in their last number have one C++ interface (pyvae/_build_check.py).
  set(interface "${version}")
  if(version MATCHES "^([0-9]+[.][0-9]+)([.][0-9]+)*([+].*)?$")
    set(interface "${CMAKE_MATCH_1}")
  endif()
  string(MAKE_C_IDENTIFIER "torch${interface}" target)
  if(target IN_LIST PYVAE_TORCH_TARGETS)
    message(FATAL_ERROR "PYVAE_TORCHES names two packages of torch ${interface}; one serves both.")
  endif()
  message(STATUS "pyvae: building against PyTorch ${version} in ${folder}")

  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE
    "${folder}/include" "${folder}/include/torch/csrc/api/include")
  target_link_libraries(${target} INTERFACE ${libraries})
  list(APPEND PYVAE_TORCH_TARGETS ${target})
  set(PYVAE_TORCH_TARGETS "${PYVAE_TORCH_TARGETS}" PARENT_SCOPE)
  set(PYVAE_VERSION_OF_${target} "${version}" PARENT_SCOPE)
  if(cuda)
    set(PYVAE_TORCH_CUDA "${cuda}" PARENT_SCOPE)
  endif()
endfunction()

set(folders "${PYVAE_TORCHES}")
if(NOT folders)
  set(folders "$ENV{PYVAE_TORCHES}")
endif()
if(NOT folders)
  execute_process(COMMAND "${Python_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/find_torch.py"
                  OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT folders)
  if(DEFINED ENV{UV})
    message(FATAL_ERROR
      "pyvae builds against the PyTorch of your environment, which uv hides from builds: run "
      "`uv pip install torch scikit-build-core setuptools-scm pybind11 cmake ninja`, then "
      "`uv pip install --no-build-isolation` with what you were installing.")
  endif()
  message(FATAL_ERROR
    "pyvae builds against the PyTorch of your environment and found none in ${Python_SITELIB}: "
    "install PyTorch first (pip install torch), then install pyvae again.")
endif()
foreach(folder IN LISTS folders)
  pyvae_add_torch("${folder}")
endforeach()
