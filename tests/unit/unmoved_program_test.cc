#include "node-proxy/run/unmoved_program.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <initializer_list>
#include <ostream>
#include <span>
#include <utility>

namespace hpc {
namespace {

template <class Word>
std::string vector_of(std::initializer_list<std::pair<Word, Word>> entries) {
  std::string bytes;
  for (const auto& [kind, value] : entries) {
    bytes.append(reinterpret_cast<const char*>(&kind), sizeof kind);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

std::string vector64(std::uint64_t base, std::uint64_t secure, std::uint64_t header = 56) {
  return vector_of<std::uint64_t>({{AT_SYSINFO_EHDR, 0x7FFF'1234'5000},
                                   {AT_PHENT, header},
                                   {AT_BASE, base},
                                   {AT_SECURE, secure},
                                   {AT_NULL, 0}});
}
std::string vector32(std::uint32_t base) {
  return vector_of<std::uint32_t>(
      {{AT_SYSINFO, 0xF7FC'0000}, {AT_PHENT, 32}, {AT_BASE, base}, {AT_SECURE, 0}, {AT_NULL, 0}});
}

struct VectorCase {
  const char* name;
  std::string bytes;
  const char* facts;  // "": refused
};
void PrintTo(const VectorCase& c, std::ostream* os) { *os << c.name; }

const VectorCase kVectors[] = {
    {"dynamic", vector64(0x7F00'0000'0000, 0), "-"},
    {"static_program", vector64(0, 0), "static"},
    {"setuid", vector64(0x7F00'0000'0000, 1), "rights"},
    {"static_setuid", vector64(0, 1), "static rights"},
    {"narrow", vector32(0xF7F0'0000), "32"},
    {"narrow_static", vector32(0), "static 32"},
    {"empty", "", ""},
    {"one_byte", "x", ""},
    {"only_the_end", vector_of<std::uint64_t>({{AT_NULL, 0}}), ""},
    {"other_header", vector64(0, 0, 57), ""},
    {"behind_the_end", vector_of<std::uint64_t>({{AT_NULL, 0}, {AT_PHENT, 56}}), ""},
    {"rubbish", std::string(4096, '\xFF'), ""},
};

class AuxiliaryVectorTest : public testing::TestWithParam<VectorCase> {};
TEST_P(AuxiliaryVectorTest, Tells) {
  ProgramFacts facts;
  std::string got;
  if (parse_auxiliary_vector(std::as_bytes(std::span(GetParam().bytes)), facts)) {
    if (facts.statically_linked) got += "static ";
    if (facts.more_rights) got += "rights ";
    if (facts.other_word_size) got += "32 ";
    got = got.empty() ? "-" : got.substr(0, got.size() - 1);
  }
  EXPECT_EQ(got, GetParam().facts);
}
INSTANTIATE_TEST_SUITE_P(Table, AuxiliaryVectorTest, testing::ValuesIn(kVectors),
                         [](const auto& c) { return c.param.name; });

TEST(AuxiliaryVectorTest, CutAnywhereIsNoFault) {
  for (const std::string& whole : {vector64(1, 1), vector32(1)}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      // Bytes of its own, so that a read past the end is seen by a sanitizer.
      const std::vector<char> part(whole.begin(), whole.begin() + static_cast<long>(cut));
      ProgramFacts facts;
      parse_auxiliary_vector(std::as_bytes(std::span(part)), facts);
    }
  }
}

TEST(UnmovedProgramTest, LibraryIsSeenAmongMappedFiles) {
  constexpr std::string_view kLine = "7f00-7f01 r-xp 00000000 08:01 77   /home/a/";
  const auto maps = [&](std::string_view end) {
    return maps_library("55 /usr/bin/node\n" + std::string(kLine) + std::string(end));
  };
  EXPECT_TRUE(maps("libhpc_ports.so\n7f02 /x\n"));
  EXPECT_TRUE(maps("libhpc_ports.so (deleted)\n"));
  EXPECT_TRUE(maps("libhpc_ports.so"));
  EXPECT_FALSE(maps("libhpc_ports.so.old\n"));
  EXPECT_FALSE(maps("my-libhpc_ports.so\n"));
  EXPECT_TRUE(maps("libhpc_ports.sox\n /b/libhpc_ports.so\n"));
  EXPECT_FALSE(maps_library(""));
}

TEST(UnmovedProgramTest, PreloadIsReadInTheEnvironment) {
  const auto with = [](std::string_view text) { return preloads_library(text); };
  using namespace std::string_view_literals;
  EXPECT_TRUE(with("A=1\0LD_PRELOAD=/x/libhpc_ports.so:/y.so\0B=2\0"sv));
  EXPECT_TRUE(with("LD_PRELOAD=/x/libhpc_ports.so"sv));
  EXPECT_FALSE(with("LD_PRELOAD=/y.so\0X=/x/libhpc_ports.so\0"sv));
  EXPECT_FALSE(with("OLD_LD_PRELOAD=/x/libhpc_ports.so\0"sv));
  EXPECT_FALSE(with("A=LD_PRELOAD=/x/libhpc_ports.so\0"sv));
  EXPECT_FALSE(with("\0\0"sv));
  EXPECT_FALSE(with(""sv));
}

TEST(UnmovedProgramTest, ReasonIsTheTrueOne) {
  ProgramFacts facts;
  EXPECT_EQ(unmoved_reason(facts), "it was started without LD_PRELOAD");
  facts.preload_set = true;
  EXPECT_NE(unmoved_reason(facts).find("another C library"), std::string_view::npos);
  facts.more_rights = true;
  EXPECT_NE(unmoved_reason(facts).find("setuid"), std::string_view::npos);
  facts.other_word_size = true;
  EXPECT_EQ(unmoved_reason(facts), "it is a 32-bit program");
  facts.statically_linked = true;
  EXPECT_EQ(unmoved_reason(facts), "it is statically linked");
  facts.library_loaded = true;
  EXPECT_NE(unmoved_reason(facts).find("Go"), std::string_view::npos);
}

TEST(UnmovedProgramTest, WarningSaysWhoWhereWhyAndWhatToDo) {
  ProgramFacts facts;
  facts.statically_linked = true;
  EXPECT_EQ(unmoved_warning("go-server", 4711, 8080, facts),
            "hpc-proxy: go-server (pid 4711) listens on port 8080 without a private address, "
            "because it is "
            "statically linked: other users of this node cannot use that port number, and can "
            "connect to it; hpc-proxy still lets only you in. --private netns would give it one");
  EXPECT_TRUE(unmoved_warning("", 1, 80, facts).starts_with("hpc-proxy: a program (pid 1)"));
}

TEST(UnmovedProgramTest, ThisProcessIsDynamicAndNotPreloaded) {
  const auto facts = read_program_facts("/proc", getpid());
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->statically_linked || facts->other_word_size || facts->more_rights);
  EXPECT_FALSE(facts->library_loaded || facts->preload_set);
  EXPECT_FALSE(read_program_facts("/proc", -1)) << "there is none";
}

}  // namespace
}  // namespace hpc
