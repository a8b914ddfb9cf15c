#!/usr/bin/python3
"""Shows that tidy_test.py catches what each of its rules is for, and lets pass what it should."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy_test  # noqa: E402


class TidySelfTest(unittest.TestCase):
    def findings(self, files):
        """What the rules say about a tree of these files, {path: text}."""
        with tempfile.TemporaryDirectory() as top:
            for path, text in files.items():
                os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return list(tidy_test.check_tree(top))

    def one(self, path, text, expected, **others):
        """The file has exactly one finding, with these words."""
        found = self.findings({path: text, **others})
        found = [f for f in found if "named in no" not in f and "of code" not in f]
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def none(self, path, text):
        found = self.findings({path: text})
        found = [f for f in found if "named in no" not in f and "of code" not in f]
        self.assertEqual(found, [])

    def test_empty_tree_is_tidy(self):
        self.assertEqual(self.findings({}), [])

    def test_arrows(self):
        for path, included in (
                ("common/a.h", '"node-proxy/b.h"'), ("common/a.cc", '"manager/b.h"'),
                ("common/a.cc", "<libssh/libssh.h>"), ("common/a.cc", "<sqlite3.h>"),
                ("common/a.cc", "<openssl/hmac.h>"), ("node-proxy/a.cc", '"manager/b.h"'),
                ("node-proxy/a.cc", "<libssh/libssh.h>"), ("manager/a.cc", '"node-proxy/b.h"'),
                ("manager/a.cc", "<libssh/libssh.h>"), ("manager/session/a.cc", "<libssh/x.h>"),
                ("manager/session/a.cc", "<sqlite3.h>"), ("manager/ssh/a.cc", "<sqlite3.h>"),
                ("manager/ssh/a.cc", '"manager/session/b.h"'),
                ("manager/session/a.cc", '"manager/gateway/b.h"'),
                ("common/a.cc", '"tests/support/b.h"')):
            with self.subTest(path=path, included=included):
                self.one(path, f"#include {included}\n", "includes")

    def test_arrows_that_are_allowed(self):
        for path, included in (
                ("common/a.cc", "<uv.h>"), ("manager/ssh/a.cc", "<libssh/libssh.h>"),
                ("manager/store/a.cc", "<sqlite3.h>"), ("manager/a.cc", '"common/b.h"'),
                ("manager/session/a.cc", '"manager/ssh/b.h"'),
                ("tests/unit/a.cc", '"manager/b.h"')):
            with self.subTest(path=path, included=included):
                self.none(path, f"#include {included}\n")

    def test_wall_clocks(self):
        for text in ("std::chrono::system_clock::now()", "gettimeofday(&now, nullptr)",
                     "uv_gettimeofday(&now)", "clock_gettime(CLOCK_REALTIME, &now)",
                     "long now = time(nullptr);"):
            with self.subTest(text=text):
                self.one("manager/session/a.cc", text + "\n", "wall clock")
                self.none("tests/unit/a.cc", text + "\n")
        self.none("common/log.cc", "std::chrono::system_clock::now()\n")
        self.none("common/a.cc", "std::chrono::steady_clock::now(); run_time(0); a.time(0)\n")

    def test_pure_files_know_no_loop(self):
        for path in ("common/port_route.cc", "common/http_rules.h", "common/chunk_guard.cc",
                     "common/hop_headers.h", "common/cross_site.cc", "common/job_record.cc",
                     "manager/slurm/node_list.cc", "manager/session/discovery.cc"):
            with self.subTest(path=path):
                self.one(path, "#include <uv.h>\n", "is to be pure")
        self.none("common/loop.cc", "#include <uv.h>\n")

    def test_pure_files_know_no_loop_behind_a_header(self):
        self.one("common/port_route.cc", '#include "common/b.h"\n', "common/c.h includes uv.h",
                 **{"common/b.h": '#include "common/c.h"\n', "common/c.h": "#include <uv.h>\n"})

    def test_file_length(self):
        self.none("common/a.h", "int a;\n" * 600)
        self.one("common/a.h", "int a;\n" * 601, "601 lines")

    def test_line_length(self):
        self.none("common/a.h", "a" * 100 + "\n")
        self.one("common/a.h", "a" * 101 + "\n", "101 columns")
        self.none("docs/a.md", "a" * 300 + "\n")

    def test_white_space_at_the_end(self):
        self.one("common/a.h", "int a; \n", "white space")
        self.one("docs/a.md", "text\t\n", "white space")

    def function(self, lines, head="void f() {", tail="}"):
        return head + "\n" + "  g();\n" * (lines - 2) + tail + "\n"

    def test_function_length(self):
        for head in ("void f() {", "void Thing::on_data(Bytes bytes) noexcept {",
                     "Thing::Thing(int a) : a_(a), b_{1}, c_(2) {", "TEST(A, B) {",
                     'extern "C" int f(int a) {', "int f(int a) const override {",
                     "auto f() -> int {"):
            with self.subTest(head=head):
                self.none("common/a.cc", self.function(60, head))
                self.one("common/a.cc", self.function(61, head), "a function of 61 lines")

    def test_function_length_in_classes_and_namespaces(self):
        text = "namespace a {\nclass B {\n  int c;\n" + self.function(61) + "};\n}\n"
        self.one("common/a.cc", text, "common/a.cc:4: a function of 61 lines")

    def test_function_length_counts_what_is_inside(self):
        def text(lines):
            return "void f() {\n  if (a) {\n" + "    g([&] { h(); });\n" * (lines - 4) + "  }\n}\n"
        self.none("common/a.cc", text(60))
        self.one("common/a.cc", text(61), "61 lines")

    def test_what_is_no_function_may_be_long(self):
        for head, tail in (("const Row kRows[] = {", "};"), ("struct A {", "};"),
                           ("namespace a {", "}"), ("enum class E {", "};"),
                           ("constexpr auto kText = R\"sh(f() {", ")sh\";"),
                           ("/* f() {", "*/")):
            with self.subTest(head=head):
                self.none("common/a.cc", head + "\n" + "  1,\n" * 80 + tail + "\n")

    def test_braces_in_literals_and_comments_do_not_count(self):
        body = "  a = '{'; b = \"{\\\"{\"; c = 1'000; // {\n"
        self.none("common/a.cc", ("void f() {\n" + body * 3 + "}\n") * 30)

    def test_lenient_flags(self):
        for text in ("llhttp_set_" + "lenient_headers(&p, 1);", "flags |= LEN" + "IENT_HEADERS;"):
            for path in ("common/a.cc", "cmake/Findllhttp.cmake", "tests/unit/a.cc"):
                with self.subTest(text=text, path=path):
                    self.one(path, text + "\n", "a lenient flag")

    def test_notes_instead_of_work(self):
        for word in ("TO" + "DO", "FIX" + "ME"):
            for path in ("common/a.cc", "tests/a.py", "docs/a.md", "packaging/a.sh"):
                with self.subTest(word=word, path=path):
                    self.one(path, f"// {word}: later\n", "a note instead of work")
        self.none("common/a.cc", "// TO" + "DOS are words too\n")

    def test_sleep_in_tests(self):
        for text in ("sleep(1);", "std::this_thread::sleep_for(1ms);", "usleep(5);",
                     "time.sleep(0.1)"):
            for path in ("tests/unit/a.cc", "tests/integration/a.py"):
                with self.subTest(text=text, path=path):
                    self.one(path, text + "\n", "a sleep in a test")
        self.none("tests/support/wait.py", "time.sleep(0.01)\n")

    def test_sources_are_named(self):
        source = {"common/a.cc": "", "common/b/c.cc": ""}
        self.assertEqual(len(self.findings(source)), 2)
        listed = {**source, "common/CMakeLists.txt": "add_library(x\n  a.cc\n  b/c.cc)\n"}
        self.assertEqual(self.findings(listed), [])
        other = {**source, "common/CMakeLists.txt": "add_library(x data.cc c.cc)\n"}
        self.assertEqual(len(self.findings(other)), 2)
        from_beside = {"tests/support/a.cc": "",
                       "tests/unit/CMakeLists.txt": "add_executable(t ../support/a.cc)\n"}
        self.assertEqual(self.findings(from_beside), [])

    def test_fuzz_sources_are_named_by_their_target(self):
        named = {"tests/fuzz/a_fuzz.cc": "", "tests/fuzz/CMakeLists.txt": "hpc_fuzz_target(a b)\n"}
        self.assertEqual(self.findings(named), [])
        named["tests/fuzz/CMakeLists.txt"] = "hpc_fuzz_target(aa b)\n"
        self.assertEqual(len(self.findings(named)), 1)

    def test_sources_are_not_found_by_pattern(self):
        found = self.findings({"common/CMakeLists.txt": "file(" + "GLOB x *.cc)\n"})
        self.assertEqual(len(found), 1)
        self.assertIn("by pattern", found[0])

    def test_tests_are_long_enough(self):
        code = {"common/a.h": "int a;\n" * 100}
        self.assertEqual(self.findings({**code, "tests/unit/a.py": "a\n" * 80}), [])
        found = self.findings({**code, "tests/unit/a.py": "a\n" * 79})
        self.assertEqual(len(found), 1)
        self.assertIn("79 lines of tests for 100", found[0])


if __name__ == "__main__":
    unittest.main()
