#include "manager/serve_settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "manager/serve_table.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

const ServeValue& value_of(const ServeSettings& settings, const std::string& name) {
  return *std::find_if(settings.values.begin(), settings.values.end(),
                       [&](const ServeValue& value) { return value.name == name; });
}

// The only problem there is.
std::string problem_of(const ServeSettings& settings) {
  EXPECT_EQ(settings.problems.size(), 1U);
  return settings.problems.empty() ? "" : settings.problems.front();
}

class ServeSettingsTest : public TempDirFixture {
 protected:
  ServeSettings read(ServeFlags flags, EnvironmentMap environment = {}) {
    return read_serve_settings(flags, environment);
  }
  ServeSettings read_file(const std::string& text, EnvironmentMap environment = {}) {
    std::ofstream(path_) << text;
    return read({{"config", {path_}}}, std::move(environment));
  }

  std::string path_ = dir + "/m.toml";
};

TEST_F(ServeSettingsTest, DefaultsOfTheTableAreThoseOfTheStruct) {
  const auto settings = read({}, {{"HOME", "/home/hpc"}});
  EXPECT_TRUE(settings.problems.empty());
  const ServeOptions fresh;
  const auto& options = settings.options;
  EXPECT_EQ(options.listen, fresh.listen);
  EXPECT_EQ(options.auth, fresh.auth);
  EXPECT_EQ(options.auth_header, fresh.auth_header);
  EXPECT_EQ(options.max_sessions, fresh.max_sessions);
  EXPECT_EQ(options.max_sessions_per_user, fresh.max_sessions_per_user);
  EXPECT_EQ(options.max_launching, fresh.max_launching);
  EXPECT_EQ(options.max_launching_per_user, fresh.max_launching_per_user);
  EXPECT_EQ(options.max_queued_per_user, fresh.max_queued_per_user);
  EXPECT_EQ(options.max_connections, fresh.max_connections);
  EXPECT_EQ(options.drain_ms, fresh.drain_ms);
  EXPECT_EQ(options.login_ms, fresh.login_ms);
  EXPECT_EQ(options.root_fallback, fresh.root_fallback);
  EXPECT_EQ(options.verbose, fresh.verbose);
  EXPECT_EQ(options.state, "/home/hpc/.local/state/hpc-manager/state.db");
  EXPECT_EQ(options.socket, "/home/hpc/.local/state/hpc-manager/socket");
}

// A good value of each option that differs from its default, and a bad one.
struct Sample {
  const char* name;
  const char* good;
  const char* bad;  // "" where every text is good
};
constexpr Sample kSamples[] = {
    {"listen", "127.0.0.1:8001", "localhost:80"},
    {"tls-cert", "/c", ""},
    {"tls-key", "/k", ""},
    {"public-url", "https://a", "https://a/b"},
    {"trusted-proxy", "10.0.0.0/8", "10.0.0.1/8"},
    {"metrics-listen", "127.0.0.1:9100", "9100"},
    {"auth", "ssh", "password"},
    {"auth-header", "X-Remote-User", "Cookie"},
    {"user-map", "(.+)@a=$1", "(.+)@a=$2"},
    {"admin", "alice", "Alice"},
    {"login-lifetime", "1h", "1y"},
    {"cluster", "a=b", "b"},
    {"known-hosts", "/h", ""},
    {"ssh-config", "/s", ""},
    {"identity", "/k/%u", "/k/%h"},
    {"local-ports", "9000-9099", "900-9099"},
    {"port-range", "vnc=6901-6999", "vnc=6999-6901"},
    {"max-sessions", "10000", "10001"},
    {"max-sessions-per-user", "999", "1000"},
    {"max-launching", "1000", "1001"},
    {"max-launching-per-user", "1000", "1001"},
    {"max-users-launching", "10000", "10001"},
    {"max-queued-per-user", "1000", "1001"},
    {"poll-min", "3600", "3601"},
    {"idle-end", "525600", "525601"},
    {"templates", "/t", ""},
    {"max-connections", "65535", "65536"},
    {"drain-timeout", "3600", "3601"},
    {"state", "/s.db", ""},
    {"socket", "/s", ""},
    {"root-fallback", "off", "maybe"},
    {"log-format", "json", "xml"},
    {"verbose", "on", "maybe"},
};

TEST_F(ServeSettingsTest, SamplesCoverTheTable) {
  std::set<std::string> want{"config", "app-url"};
  for (const auto& sample : kSamples) want.insert(sample.name);
  std::set<std::string> got;
  for (const auto& row : serve_option_table()) got.insert(row.name);
  EXPECT_EQ(got, want);
  EXPECT_EQ(got.size(), serve_option_table().size());
}

