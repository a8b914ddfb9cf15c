# hpc_libuv and hpc_libsodium: the shared libraries for most targets, the archives for an executable
# with the property HPC_STATIC. One library of ours can so be linked into both.
find_library(HPC_LIBUV_ARCHIVE NAMES libuv_a.a libuv.a)
find_library(HPC_LIBSODIUM_ARCHIVE NAMES libsodium.a)
find_package(Threads REQUIRED)
if(HPC_STATIC_NODE_PROXY AND NOT (HPC_LIBUV_ARCHIVE AND HPC_LIBSODIUM_ARCHIVE))
  message(FATAL_ERROR "hpc-proxy is linked statically and needs libuv_a.a (libuv1-dev) and "
    "libsodium.a (libsodium-dev); or configure with -DHPC_STATIC_NODE_PROXY=OFF")
endif()

function(hpc_shared_or_archive target shared archive)
  set(is_static $<BOOL:$<TARGET_PROPERTY:HPC_STATIC>>)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE
    $<$<NOT:${is_static}>:${shared}> $<${is_static}:${archive}> ${ARGN})
endfunction()
hpc_shared_or_archive(hpc_libuv PkgConfig::libuv ${HPC_LIBUV_ARCHIVE}
  Threads::Threads ${CMAKE_DL_LIBS})
hpc_shared_or_archive(hpc_libsodium PkgConfig::libsodium ${HPC_LIBSODIUM_ARCHIVE})
