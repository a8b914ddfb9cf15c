"""`hpc-manager config check` as a process, and what the documentation says about each option."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "packaging/hpc-manager.toml"
PAGE = ROOT / "docs/hpc-manager.md"


class ConfigCheckTest(unittest.TestCase):
    def setUp(self):
        self.program = os.environ.get("HPC_MANAGER") or ROOT / "build/dev/manager/hpc-manager"
        directory = tempfile.TemporaryDirectory(prefix="hpc-config-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def check(self, *arguments, **environment):
        return subprocess.run(
            [self.program, "config", "check", *arguments], stdin=subprocess.DEVNULL,
            env={"HOME": str(self.directory), **environment}, capture_output=True, text=True,
            timeout=20)

    def options(self, *arguments):
        done = self.check("--json", *arguments)
        return json.loads(done.stdout)

    def test_values_on_stdout_problems_on_stderr(self):
        done = self.check("--cluster", "main=login01", HPC_MANAGER_MAX_SESSIONS="7")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^max-sessions +7 +HPC_MANAGER_MAX_SESSIONS$")
        done = self.check(HPC_MANAGER_MAX_SESSIONS="0")
        self.assertEqual(done.returncode, 6)
        self.assertEqual(done.stderr.splitlines()[0],
                         "hpc-manager: HPC_MANAGER_MAX_SESSIONS: '0' is no whole number from 1 to "
                         "10000")
        self.assertIn("max-sessions", done.stdout)

    def test_serve_starts_in_a_home_without_anything_in_it(self):
        home = self.directory / "home"
        home.mkdir()
        self.directory.chmod(0o755)
        program, user = self.program, {}
        if os.getuid() == 0:  # as whom it refuses to run
            shutil.chown(home, "daemon", "daemon")
            program = shutil.copy(program, self.directory)
            user = {"user": "daemon", "group": "daemon", "extra_groups": []}
        with subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", "--cluster",
                               "main=alice@127.0.0.1:1"], stdin=subprocess.DEVNULL, text=True,
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              env={"HOME": str(home)}, **user) as serve:
            said = [serve.stderr.readline()]
            serve.terminate()
            said += serve.stderr.readlines()
        self.assertEqual(serve.returncode, 0, said)
        state = home / ".local/state/hpc-manager"
        self.assertTrue((state / "state.db").is_file())
        self.assertEqual(state.stat().st_mode & 0o777, 0o700)

    def test_wrong_use_is_exit_two(self):
        done = self.check("--nonsense")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--nonsense", done.stderr)

    def test_the_page_has_every_option_with_its_default(self):
        # Rows of the table: | options | defaults | meaning |; options may share a row.
        section = PAGE.read_text().split("## Options of serve", 1)[1].split("\n## ", 1)[0]
        found = {}
        for row in re.findall(r"(?m)^\| (`--.*?) \| (.*?) ?\| ", section):
            names = re.findall(r"`--([a-z-]+)", row[0])
            defaults = re.findall(r"`([^`]*)`", row[1])
            for i, name in enumerate(names):
                found[name] = defaults[i] if i < len(defaults) else None
        options = {option["name"]: option["values"] for option in self.options()["options"]}
        self.assertEqual(set(found), set(options))
        for name, values in options.items():
            if name not in ("state", "socket", "public-url"):  # these depend on other things
                self.assertEqual([found[name]] if found[name] else [], values, name)

    def test_the_example_holds_every_option_and_is_accepted(self):
        text = EXAMPLE.read_text()
        options = self.options("--config", str(EXAMPLE))
        self.assertEqual(options["problems"], [])
        keys = set(re.findall(r"(?m)^#? ?([a-z-]+) = ", text))
        self.assertEqual(keys | {"config", "app-url"}, {o["name"] for o in options["options"]})

    def test_what_stands_behind_a_hash_in_the_example_is_right_too(self):
        path = self.directory / "all.toml"
        path.write_text(re.sub(r"(?m)^# ([a-z-]+ = )", r"\1", EXAMPLE.read_text()))
        result = self.options("--config", str(path))
        for problem in result["problems"]:  # files that this machine does not have
            self.assertRegex(problem, "cannot be read|cannot make")
        for option in result["options"]:
            if option["name"] not in ("config", "app-url"):
                self.assertEqual(option["source"], "file", option["name"])

    def test_defaults_in_the_example_are_those_of_the_program(self):
        """Keys behind a '#' that have a default show it, but for those that show an example."""
        options = {o["name"]: o["values"] for o in self.options()["options"]}
        for name, value in re.findall(r"(?m)^# ([a-z-]+) = (.*)$", EXAMPLE.read_text()):
            if options[name] and name not in ("state", "socket", "log-format"):
                shown = {"true": "on", "false": "off"}.get(value, value.strip('"'))
                self.assertEqual([shown], options[name], name)


if __name__ == "__main__":
    if not pathlib.Path(os.environ.get("HPC_MANAGER") or
                        ROOT / "build/dev/manager/hpc-manager").is_file():
        print("skipped: hpc-manager is not built")
        sys.exit(77)
    unittest.main()
