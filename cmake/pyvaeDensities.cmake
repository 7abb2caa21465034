# pyvae_add_densities(target header...): builds the densities of these headers into a target, with
# kernels for every instruction set of this processor, and for CUDA where that language is enabled
# (CMAKE_CUDA_ARCHITECTURES as usual). The target then exports `pyvae_densities`.
#
# Used by pyvae itself and by packages that bring densities (find_package(pyvae)).

if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/../csrc/density.h")  # in pyvae's own sources
  set(PYVAE_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../csrc")
  set(PYVAE_INCLUDE_PREFIX "")
else()
  set(PYVAE_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include")
  set(PYVAE_INCLUDE_PREFIX "pyvae/")
endif()

# -DPYVAE_ISAS=portable: a build for a look at something else, in a third of the time.
if(NOT PYVAE_ISAS)
  set(PYVAE_ISAS portable)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND PYVAE_ISAS avx2 avx512)
  endif()
endif()
set(PYVAE_FLAGS_portable -DPYVAE_VECTOR_BYTES=16)
set(PYVAE_FLAGS_avx2 -DPYVAE_VECTOR_BYTES=32 -mavx2 -mfma -mf16c)
set(PYVAE_FLAGS_avx512 -DPYVAE_VECTOR_BYTES=64 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
    -mf16c -mprefer-vector-width=512)

# Sources of kernels, once for each instruction set: pyvae_cpu_kernels(target source...).
function(pyvae_cpu_kernels target)
  string(MD5 sources "${ARGN}")
  foreach(isa IN LISTS PYVAE_ISAS)
    set(kernels ${target}_${isa}_${sources})
    add_library(${kernels} OBJECT ${ARGN})
    target_include_directories(${kernels} PRIVATE "${PYVAE_INCLUDE_DIR}")
    target_compile_features(${kernels} PRIVATE cxx_std_20)
    target_compile_definitions(${kernels} PRIVATE PYVAE_ISA=${isa})
    target_compile_options(${kernels} PRIVATE ${PYVAE_FLAGS_${isa}} -O3 -fno-math-errno
                           -ffp-contract=fast -Wall -Wno-maybe-uninitialized)
    set_target_properties(${kernels} PROPERTIES POSITION_INDEPENDENT_CODE ON
                          CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    target_link_libraries(${target} PRIVATE ${kernels})
  endforeach()
endfunction()

# One unit of kernels for each header, and one that names all of them.
function(pyvae_add_densities target)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}_densities")
  set(includes "")
  set(cpu "")
  set(cuda "")
  foreach(header IN LISTS ARGN)
    get_filename_component(header "${header}" ABSOLUTE)
    get_filename_component(name "${header}" NAME_WE)
    string(APPEND includes "#include \"${header}\"\n")
    foreach(unit cpu.h cuda.cuh)
      string(REPLACE "cpu.h" "${folder}/${name}.cpp" source "${unit}")
      string(REPLACE "cuda.cuh" "${folder}/${name}.cu" source "${source}")
      file(CONFIGURE OUTPUT "${source}" CONTENT
           "#include \"${PYVAE_INCLUDE_PREFIX}units/${unit}\"\n\n#include \"${header}\"\n" @ONLY)
    endforeach()
    list(APPEND cpu "${folder}/${name}.cpp")
    list(APPEND cuda "${folder}/${name}.cu")
  endforeach()
  set(library "${folder}/all/library.cpp")
  file(CONFIGURE OUTPUT "${library}" CONTENT
       "#include \"${PYVAE_INCLUDE_PREFIX}units/library.h\"\n\n${includes}\nPYVAE_LIBRARY\n" @ONLY)
  target_sources(${target} PRIVATE "${library}")
  set_source_files_properties("${library}" PROPERTIES
                              INCLUDE_DIRECTORIES "${PYVAE_INCLUDE_DIR}"
                              COMPILE_OPTIONS "-fvisibility=hidden;-fvisibility-inlines-hidden")
  target_compile_features(${target} PRIVATE cxx_std_20)
  if("avx2" IN_LIST PYVAE_ISAS)
    target_compile_definitions(${target} PUBLIC PYVAE_X86)
  endif()
  pyvae_cpu_kernels(${target} ${cpu})

  if("CUDA" IN_LIST languages)
    add_library(${target}_cuda OBJECT ${cuda})
    target_include_directories(${target}_cuda PRIVATE "${PYVAE_INCLUDE_DIR}")
    target_compile_features(${target}_cuda PRIVATE cuda_std_20)
    target_compile_definitions(${target}_cuda PRIVATE PYVAE_ISA=device)
    target_compile_options(${target}_cuda PRIVATE
                           $<$<COMPILE_LANGUAGE:CUDA>:-Xfatbin=-compress-all>)
    set_target_properties(${target}_cuda PROPERTIES POSITION_INDEPENDENT_CODE ON
                          CUDA_VISIBILITY_PRESET hidden)
    target_compile_definitions(${target} PUBLIC PYVAE_CUDA)
    target_link_libraries(${target} PRIVATE ${target}_cuda)
  endif()
endfunction()
