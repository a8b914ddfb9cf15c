#include "manager/serve_check.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <ostream>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

ClusterOption cluster(const char* name, const char* user = nullptr) {
  ClusterOption option;
  option.name = name;
  option.target.host = "login01";
  if (user != nullptr) option.target.user = user;
  return option;
}

NamedPortRange range(const char* name, unsigned first, unsigned last) {
  return {name, static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

ServeOptions good() {
  ServeOptions options;
  options.clusters = {cluster("main")};
  return options;
}

const PublicUrl kHttps{"https", "hpc.example.org"};

// What changes in good options, and how the only problem begins then; "" for none.
struct CheckCase {
  const char* name;
  std::function<void(ServeOptions&)> change;
  const char* problem;
};
void PrintTo(const CheckCase& c, std::ostream* os) { *os << c.name; }

const CheckCase kListening[] = {
    {"good", [](ServeOptions&) {}, ""},
    {"loopback_net", [](ServeOptions& o) { o.listen.address = "127.1.2.3"; }, ""},
    {"loopback_v6", [](ServeOptions& o) { o.listen.address = "::1"; }, ""},
    {"open_to_others", [](ServeOptions& o) { o.listen.address = "0.0.0.0"; }, "--listen: 0.0.0.0"},
    {"open_v6", [](ServeOptions& o) { o.listen.address = "::"; }, "--listen: ::"},
    {"open_with_tls",
     [](ServeOptions& o) {
       o.listen.address = "10.0.0.1";
       o.tls_cert = o.tls_key = "/f";
     },
     ""},
    {"everywhere_with_tls",
     [](ServeOptions& o) {
       o.listen.address = "0.0.0.0";
       o.public_url = kHttps;
       o.tls_cert = o.tls_key = "/f";
     },
     ""},
    {"everywhere_under_no_name",
     [](ServeOptions& o) {
       o.listen.address = "0.0.0.0";
       o.tls_cert = o.tls_key = "/f";
     },
     "--listen: 0.0.0.0 is every address of this machine, and no browser can open that one; give "
     "--public-url https://"},
    {"everywhere_v6_under_no_name",
     [](ServeOptions& o) {
       o.listen.address = "0::0";
       o.tls_cert = o.tls_key = "/f";
     },
     "--listen: 0::0 is every address"},
    {"one_v6_with_tls",
     [](ServeOptions& o) {
       o.listen.address = "2001:db8::1";
       o.tls_cert = o.tls_key = "/f";
     },
     ""},
    {"open_behind_proxy",
     [](ServeOptions& o) {
       o.listen.address = "10.0.0.1";
       o.public_url = kHttps;
       o.trusted_proxies = {"10.0.0.2/32"};
     },
     ""},
    {"https_without_proxy",
     [](ServeOptions& o) {
       o.listen.address = "10.0.0.1";
       o.public_url = kHttps;
     },
     "--listen"},
    {"proxy_without_https",
     [](ServeOptions& o) {
       o.listen.address = "10.0.0.1";
       o.public_url = PublicUrl{"http", "hpc.example.org"};
       o.trusted_proxies = {"10.0.0.2/32"};
     },
     "--listen"},
    {"proxy_without_url",
     [](ServeOptions& o) {
       o.listen.address = "10.0.0.1";
       o.trusted_proxies = {"10.0.0.2/32"};
     },
     "--listen"},
    {"cert_only", [](ServeOptions& o) { o.tls_cert = "/f"; }, "--tls-cert: needs --tls-key"},
    {"key_only", [](ServeOptions& o) { o.tls_key = "/f"; }, "--tls-key: needs --tls-cert"},
    {"tls_but_http",
     [](ServeOptions& o) {
       o.tls_cert = o.tls_key = "/f";
       o.public_url = PublicUrl{"http", "a"};
     },
     "--public-url"},
    {"metrics",
     [](ServeOptions& o) {
       o.metrics_listen = ListenAddress{"127.0.0.1", 9100};
     },
     ""},
    {"metrics_same", [](ServeOptions& o) { o.metrics_listen = o.listen; }, "--metrics-listen"},
    {"both_any_free_port",
     [](ServeOptions& o) {
       o.listen.port = 0;
       o.metrics_listen = o.listen;
     },
     ""},
};

const CheckCase kPeople[] = {
    {"header_alone", [](ServeOptions& o) { o.auth = AuthMode::kHeader; }, "--auth: header needs"},
    {"header",
     [](ServeOptions& o) {
       o.auth = AuthMode::kHeader;
       o.trusted_proxies = {"127.0.0.1/32"};
     },
     ""},
    {"ssh", [](ServeOptions& o) { o.auth = AuthMode::kSsh; }, ""},
    {"ssh_as_somebody",
     [](ServeOptions& o) {
       o.auth = AuthMode::kSsh;
       o.clusters.push_back(cluster("gpu", "alice"));
     },
     "--auth: with ssh everybody logs in as himself, but --cluster gpu"},
    {"no_cluster", [](ServeOptions& o) { o.clusters.clear(); }, "--cluster: at least one"},
    {"two_of_a_name", [](ServeOptions& o) { o.clusters.push_back(cluster("main")); },
     "--cluster: two are named main"},
    {"most_clusters",
     [](ServeOptions& o) {
       while (o.clusters.size() < kClustersMax) {
         o.clusters.push_back(cluster(("c" + std::to_string(o.clusters.size())).c_str()));
       }
     },
     ""},
    {"one_cluster_too_many",
     [](ServeOptions& o) {
       while (o.clusters.size() <= kClustersMax) {
         o.clusters.push_back(cluster(("c" + std::to_string(o.clusters.size())).c_str()));
       }
     },
     "--cluster: at most 32"},
    {"identity", [](ServeOptions& o) { o.identity = "/k/%u"; }, ""},
    {"identity_of_all", [](ServeOptions& o) { o.identity = "/k/key"; }, "--identity: /k/key"},
    {"identity_percent", [](ServeOptions& o) { o.identity = "/k/%%u"; }, "--identity: /k/%%u"},
    {"identity_behind_percent", [](ServeOptions& o) { o.identity = "/k/%%%u"; }, ""},
    {"identity_of_one",
     [](ServeOptions& o) {
       o.identity = "/k/key";
       o.clusters = {cluster("main", "alice")};
     },
     ""},
    {"identity_one_of_two",
     [](ServeOptions& o) {
       o.identity = "/k/key";
       o.clusters = {cluster("main", "alice"), cluster("gpu")};
     },
     "--identity"},
};

const CheckCase kRanges[] = {
    {"apart",
     [](ServeOptions& o) {
       o.local_ports = range("local", 9000, 9099);
       o.port_ranges = {range("vnc", 9100, 9199), range("ssh", 8990, 8999)};
     },
     ""},
    {"share_one",
     [](ServeOptions& o) {
       o.local_ports = range("local", 9000, 9100);
       o.port_ranges = {range("vnc", 9100, 9199)};
     },
     "--port-range vnc: shares ports with --local-ports"},
    {"share_one_below",
     [](ServeOptions& o) {
       o.port_ranges = {range("a", 9100, 9199), range("b", 9000, 9100)};
     },
     "--port-range b: shares ports with --port-range a"},
    {"inside",
     [](ServeOptions& o) {
       o.port_ranges = {range("a", 9000, 9199), range("b", 9050, 9051)};
     },
     "--port-range b: shares"},
    {"same_name",
     [](ServeOptions& o) {
       o.port_ranges = {range("a", 9000, 9001), range("a", 9002, 9003)};
     },
     "--port-range a: there are two"},
    {"holds_listen", [](ServeOptions& o) { o.local_ports = range("local", 7000, 8000); },
     "--local-ports: holds the port of --listen, 8000"},
    {"beside_listen", [](ServeOptions& o) { o.local_ports = range("local", 8001, 8002); }, ""},
    {"holds_metrics",
     [](ServeOptions& o) {
       o.metrics_listen = ListenAddress{"127.0.0.1", 9000};
       o.local_ports = range("local", 9000, 9001);
     },
     "--local-ports: holds the port of --metrics-listen"},
    {"most_ranges",
     [](ServeOptions& o) {
       for (unsigned i = 0; i < kPortRangesMax; ++i) {
         o.port_ranges.push_back(range(("r" + std::to_string(i)).c_str(), 9000 + i, 9000 + i));
       }
     },
     ""},
    {"one_range_too_many",
     [](ServeOptions& o) {
       for (unsigned i = 0; i <= kPortRangesMax; ++i) {
         o.port_ranges.push_back(range(("r" + std::to_string(i)).c_str(), 9000 + i, 9000 + i));
       }
     },
     "--port-range: at most 16"},
};

class ServeCheckTest : public ::testing::TestWithParam<CheckCase> {};

TEST_P(ServeCheckTest, Finds) {
  auto options = good();
  GetParam().change(options);
  const auto problems = check_serve_options(options);
  if (*GetParam().problem == '\0') {
    EXPECT_TRUE(problems.empty()) << problems.front();
    return;
  }
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front().rfind(GetParam().problem, 0), 0U) << problems.front();
}

const auto kCaseName = [](const ::testing::TestParamInfo<CheckCase>& test) {
  return std::string(test.param.name);
};
INSTANTIATE_TEST_SUITE_P(Listening, ServeCheckTest, ::testing::ValuesIn(kListening), kCaseName);
INSTANTIATE_TEST_SUITE_P(People, ServeCheckTest, ::testing::ValuesIn(kPeople), kCaseName);
INSTANTIATE_TEST_SUITE_P(Ranges, ServeCheckTest, ::testing::ValuesIn(kRanges), kCaseName);

TEST(ServeCheckAllTest, EverythingIsToldAtOnce) {
  ServeOptions options;
  options.listen.address = "0.0.0.0";
  options.tls_key = "/k";
  options.auth = AuthMode::kHeader;
  EXPECT_EQ(check_serve_options(options).size(), 4U);
}

class ServeFilesTest : public TempDirFixture {
 protected:
  ServeFilesTest() {
    options_.state = dir + "/state.db";
    options_.socket = dir + "/socket";
  }
  std::string file(const char* name, mode_t mode) const {
    const auto path = dir + "/" + name;
    std::ofstream(path) << "x";
    chmod(path.c_str(), mode);
    return path;
  }
  // The only problem; "" for none.
  std::string problem() const {
    const auto problems = check_serve_files(options_);
    EXPECT_LE(problems.size(), 1U);
    return problems.empty() ? "" : problems.front();
  }

  ServeOptions options_ = good();
};

TEST_F(ServeFilesTest, FilesThatAreThereAreFine) {
  options_.tls_cert = file("cert", 0644);
  options_.tls_key = file("key", 0640);
  options_.known_hosts = file("known_hosts", 0644);
  options_.ssh_config = file("config", 0644);
  EXPECT_EQ(problem(), "");
}

TEST_F(ServeFilesTest, TemplatesAreChecked) {
  const std::string templates = dir + "/templates";
  ASSERT_EQ(mkdir(templates.c_str(), 0755), 0);
  options_.templates = templates;
  EXPECT_EQ(problem(), "") << "none of the site's own";
  std::ofstream(templates + "/plain.sbatch") << "#!/bin/bash\n";
  EXPECT_EQ(problem(), "");
  std::ofstream(templates + "/lab.sbatch") << "echo no first line\n";
  EXPECT_EQ(problem().rfind("--templates: " + templates + "/lab.sbatch ", 0), 0U) << problem();
  options_.templates = dir + "/nowhere";
  EXPECT_EQ(problem().rfind("--templates: " + dir + "/nowhere ", 0), 0U) << problem();
}

TEST_F(ServeFilesTest, MissingFilesAreNamed) {
  options_.tls_cert = "/no/cert";
  options_.tls_key = "/no/key";
  options_.known_hosts = "/no/hosts";
  options_.ssh_config = "/no/config";
  const auto problems = check_serve_files(options_);
  ASSERT_EQ(problems.size(), 4U);
  EXPECT_EQ(problems[0], "--tls-cert: /no/cert cannot be read: No such file or directory");
  EXPECT_EQ(problems[1], "--tls-key: /no/key cannot be read: No such file or directory");
  EXPECT_EQ(problems[2].rfind("--known-hosts: /no/hosts", 0), 0U);
  EXPECT_EQ(problems[3].rfind("--ssh-config: /no/config", 0), 0U);
}

TEST_F(ServeFilesTest, ADirectoryIsNoFile) {
  options_.known_hosts = dir;
  EXPECT_EQ(problem(), "--known-hosts: " + dir + " is a directory; name a file");
}

TEST_F(ServeFilesTest, TheEmptyDeviceIsAnEmptyFile) {
  options_.ssh_config = options_.known_hosts = "/dev/null";
  EXPECT_EQ(problem(), "");
}

TEST_F(ServeFilesTest, AKeyThatEverybodyMayReadIsRefused) {
  options_.tls_key = file("key", 0644);
  EXPECT_NE(problem().find("chmod o= "), std::string::npos);
}

TEST_F(ServeFilesTest, DirectoriesOfTheStateAreMadeLater) {
  options_.state = dir + "/a/b/c/state.db";
  EXPECT_EQ(problem(), "");
  EXPECT_NE(access((dir + "/a").c_str(), F_OK), 0);
}

TEST_F(ServeFilesTest, DirectoriesAreMadeForUsAlone) {
  options_.state = dir + "/a/b/state.db";
  options_.socket = dir + "/a/c/socket";
  ASSERT_TRUE(make_serve_directories(options_).has_value());
  for (const char* made : {"/a", "/a/b", "/a/c"}) EXPECT_EQ(mode(dir + made), 0700) << made;
  EXPECT_TRUE(make_serve_directories(options_).has_value());
  EXPECT_EQ(mode(options_.state), -1);
}

TEST_F(ServeFilesTest, ADirectoryThatCannotBeMadeIsToldWithItsCause) {
  put(dir + "/plain", "");
  options_.state = dir + "/plain/b/state.db";
  const auto made = make_serve_directories(options_);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Errc::kSystem);
  EXPECT_EQ(made.error().detail, dir + "/plain/b cannot be made: Not a directory");
}

TEST_F(ServeFilesTest, AFileInTheWayOfTheDirectoryIsTold) {
  options_.state = file("plain", 0600) + "/state.db";
  EXPECT_NE(problem().find("--state: "), std::string::npos);
}

TEST_F(ServeFilesTest, ADirectoryForAFileIsTold) {
  options_.socket = dir;
  EXPECT_EQ(problem(), "--socket: " + dir + " is a directory; name a file in it");
}

TEST_F(ServeFilesTest, NoPathAtAllIsTold) {
  options_.state.clear();
  EXPECT_EQ(problem().rfind("--state: no path is known", 0), 0U);
}

TEST_F(ServeFilesTest, AnUnwritablePlaceIsTold) {
  options_.state = "/usr/hpc/state.db";
  const bool root = geteuid() == 0;  // to whom no directory is closed
  if (root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const auto problems = check_serve_files(options_);
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems.front().rfind("--state: in /usr this user cannot make", 0), 0U)
      << problems.front();
}

}  // namespace
}  // namespace hpc
