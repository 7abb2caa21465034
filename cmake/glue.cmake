# pyvae_add_glue(torch): what joins the kernels to one torch, a target of torch.cmake, as the Python
# module _<torch>. One package may hold several, beside one library of kernels.
file(GLOB PYVAE_GLUE CONFIGURE_DEPENDS csrc/*.cpp csrc/autograd/*.cpp csrc/ops/*.cpp)
list(FILTER PYVAE_GLUE EXCLUDE REGEX "ops/tasks.cpp$") # names kernels, and lies with them
list(APPEND PYVAE_GLUE csrc/cpu/run.cpp csrc/cpu/combine.cpp csrc/cpu/loss.cpp)
if(PYVAE_CUDA_VERSION)
  list(APPEND PYVAE_GLUE csrc/cuda/run.cpp)
endif()

# at::parallel_for is a template over OpenMP. Only compiled with it, not linked: the symbols come from
# the OpenMP that torch itself runs on, whose number of threads torch.set_num_threads sets.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-fopenmp PYVAE_OPENMP)
if(PYVAE_OPENMP)
  set_source_files_properties(csrc/cpu/run.cpp PROPERTIES COMPILE_OPTIONS -fopenmp)
endif()

function(pyvae_add_glue torch)
  set(module _${torch})
  pybind11_add_module(${module} MODULE NO_EXTRAS ${PYVAE_GLUE})
  target_link_libraries(${module} PRIVATE ${torch} pyvae_kernels)
  target_compile_definitions(${module} PRIVATE PYVAE_MODULE=${module})
  target_compile_options(${module} PRIVATE -Wall)
  # The kernels lie beside it; torch is there before it.
  if(APPLE)
    set_target_properties(${module} PROPERTIES INSTALL_RPATH "@loader_path")
  else()
    set_target_properties(${module} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endif()
  install(TARGETS ${module} LIBRARY DESTINATION pyvae)
endfunction()
