# cmake -DOUTPUT=FILE.cc -DDIRECTORY=DIR "-DNAMES=a;b" -P EmbedFiles.cmake
#
# Writes a source file with the text of DIR/a and DIR/b: what manager/session/builtin_scripts.h
# declares. Run at build time, so that a changed script is built in.
set(delimiter "hpc_embedded")
set(entries "")
foreach(name IN LISTS NAMES)
  file(READ "${DIRECTORY}/${name}" text)
  string(FIND "${text}" ")${delimiter}\"" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${name} holds the end of a C++ string: )${delimiter}\"")
  endif()
  string(APPEND entries "    {\"${name}\", R\"${delimiter}(${text})${delimiter}\"},\n")
endforeach()
file(WRITE "${OUTPUT}.new" "// Made by cmake/EmbedFiles.cmake.
#include \"manager/session/builtin_scripts.h\"

namespace hpc {

namespace {
constexpr BuiltinScript kScripts[] = {
${entries}};
}  // namespace

std::span<const BuiltinScript> builtin_scripts() { return kScripts; }

}  // namespace hpc
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
