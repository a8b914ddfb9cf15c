"""keeper_run (what `hpc-proxy run` does with its keeper, and nothing else) for the tests of it.

Every process that a test starts bears a mark in its environment: what is left is found in /proc.
"""

import os
import pathlib
import select
import shutil
import signal
import subprocess
import uuid

import harness
from waiting import PATIENCE_SECONDS, wait_until

MARK = "HPC_KEEPER_TEST_MARK"


class Run:
    """A keeper_run in the background, its keeper, and what its COMMAND prints."""

    def __init__(self, process, proxy, keeper):
        self.process, self.proxy, self.keeper = process, proxy, keeper
        self._read = b""

    def line(self):
        """The next line of COMMAND's output."""
        while b"\n" not in self._read:
            there = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)[0]
            data = os.read(self.process.stdout.fileno(), 4096) if there else b""
            assert data, f"no line more: {self._read}"
            self._read += data
        line, self._read = self._read.split(b"\n", 1)
        return line.decode().strip()

    def wait(self):
        return self.process.wait(PATIENCE_SECONDS)


class KeeperTestCase(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.mark = uuid.uuid4().hex
        self.driver = self.base / "keeper_run"
        built = pathlib.Path(os.environ["HPC_BUILD_DIR"]) / "tests/support/keeper_run"
        shutil.copy(built, self.driver)
        self.driver.chmod(0o755)
        self.addCleanup(self._kill_marked)

    def environment(self, home=None, **variables):
        return super().environment(home, **{MARK: self.mark, **variables})

    def words(self, command, *options):
        """The command line of keeper_run as the tests' user."""
        driver = [str(self.driver), *map(str, options), "--", *command]
        return harness.as_user(harness.USER_UID, driver)

    def run_keeper(self, *command, options=(), prefix=(), **settings):
        """To its end: CompletedProcess."""
        settings.setdefault("env", self.environment())
        settings.setdefault("capture_output", True)
        settings.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([*prefix, *self.words(command, *options)], check=False, text=True,
                              timeout=60, cwd=self.home, **settings)

    def start_keeper(self, *command, options=(), pass_fds=()):
        """Running: returns when COMMAND was asked for."""
        reading, writing = os.pipe()
        process = subprocess.Popen(
            self.words(command, *options), cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, pass_fds=(writing, *pass_fds), start_new_session=True,
            env=self.environment(HPC_KEEPER_TEST_FD=str(writing)))
        os.close(writing)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        with os.fdopen(reading) as report:
            words = report.read().split()
        self.assertEqual(len(words), 2, "keeper_run did not start")
        return Run(process, int(words[0]), int(words[1]))

    def marked(self):
        """The processes of this test: {pid: command line}."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = words.decode()
            except OSError:
                pass  # has ended meanwhile
        return found

    def assert_nothing_left(self):
        self.assertEqual(self.marked(), {})

    def wait_until_nothing_is_left(self):
        wait_until(lambda: not self.marked(), "all processes have ended")

    def pid_of(self, *words):
        """The marked process whose command line begins with these words."""
        begin = " ".join(words)
        return wait_until(lambda: next((pid for pid, line in self.marked().items()
                                        if line.startswith(begin)), None), begin)

    def _kill_marked(self):
        for pid in self.marked():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def state(pid):
    """'R', 'S', 'T' ...; '' for no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text[text.rindex(")") + 2]


def status(pid, name):
    """A line of /proc/PID/status."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return None
