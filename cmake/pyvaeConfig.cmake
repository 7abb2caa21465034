# find_package(pyvae) for packages that bring densities of their own. The folder of this file is what
# `python -m pyvae.extension --cmake-dir` prints.
include("${CMAKE_CURRENT_LIST_DIR}/pyvaeDensities.cmake")
