# hpc_python_test(LABEL FILE [TIMEOUT SECONDS])
#
# Registers the Python program tests/LABEL/FILE as the ctest LABEL.NAME. It finds our programs in
# the environment: HPC_PROXY, HPC_MANAGER (paths of the two programs), HPC_BUILD_DIR, and
# HPC_SANITIZED=thread (or address) where a sanitizer takes memory and time of its own. Exit 77 means
# that the test cannot run here (ctest: skipped); it must print why.
function(hpc_python_test label file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TIMEOUT" "")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  string(REGEX REPLACE "_test\\.py$" "" name ${file})
  set(name ${label}.${name})
  set(environment
    HPC_WAN_TOOL=${CMAKE_BINARY_DIR}/tests/support/wan
    HPC_PROXY=${CMAKE_BINARY_DIR}/node-proxy/hpc-proxy
    HPC_MANAGER=${CMAKE_BINARY_DIR}/manager/hpc-manager
    HPC_BUILD_DIR=${CMAKE_BINARY_DIR}
    PYTHONDONTWRITEBYTECODE=1)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    # hpc-proxy is a program with AddressSanitizer then, and inside of a run libhpc_ports.so comes
    # before its runtime.
    string(REGEX MATCH "-fsanitize=([a-z]+)" matched "${CMAKE_CXX_FLAGS}")
    list(APPEND environment HPC_SANITIZED=${CMAKE_MATCH_1} ASAN_OPTIONS=verify_asan_link_order=0)
  endif()
  # Debian's interpreter, not one that a version manager put in front of it.
  add_test(NAME ${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${file} -v)
  set_tests_properties(${name} PROPERTIES
    LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "${environment}")
endfunction()
