"""What packaging/demo.sh says where it cannot work, before it installs or builds anything."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

PACKAGING = pathlib.Path(__file__).resolve().parent.parent.parent / "packaging"


class DemoRefusalsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hpc-demo-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o755)
        shutil.copytree(PACKAGING, self.directory / "packaging")

    def put(self, name, script):
        """A program that the demo finds before the system's."""
        program = self.directory / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def demo(self, *arguments):
        return subprocess.run(
            [self.directory / "packaging/demo.sh", *arguments], stdin=subprocess.DEVNULL,
            env={"PATH": f"{self.directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True, text=True, timeout=20)

    def check_refused(self, done, status, *said):
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Ademo: ")
        for text in said:
            self.assertIn(text, done.stderr)

    def test_unknown_option(self):
        self.check_refused(self.demo("--chek"), 2, "--chek", "--check, --no-slurm")

    def test_somebody_without_root(self):
        self.put("id", "echo 1000")
        self.check_refused(self.demo("--check"), 1, "needs root",
                           "sudo " + str(self.directory / "packaging/demo.sh") + " --check",
                           "demo.sh --no-slurm --check")

    def test_root_that_may_not_make_namespaces(self):
        self.put("id", "echo 0")
        self.put("unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1")
        self.check_refused(self.demo("--check"), 1, "Operation not permitted",
                           "demo.sh --no-slurm --check")

    def test_help_tells_both_options(self):
        done = self.demo("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--check", "--no-slurm"):
            self.assertRegex(done.stdout, rf"(?m)^ +{option} ")


if __name__ == "__main__":
    unittest.main()
