// Linked into the static program only. libuv refers to getpwuid_r for uv_os_homedir, which nobody
// here calls; glibc's own would bring the name service switch with it: half a megabyte, and shared
// libraries of the exact glibc that it was built with.
#include <pwd.h>

#include <cerrno>

extern "C" int getpwuid_r(uid_t /*uid*/, passwd* /*entry*/, char* /*buffer*/, size_t /*size*/,
                          passwd** result) {
  *result = nullptr;
  return ENOENT;
}