// The option as a line of the file.
std::string line_of(const ServeOptionRow& row, const std::string& text) {
  const std::string front = std::string(row.name) + " = ";
  if (row.type == TomlType::kNumber) return front + text + "\n";
  if (row.type == TomlType::kTexts) return front + "['" + text + "']\n";
  return front + "'" + text + "'\n";
}

TEST_F(ServeSettingsTest, FlagBeforeEnvironmentBeforeFileBeforeDefaultForEveryOption) {
  for (const auto& sample : kSamples) {
    SCOPED_TRACE(sample.name);
    const auto row =
        std::find_if(serve_option_table().begin(), serve_option_table().end(),
                     [&](const auto& r) { return std::string(r.name) == sample.name; });
    ASSERT_NE(row, serve_option_table().end());
    const std::string good = sample.good;
    const auto variable = serve_environment_name(row->name);
    const auto fallback = read({});
    EXPECT_EQ(value_of(fallback, row->name).source, ValueSource::kDefault);

    std::ofstream(path_) << "# a comment\n" << line_of(*row, good);
    ServeFlags flags{{"config", {path_}}};
    const auto file = read(flags);
    EXPECT_TRUE(file.problems.empty()) << file.problems.front();
    EXPECT_EQ(value_of(file, row->name).texts, std::vector{good});
    EXPECT_EQ(value_of(file, row->name).source, ValueSource::kFile);
    EXPECT_EQ(value_of(file, row->name).origin, path_ + " line 2: " + row->name);

    std::ofstream(path_) << line_of(*row, "file-must-lose");
    const auto environment = read(flags, {{variable, good}});
    EXPECT_EQ(value_of(environment, row->name).texts, std::vector{good});
    EXPECT_EQ(value_of(environment, row->name).source, ValueSource::kEnvironment);
    EXPECT_EQ(value_of(environment, row->name).origin, variable);

    flags[row->name] = {good};
    const auto flag = read(flags, {{variable, "environment-must-lose"}});
    EXPECT_EQ(value_of(flag, row->name).texts, std::vector{good});
    EXPECT_EQ(value_of(flag, row->name).source, ValueSource::kFlag);
    EXPECT_EQ(value_of(flag, row->name).origin, std::string("--") + row->name);
  }
}

TEST_F(ServeSettingsTest, ABadValueIsAProblemThatNamesWhereItStands) {
  for (const auto& sample : kSamples) {
    if (*sample.bad == '\0') continue;
    SCOPED_TRACE(sample.name);
    const std::string name = sample.name;
    EXPECT_EQ(problem_of(read({{name, {sample.bad}}})).rfind("--" + name + ": '", 0), 0U);
    const auto variable = serve_environment_name(name);
    EXPECT_EQ(problem_of(read({}, {{variable, sample.bad}})).rfind(variable + ": '", 0), 0U);
  }
}

TEST_F(ServeSettingsTest, AllProblemsAreToldAtOnce) {
  const auto settings =
      read({{"listen", {"x"}}, {"max-sessions", {"0"}}}, {{"HPC_MANAGER_AUTH", "y"}});
  EXPECT_EQ(settings.problems.size(), 3U);
  EXPECT_EQ(settings.unknown, (std::vector<std::string>{"listen", "auth", "max-sessions"}));
}

TEST_F(ServeSettingsTest, AppUrlIsReserved) {
  EXPECT_NE(problem_of(read({{"app-url", {"https://apps.example.org"}}})).find("not available yet"),
            std::string::npos);
}

TEST_F(ServeSettingsTest, SeveralValuesAreAListInTheFileAndWordsInTheEnvironment) {
  const auto file =
      read_file("cluster = [\n  \"a=h1\", # first\n  \"b=u@h2:23\",\n]\nadmin = 'x'\n");
  ASSERT_EQ(file.options.clusters.size(), 2U);
  EXPECT_EQ(file.options.clusters[1].target.user, "u");
  EXPECT_EQ(file.options.admins, std::vector<std::string>{"x"});
  const auto words = read({}, {{"HPC_MANAGER_ADMIN", " x  y\n"}});
  EXPECT_EQ(words.options.admins, (std::vector<std::string>{"x", "y"}));
}

TEST_F(ServeSettingsTest, ListsAtTheLimitAndOnePast) {
  std::vector<std::string> names(kServeListMax, "alice");
  EXPECT_TRUE(read({{"admin", names}}).problems.empty());
  names.emplace_back("alice");
  EXPECT_NE(problem_of(read({{"admin", names}})).find("more than 256"), std::string::npos);
}

