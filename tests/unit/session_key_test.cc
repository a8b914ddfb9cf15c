#include "manager/session/session_key.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>

namespace hpc {
namespace {

struct NameCase {
  const char* name;
  std::string text;
  bool valid;
};
void PrintTo(const NameCase& c, std::ostream* os) { *os << c.name; }

const NameCase kNameCases[] = {
    {"plain", "alice", true},
    {"digit_first", "0day", true},
    {"all_bytes", "a.b_c-9", true},
    {"longest", std::string(64, 'a'), true},
    {"one_longer", std::string(65, 'a'), false},
    {"empty", "", false},
    {"dot_first", ".a", false},
    {"dots", "..", false},
    {"dash_first", "-a", false},
    {"underscore_first", "_a", false},
    {"upper_case", "Alice", false},
    {"slash", "a/b", false},
    {"tilde", "a~2", false},
    {"percent", "a%2e", false},
    {"space", "a b", false},
    {"not_ascii", "al\xc3\xa9", false},
    {"nul", std::string("a\0b", 3), false},
};

class SessionNameTest : public testing::TestWithParam<NameCase> {};
TEST_P(SessionNameTest, IsChecked) {
  EXPECT_EQ(is_session_name(GetParam().text), GetParam().valid);
}
INSTANTIATE_TEST_SUITE_P(Names, SessionNameTest, testing::ValuesIn(kNameCases),
                         [](const auto& i) { return i.param.name; });

struct PathCase {
  const char* name;
  std::string_view target;
  const char* user;  // nullptr: refused
  unsigned slot = 1;
  std::string_view rest = "";
};
void PrintTo(const PathCase& c, std::ostream* os) { *os << c.name; }

constexpr PathCase kPathCases[] = {
    {"bare", "/user/alice/main/vscode", "alice"},
    {"slash", "/user/alice/main/vscode/", "alice", 1, "/"},
    {"query", "/user/alice/main/vscode?a=/b", "alice", 1, "?a=/b"},
    {"rest_as_it_is", "/user/bob/main/vscode//x%2f?y", "bob", 1, "//x%2f?y"},
    {"second", "/user/alice/main/vscode~2/x", "alice", 2, "/x"},
    {"highest_slot", "/user/alice/main/vscode~999", "alice", 999},
    {"slot_too_high", "/user/alice/main/vscode~1000", nullptr},
    {"slot_far_too_high", "/user/alice/main/vscode~99999999999999999999", nullptr},
    {"slot_one_is_not_written", "/user/alice/main/vscode~1", nullptr},
    {"slot_zero", "/user/alice/main/vscode~0", nullptr},
    {"slot_leading_zero", "/user/alice/main/vscode~02", nullptr},
    {"slot_empty", "/user/alice/main/vscode~", nullptr},
    {"slot_sign", "/user/alice/main/vscode~+2", nullptr},
    {"slot_junk", "/user/alice/main/vscode~2a", nullptr},
    {"slot_twice", "/user/alice/main/vscode~2~3", nullptr},
    {"slot_of_nothing", "/user/alice/main/~2", nullptr},
    {"encoded_tilde", "/user/alice/main/vscode%7e2", nullptr},
    {"no_ide", "/user/alice/main", nullptr},
    {"empty_ide", "/user/alice/main/", nullptr},
    {"no_cluster", "/user/alice", nullptr},
    {"empty_user", "/user//main/vscode", nullptr},
    {"query_for_cluster", "/user/alice?main/vscode", nullptr},
    {"query_for_ide", "/user/alice/main?vscode", nullptr},
    {"dots_for_user", "/user/../main/vscode", nullptr},
    {"encoded_user", "/user/%61lice/main/vscode", nullptr},
    {"upper_case_user", "/user/Alice/main/vscode", nullptr},
    {"upper_case_word", "/User/alice/main/vscode", nullptr},
    {"double_slash", "//user/alice/main/vscode", nullptr},
    {"users", "/users/alice/main/vscode", nullptr},
    {"root", "/", nullptr},
    {"empty", "", nullptr},
};

class SessionPathTest : public testing::TestWithParam<PathCase> {};
TEST_P(SessionPathTest, IsTakenApartOnRawBytes) {
  const auto& want = GetParam();
  const auto got = parse_session_path(want.target);
  ASSERT_EQ(got.has_value(), want.user != nullptr);
  if (!got) return;
  EXPECT_EQ(got->key, (SessionKey{want.user, "main", "vscode", want.slot}));
  EXPECT_EQ(got->rest, want.rest);
  EXPECT_EQ(std::string(got->prefix) + std::string(got->rest), want.target);
  EXPECT_EQ(path_of(got->key), got->prefix) << "one session has one path";
}
INSTANTIATE_TEST_SUITE_P(Paths, SessionPathTest, testing::ValuesIn(kPathCases),
                         [](const auto& i) { return i.param.name; });

TEST(SessionKeyTest, KeysWithTheSameTextAreDifferent) {
  const SessionKey one{"a-b", "c", "d", 1};
  const SessionKey two{"a", "b-c", "d", 1};
  EXPECT_EQ(text_of(one), text_of(two));
  EXPECT_NE(one, two);
  EXPECT_EQ(std::set<SessionKey>({one, two}).size(), 2U);
}

TEST(SessionKeyTest, TheTextNamesASecondSession) {
  EXPECT_EQ(text_of({"alice", "main", "vscode", 1}), "alice-main-vscode");
  EXPECT_EQ(text_of({"alice", "main", "vscode", 2}), "alice-main-vscode~2");
}

}  // namespace
}  // namespace hpc
