# llhttp as a library target, llhttp::llhttp. Debian 12 ships it as C source in node-llhttp, with no library to link;
# newer systems have a CMake package, which is taken when it is there.
find_package(llhttp QUIET CONFIG)
if(TARGET llhttp::llhttp_static AND NOT TARGET llhttp::llhttp)
  add_library(llhttp::llhttp ALIAS llhttp::llhttp_static)
endif()
if(NOT TARGET llhttp::llhttp)
  find_path(llhttp_INCLUDE_DIR llhttp.h PATHS /usr/share/include PATH_SUFFIXES llhttp)
  find_path(llhttp_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(llhttp
    REQUIRED_VARS llhttp_INCLUDE_DIR llhttp_SOURCE_DIR
    REASON_FAILURE_MESSAGE "install node-llhttp (Debian 12) or libllhttp-dev (Debian 13)")
  add_library(llhttp STATIC
    ${llhttp_SOURCE_DIR}/api.c ${llhttp_SOURCE_DIR}/http.c ${llhttp_SOURCE_DIR}/llhttp.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${llhttp_INCLUDE_DIR})
  # 8.1's default accepts `Host : x`; never build it lenient.
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -w -O2)
  add_library(llhttp::llhttp ALIAS llhttp)
endif()