TEST_F(ServeSettingsTest, AnEmptyFlagTakesTheDefaultBack) {
  std::ofstream(path_) << "identity = '/k/%u'\n";
  EXPECT_EQ(read({{"config", {path_}}}).options.identity, "/k/%u");
  EXPECT_FALSE(read({{"config", {path_}}, {"identity", {""}}}).options.identity);
}

TEST_F(ServeSettingsTest, PathsMayBeginWithATilde) {
  const auto settings =
      read_file("identity = '~/keys/%u'\nstate = '~/s.db'\n", {{"HOME", "/home/hpc"}});
  EXPECT_EQ(settings.options.identity, "/home/hpc/keys/%u");
  EXPECT_EQ(settings.options.state, "/home/hpc/s.db");
}

TEST_F(ServeSettingsTest, EveryClusterUsesTheSameKnownHostsAndSshConfig) {
  const auto settings =
      read({{"cluster", {"a=h", "b=h"}}, {"known-hosts", {"/kh"}}, {"ssh-config", {"/sc"}}});
  for (const auto& cluster : settings.options.clusters) {
    EXPECT_EQ(cluster.target.known_hosts, "/kh");
    EXPECT_EQ(cluster.target.ssh_config, "/sc");
  }
}

struct FileCase {
  const char* text;
  const char* says;
};
TEST_F(ServeSettingsTest, FilesAreReadStrictly) {
  constexpr FileCase kCases[] = {
      {"nonsense = 1\n", " line 1: nonsense is no option"},
      {"\nmax_sessions = 1\n", " line 2: max_sessions is no option; write max-sessions"},
      {"max-sessions = \"50\"\n", "max-sessions takes a whole number without quotes"},
      {"listen = 8000\n", "listen takes a text in quotes"},
      {"listen = ['127.0.0.1:1', '127.0.0.1:2']\n", "listen takes a text in quotes"},
      {"cluster = 1\n", "cluster takes a text in quotes, or a list"},
      {"verbose = 'yes'\n", "verbose takes true or false"},
      {"verbose = 1\n", "verbose takes true or false"},
      {"config = '/x'\n", "config cannot stand in the file itself"},
      {"max-sessions = -1\n", "line 1: max-sessions: '-1' is no whole number"},
      {"listen\n", ": line 1: '=' is missing"},
      {"app-url = 'https://a'\n", "not available yet"},
  };
  for (const auto& c : kCases) {
    const auto problem = problem_of(read_file(c.text));
    EXPECT_NE(problem.find(c.says), std::string::npos) << problem;
    EXPECT_EQ(problem.rfind(path_, 0), 0U) << problem;
  }
}

TEST_F(ServeSettingsTest, AFileThatIsNotThereIsAProblem) {
  EXPECT_EQ(problem_of(read({{"config", {"/no/such/file"}}})).rfind("--config: /no/such/file", 0),
            0U);
  EXPECT_EQ(problem_of(read({}, {{"HPC_MANAGER_CONFIG", dir}})).rfind("HPC_MANAGER_CONFIG: ", 0),
            0U);
}

TEST_F(ServeSettingsTest, OldNamesCountUntilANewOneIsSet) {
  EnvironmentMap old{{"MAX_CONCURRENT_ATTEMPTS_PER_JOB", "7"},
                     {"MAX_QUEUED_JOBS_PER_USER", "3"},
                     {"MAX_CONCURRENT_JOBS", "4"},
                     {"VNC_PORT_RANGE_START", "6901"},
                     {"VNC_PORT_RANGE_END", "6999"},
                     {"HPC_PROXY_LOCAL_PORT", "9000"}};
  const auto settings = read_file("max-launching = 9\n", old);
  ASSERT_TRUE(settings.problems.empty()) << settings.problems.front();
  EXPECT_EQ(settings.options.max_launching, 7U);
  EXPECT_EQ(settings.options.max_queued_per_user, 3U);
  EXPECT_EQ(settings.options.max_users_launching, 4U);
  EXPECT_EQ(value_of(settings, "max-users-launching").origin, "MAX_CONCURRENT_JOBS");
  ASSERT_EQ(settings.options.port_ranges.size(), 1U);
  EXPECT_EQ(settings.options.port_ranges[0].name, "vnc");
  EXPECT_EQ(settings.options.port_ranges[0].last, 6999);
  ASSERT_TRUE(settings.options.local_ports);
  EXPECT_EQ(settings.options.local_ports->first, 9000);
  EXPECT_EQ(settings.options.local_ports->last, 9099);
  EXPECT_EQ(value_of(settings, "max-launching").origin, "MAX_CONCURRENT_ATTEMPTS_PER_JOB");

  old["HPC_MANAGER_MAX_LAUNCHING"] = "8";
  old["HPC_MANAGER_MAX_USERS_LAUNCHING"] = "5";
  old["HPC_MANAGER_PORT_RANGE"] = "ssh=2201-2299";
  const auto newer = read_file("local-ports = '9100-9199'\n", old);
  EXPECT_EQ(newer.options.max_launching, 8U);
  EXPECT_EQ(newer.options.max_users_launching, 5U);
  ASSERT_EQ(newer.options.port_ranges.size(), 1U);
  EXPECT_EQ(newer.options.port_ranges[0].name, "ssh");
  EXPECT_EQ(newer.options.local_ports->first, 9100);
}

