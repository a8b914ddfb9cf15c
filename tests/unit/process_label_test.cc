#include "node-proxy/process_label.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

/// The arguments with their NULs; '|' stands for NUL.
std::string command_line(std::string text) {
  for (char& c : text) c = c == '|' ? '\0' : c;
  return text;
}

struct LabelCase {
  const char* name;
  const char* arguments;  // '|' after each
  const char* comm;
  const char* label;
};
void PrintTo(const LabelCase& c, std::ostream* os) { *os << c.name; }

const LabelCase kLabels[] = {
    {"Program", "/usr/sbin/nginx|-g|daemon off;|", "nginx\n", "nginx"},
    {"WithoutPath", "ttyd|", "ttyd\n", "ttyd"},
    {"NoArguments", "", "kworker/0:1\n", "kworker/0:1"},
    {"Nothing", "", "", ""},
    {"OnlyNul", "|", "comm\n", "comm"},
    {"NoNulAtTheEnd", "/bin/node", "", "node"},
    {"Node", "node|/usr/lib/node_modules/live-server/live-server.js|--port=5500|", "node\n",
     "node live-server.js"},
    {"NodeAlone", "/usr/bin/node|", "node\n", "node"},
    {"NodeOptions", "node|--inspect|-r|/secret/x.js|app.js|", "", "node app.js"},
    {"NodeCode", "node|-e|require('http')|app.js|", "", "node"},
    {"PythonModule", "/usr/bin/python3|-u|-m|http.server|8000|", "", "python3 http.server"},
    {"PythonScript", "python3.11|-W|ignore|/home/a/app.py|", "", "python3.11 app.py"},
    {"PythonCode", "python3|-c|password='x'|", "", "python3"},
    {"PythonModuleMissing", "python3|-m|", "", "python3"},
    {"Jupyter", "/usr/bin/python3|/usr/bin/jupyter-lab|--port=8888|", "", "python3 jupyter-lab"},
    {"R", "/usr/lib/R/bin/exec/R|--no-echo|--file=/home/a/app.R|--args|x|", "", "R app.R"},
    {"RCode", "/usr/lib/R/bin/exec/R|-e|shiny::runApp()|", "", "R"},
    {"RArguments", "/usr/lib/R/bin/exec/R|--args|x|", "", "R"},
    {"RFile", "R|-f|app.R|", "", "R app.R"},
    {"Java", "java|-Xmx1g|-jar|/opt/spark/ui.jar|--password=x|", "", "java ui.jar"},
    {"JavaClassPath", "java|-cp|/a:/b|org.example.Main|", "", "java org.example.Main"},
    {"LoginShell", "-bash|", "", "bash"},
    {"NamedItself", "nginx: master process /usr/sbin/nginx|", "", "nginx"},
    {"NamedItselfWithVersion", "next-server (v16.0.1)|", "", "next-server (v16.0.1)"},
    {"OptionValuesAreNotTold", "rserver|--auth-token=secret|", "", "rserver"},
    {"ControlBytes", "a\x1b[31m\n\tb|", "", "a?[31m??b"},
    {"NotUtf8", "caf\xe9|", "", "caf?"},
    {"Utf8", "caf\xc3\xa9|", "", "caf\xc3\xa9"},
    {"TurnsTheLine",
     "a\xe2\x80\xae"
     "b|",
     "", "a???b"},
    {"HtmlIsNotItsBusiness", "<script>alert(1)<|", "", "<script>alert(1)<"},
    {"EndsInASlash", "/bin/|", "comm\n", "comm"},
    {"ScriptEndsInASlash", "node|/srv/|", "", "node"},
};

class ProcessLabelTest : public testing::TestWithParam<LabelCase> {};

TEST_P(ProcessLabelTest, SaysWhatAPersonWould) {
  EXPECT_EQ(process_label(command_line(GetParam().arguments), GetParam().comm), GetParam().label);
}
INSTANTIATE_TEST_SUITE_P(All, ProcessLabelTest, testing::ValuesIn(kLabels),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(ProcessLabelLengthTest, IsCutAtTheLimitAndNotInsideACharacter) {
  const std::string fits(kProcessLabelBytesMax, 'a');
  EXPECT_EQ(process_label(fits, ""), fits);
  EXPECT_EQ(process_label(fits + "b", ""), fits);
  EXPECT_EQ(process_label(fits.substr(1) + "\xc3\xa9", ""), fits.substr(1));
  EXPECT_EQ(process_label(fits.substr(2) + "\xc3\xa9", ""), fits.substr(2) + "\xc3\xa9");
  EXPECT_EQ(process_label(std::string("node\0", 5) + fits, "").size(), kProcessLabelBytesMax);
}

TEST(ProcessLabelLengthTest, CommandLineMayBeCutAnywhere) {
  const std::string whole = command_line("python3|-m|http.server|8000|");
  for (std::size_t cut = 1; cut <= whole.size(); ++cut) {
    const auto label = process_label(whole.substr(0, cut), "python3\n");
    EXPECT_TRUE(std::string("python3 http.server").starts_with(label)) << cut << ": " << label;
  }
}

}  // namespace
}  // namespace hpc
