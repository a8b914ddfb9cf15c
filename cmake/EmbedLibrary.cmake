# cmake -DOUTPUT=FILE.cc -DLIBRARY=FILE.so -P EmbedLibrary.cmake
#
# Writes a source file with the bytes of the library: what node-proxy/run/ports_image.h declares.
# Run at build time, after the library was linked.
file(READ "${LIBRARY}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
# Lines of 16 bytes: compilers read them faster than one long line.
string(REGEX REPLACE "(................................................................................)"
  "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}.new" "// Made by cmake/EmbedLibrary.cmake.
#include \"node-proxy/run/ports_image.h\"

namespace hpc {

namespace {
constexpr unsigned char kBytes[] = {
${bytes}};
}  // namespace

std::string_view ports_image() {
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

}  // namespace hpc
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
