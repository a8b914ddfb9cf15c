#include "manager/store/sqlite_schema.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

const std::vector<Migration> kOne = {{1, "CREATE TABLE a (x INTEGER) STRICT"}};
const std::vector<Migration> kTwo = {
    kOne[0], {2, "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 5; CREATE TABLE b (z)"}};
const std::vector<Migration> kBroken = {kOne[0],
                                        {2, "CREATE TABLE b (z); INSERT INTO nowhere VALUES (1)"}};

struct SqliteSchemaTest : TempDirFixture {
  std::unique_ptr<SqliteDb> db = make();

  std::unique_ptr<SqliteDb> make() const {
    put(dir + "/x.db", "");
    auto opened = SqliteDb::open(dir + "/x.db");
    EXPECT_TRUE(opened.has_value());
    return std::move(*opened);
  }
  std::int64_t number(const char* sql) const { return db->number(sql).value_or(-1); }
  std::int64_t tables() const {
    return number("SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
  }
  std::string refused(const std::vector<Migration>& steps) const {
    const auto owner = check_owner(*db, steps);
    EXPECT_FALSE(owner.has_value());
    if (owner) return {};
    EXPECT_EQ(owner.error().code, Errc::kConfig);
    return describe(owner.error());
  }
};

TEST_F(SqliteSchemaTest, AnEmptyFileIsOurs) {
  EXPECT_TRUE(check_owner(*db, kOne).has_value());
  EXPECT_EQ(tables(), 0);
}

TEST_F(SqliteSchemaTest, MarksTheFileWithEveryStep) {
  ASSERT_TRUE(migrate(*db, kOne).has_value());
  EXPECT_EQ(number("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(number("PRAGMA user_version"), 1);
  EXPECT_TRUE(check_owner(*db, kOne).has_value());
}

TEST_F(SqliteSchemaTest, GoesOnFromTheLayoutThatIsThere) {
  ASSERT_TRUE(migrate(*db, kOne).has_value());
  ASSERT_TRUE(db->run("INSERT INTO a VALUES (7)").has_value());
  ASSERT_TRUE(migrate(*db, kTwo).has_value());
  EXPECT_EQ(number("PRAGMA user_version"), 2);
  EXPECT_EQ(number("SELECT x * 10 + y FROM a"), 75);
  ASSERT_TRUE(migrate(*db, kTwo).has_value()) << "nothing is done twice";
}

TEST_F(SqliteSchemaTest, AStepThatFailsLeavesTheLayoutBeforeIt) {
  EXPECT_FALSE(migrate(*db, kBroken).has_value());
  EXPECT_EQ(number("PRAGMA user_version"), 1);
  EXPECT_EQ(tables(), 1);
  EXPECT_TRUE(migrate(*db, kTwo).has_value());
}

TEST_F(SqliteSchemaTest, RefusesANewerLayout) {
  ASSERT_TRUE(migrate(*db, kTwo).has_value());
  const auto said = refused(kOne);
  EXPECT_NE(said.find("newer hpc-manager (layout 2, this one knows 1)"), std::string::npos) << said;
  EXPECT_NE(said.find(dir + "/x.db"), std::string::npos) << said;
}

TEST_F(SqliteSchemaTest, RefusesTheFileOfAnotherProgram) {
  for (const char* sql :
       {"CREATE TABLE moz_places (url)", "PRAGMA user_version = 3", "PRAGMA application_id = 5"}) {
    db = make();
    ASSERT_TRUE(db->run(sql).has_value());
    const auto said = refused(kOne);
    EXPECT_NE(said.find("another program"), std::string::npos) << sql << ": " << said;
  }
}

TEST_F(SqliteSchemaTest, TheRealStepsRiseByOneFromOne) {
  int version = 0;
  for (const Migration& step : migrations()) EXPECT_EQ(step.version, ++version);
  EXPECT_TRUE(migrate(*db, migrations()).has_value());
  EXPECT_EQ(number("PRAGMA user_version"), version);
}

}  // namespace
}  // namespace hpc