TEST_F(ServeSettingsTest, AnOldNameWithNonsenseIsNamed) {
  for (const auto* name :
       {"MAX_CONCURRENT_ATTEMPTS_PER_JOB", "MAX_QUEUED_JOBS_PER_USER", "MAX_CONCURRENT_JOBS"}) {
    EXPECT_EQ(
        problem_of(read({}, {{name, "many"}})).rfind(std::string(name) + ": 'many' is no ", 0), 0U);
  }
}

TEST_F(ServeSettingsTest, TimesComeInTheUnitsOfTheProgram) {
  const auto fresh = read({}).options;
  EXPECT_EQ(fresh.poll_min_ms, 2'000U);
  EXPECT_EQ(fresh.idle_end_ms, 0U) << "never";
  EXPECT_EQ(fresh.max_users_launching, std::nullopt);
  EXPECT_EQ(fresh.templates, std::nullopt);
  const auto options = read({{"poll-min", {"1"}}, {"idle-end", {"1"}}}).options;
  EXPECT_EQ(options.poll_min_ms, 1'000U);
  EXPECT_EQ(options.idle_end_ms, 60'000U);
  for (const auto* name : {"poll-min", "idle-end", "max-users-launching"}) {
    EXPECT_EQ(problem_of(read({{name, {"0"}}})).rfind("--" + std::string(name) + ": '0' is no ", 0),
              0U);
  }
}

TEST_F(ServeSettingsTest, ATemplatesFolderMayBeInTheHome) {
  EXPECT_EQ(read({{"templates", {"~/t"}}}, {{"HOME", "/home/op"}}).options.templates, "/home/op/t");
}

TEST_F(ServeSettingsTest, TheOldLocalPortStopsAtTheLastPort) {
  EXPECT_EQ(read({}, {{"HPC_PROXY_LOCAL_PORT", "65436"}}).options.local_ports->last, 65535);
  EXPECT_EQ(read({}, {{"HPC_PROXY_LOCAL_PORT", "65437"}}).options.local_ports->last, 65535);
  EXPECT_EQ(read({}, {{"HPC_PROXY_LOCAL_PORT", "65435"}}).options.local_ports->last, 65534);
  EXPECT_EQ(problem_of(read({}, {{"HPC_PROXY_LOCAL_PORT", "80"}})).rfind("HPC_PROXY_LOCAL_PORT: "),
            0U);
}

TEST_F(ServeSettingsTest, HalfAnOldRangeIsAProblem) {
  EXPECT_EQ(problem_of(read({}, {{"VNC_PORT_RANGE_START", "6901"}})),
            "VNC_PORT_RANGE_START is set, but not VNC_PORT_RANGE_END; a range needs both");
  EXPECT_EQ(problem_of(read({}, {{"VNC_PORT_RANGE_END", "6901"}})),
            "VNC_PORT_RANGE_END is set, but not VNC_PORT_RANGE_START; a range needs both");
  EXPECT_NE(problem_of(read({}, {{"V_PORT_RANGE_START", "x"}, {"V_PORT_RANGE_END", "y"}})), "");
}

TEST_F(ServeSettingsTest, TheProcessEnvironmentIsRead) {
  setenv("HPC_MANAGER_TEST_OF_SETTINGS", "a=b", 1);
  EXPECT_EQ(environment_of_process()["HPC_MANAGER_TEST_OF_SETTINGS"], "a=b");
  unsetenv("HPC_MANAGER_TEST_OF_SETTINGS");
}

}  // namespace
}  // namespace hpc
