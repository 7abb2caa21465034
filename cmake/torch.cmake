# The torch of the environment that is installed into, as the target pyvae_torch. Under build
# isolation the interpreter's own site-packages still is that environment.
#
# Not by find_package(Torch): that of a torch with CUDA stops where this machine has no CUDA toolkit.
# What we use of torch is the same with and without CUDA: its headers and three libraries.
set(PYVAE_TORCH "${Python_SITELIB}/torch")
foreach(name torch torch_cpu c10)
  find_library(PYVAE_LIB_${name} ${name} PATHS "${PYVAE_TORCH}/lib" NO_DEFAULT_PATH
               NO_CMAKE_FIND_ROOT_PATH)
endforeach()
if(NOT PYVAE_LIB_torch OR NOT PYVAE_LIB_torch_cpu OR NOT PYVAE_LIB_c10)
  message(FATAL_ERROR
    "pyvae builds against the PyTorch of your environment and found none in ${Python_SITELIB}: "
    "install PyTorch first (pip install torch), then install pyvae again.")
endif()
add_library(pyvae_torch INTERFACE)
target_include_directories(pyvae_torch SYSTEM INTERFACE
  "${PYVAE_TORCH}/include" "${PYVAE_TORCH}/include/torch/csrc/api/include")
target_link_libraries(pyvae_torch INTERFACE
  "${PYVAE_LIB_torch}" "${PYVAE_LIB_torch_cpu}" "${PYVAE_LIB_c10}")

# Its version, and that of its CUDA (empty without).
file(STRINGS "${PYVAE_TORCH}/version.py" lines REGEX "^(__version__|cuda)[: ]")
foreach(line IN LISTS lines)
  if(line MATCHES "^__version__ = '(.*)'")
    set(PYVAE_TORCH_VERSION "${CMAKE_MATCH_1}")
  elseif(line MATCHES "^cuda.* = '(.*)'")
    set(PYVAE_TORCH_CUDA "${CMAKE_MATCH_1}")
  endif()
endforeach()
