#!/usr/bin/python3
"""hpc-proxy run: a command with ports of its own, and hpc-proxy beside it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from waiting import wait_until  # noqa: E402

MARK = "HPC_TEST_RUN"
# Serves a word on the port that it is given, on the address that it is given.
SERVER = """
import http.server, sys
word, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(word)))
        self.end_headers()
        self.wfile.write(word.encode())
server = http.server.ThreadingHTTPServer((address, port), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def free_port():
    """A port on which nobody listens just now."""
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class RunTest(harness.TestCase):
    mode = "loopback"

    def setUp(self):
        super().setUp()
        self.addCleanup(self.assert_nothing_is_left)

    def processes(self):
        """The pids of this test's commands and of what they started."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.base}".encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def assert_nothing_is_left(self):
        wait_until(lambda: not self.processes(), "all processes have ended")
        for home in self.base.glob("home.*"):
            left = [path for path in home.glob(".hpc-proxy/**/*") if not path.is_dir()]
            self.assertEqual(left, [])
            self.assertFalse((home / ".hpc-proxy/run").exists())

    def variables(self):
        return {MARK: str(self.base), "HPC_PROXY_PRIVATE": self.mode}

    def run_it(self, *arguments, **options):
        return self.run_proxy("run", *arguments, variables=self.variables(), **options)

    def start_run(self, *arguments, **options):
        """hpc-proxy run in the background; returns when it listens."""
        return self.start("run", *arguments, variables=self.variables(), **options)

    def serve_word(self, word, port, address="127.0.0.1", options=(), **others):
        proxy = self.start_run(*options, "--", sys.executable, "-c", SERVER, word, address, port,
                               **others)
        wait_until(lambda: proxy.get(f"/port/{port}/").status == 200, f"{word} answers")
        return proxy

    def test_ends_with_the_exit_code_of_its_command(self):
        for code in (0, 1, 3, 255):
            done = self.run_it("--", "sh", "-c", f"exit {code}")
            self.assertEqual(done.returncode, code, done.stderr)

    def test_command_has_standard_input_and_output_of_its_own(self):
        done = self.run_it("--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual(done.stdout, "out\n")
        self.assertIn("err\n", done.stderr)

    def test_command_that_is_not_there(self):
        done = self.run_it("--", "no-such-program")
        self.assertEqual(done.returncode, 127)
        self.assertIn("no-such-program", done.stderr)

    def test_command_knows_where_hpc_proxy_is(self):
        done = self.run_it("--url-template", "/t/{port}/", "--", str(self.program), "env",
                           "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said["HPC_PROXY_URL_TEMPLATE"], "/t/{port}/")
        done = self.run_it("--", "sh", "-c", "echo $HPC_PROXY_PORT; cat ~/.hpc-proxy/port")
        port, in_file = done.stdout.split()
        self.assertEqual(port, in_file)

    def test_no_secret_in_the_environment_of_the_command(self):
        done = self.run_it("--", "sh", "-c", "env; cat ~/.hpc-proxy/jobs/*.json >&2")
        token = json.loads(done.stderr[done.stderr.index("{"):])["token"]
        self.assertNotIn(token, done.stdout)

    def test_two_users_have_one_port(self):
        port = free_port()
        pairs = [(harness.USER_UID, "alice", "127.0.0.1"), (harness.OTHER_UID, "bob", "0.0.0.0")]
        if not harness.IS_ROOT:
            pairs = [(None, "first", "127.0.0.1"), (None, "second", "0.0.0.0")]
        proxies = {}
        for uid, word, address in pairs:
            home = self.new_home(uid) if uid else self.new_home()
            options = {"uid": uid} if uid else {}
            proxies[word] = self.serve_word(word, port, address, home=home, **options)
        for word, proxy in proxies.items():
            self.assertEqual(proxy.get(f"/port/{port}/").body, word.encode())
        for proxy in proxies.values():
            proxy.end()

    def test_signal_ends_the_command_and_so_all(self):
        port = free_port()
        proxy = self.serve_word("word", port)
        self.assertEqual(proxy.end(signal.SIGTERM), 128 + signal.SIGTERM)

    def test_record_says_where_the_ports_are(self):
        proxy = self.serve_word("word", free_port())
        said = proxy.record["private"]
        self.assertEqual(said["mode"], self.mode)
        self.assertEqual(len(said["addresses"]), 2 if self.mode == "loopback" else 0)
        proxy.end()

    def test_stop_ends_it(self):
        proxy = self.serve_word("word", free_port())
        self.assertEqual(self.run_proxy("stop").returncode, 0)
        proxy.process.wait(60)

    def test_walltime_warning_is_not_for_the_command(self):
        port = free_port()
        proxy = self.serve_word("word", port)
        proxy.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: proxy.get("/status").json()["walltime_warning"], "the warning shows")
        self.assertEqual(proxy.get(f"/port/{port}/").body, b"word")
        proxy.end()

    def test_killed_hpc_proxy_leaves_nothing(self):
        proxy = self.serve_word("word", free_port())
        proxy.end(signal.SIGKILL)

    def test_what_the_command_left_in_the_background_ends_with_it(self):
        done = self.run_it("--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_idle_exit_ends_the_command(self):
        done = self.run_it("--idle-exit", "1", "--", "sleep", "1000")
        self.assertEqual(done.returncode, 128 + signal.SIGTERM, done.stderr)

    def test_port_that_is_taken_starts_nothing(self):
        port = self.app(lambda connection: connection.close())
        done = self.run_it("--port", port, "--", "touch", self.home / "started")
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(port), done.stderr)
        self.assertFalse((self.home / "started").exists())

    def test_a_run_inside_of_a_run_has_its_own_library_or_none(self):
        for inner in ("loopback", "off"):
            with self.subTest(inner=inner):
                done = self.run_it("--", self.program, "run", "--private", inner, "--", "sh", "-c",
                                   'echo "$LD_PRELOAD,$HPC_PORTS_ADDRESS"')
                self.assertEqual(done.returncode, 0, done.stderr)
                library, address = done.stdout.strip().split(",")
                self.assertEqual(library.count("libhpc_ports.so"), int(inner == "loopback"))
                self.assertEqual(address != "", inner == "loopback")
                if inner == "loopback":
                    # The last line that says where it listens is the inner one's.
                    said = [line for line in done.stderr.splitlines() if "its own, on" in line]
                    self.assertEqual(len(said), 2 if self.mode == "loopback" else 1)
                    self.assertTrue(said[-1].endswith(address), (said, address))

    def test_runs_beside_serve_and_beside_another_run(self):
        plain = self.start(variables={"SLURM_JOB_ID": "77"})
        port = free_port()
        runs = [self.start("run", "--", sys.executable, "-c", SERVER, word, "127.0.0.1", port,
                           variables={**self.variables(), "SLURM_JOB_ID": "77"})
                for word in ("one", "two")]
        records = sorted(path.stem for path in (self.home / ".hpc-proxy/jobs").glob("*.json"))
        host = os.uname().nodename
        self.assertEqual(records, sorted(["77", *(f"77-{host}-{run.process.pid}"
                                                  for run in runs)]))
        for process in (plain, *runs):
            process.process.terminate()
            process.process.wait(60)

    def inner(self, *words):
        """What hpc-proxy writes about itself that the command of a run starts, and what it says."""
        record = self.home / "inner.json"
        done = self.run_it("--", "sh", "-c", (
            '"$@" & pid=$!; until [ -e ~/.hpc-proxy/jobs/*-$pid.json ]; do :; done; '
            f"cp ~/.hpc-proxy/jobs/*-$pid.json {record}; kill $pid; wait"), "sh", self.program,
            *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(record.read_text()), done.stderr

    def test_what_is_started_inside_of_a_run_says_so(self):
        for words in (["serve"], ["run", "--", "sleep", "1000"]):
            with self.subTest(words=words):
                record, said = self.inner(*words)
                self.assertRegex(record["inside_run"], r"-\d+$")
                self.assertNotEqual(record["inside_run"], f"{record['host']}-{record['pid']}")
                self.assertEqual("this is inside of the run" in said, "run" in words)

    def test_serve_inside_of_a_run_leads_to_the_runs_ports(self):
        port = free_port()
        done = self.run_it("--", "sh", "-c", (
            f"'{sys.executable}' -c '{SERVER}' word 127.0.0.1 {port} & "
            '"$0" --port-file "$HOME/inner" & until [ -s ~/inner ]; do :; done; '
            f'"$0" wait {port} && curl -s http://127.0.0.1:$(cat ~/inner)/port/{port}/'),
            self.program)
        self.assertIn("word", done.stdout.split(), done.stderr)

    def test_off_on_the_command_line_moves_nothing(self):
        port = free_port()
        proxy = self.serve_word("word", port, options=("--private", "off"))
        listening = subprocess.run(["ss", "-Htln", f"sport = :{port}"], check=True,
                                   capture_output=True, text=True).stdout
        self.assertIn(f"127.0.0.1:{port}", listening)
        proxy.end()

    def test_killed_command_leaves_nothing(self):
        port = free_port()
        proxy = self.serve_word("word", port)
        # The list may be half a second old, and the process not known yet.
        pid = wait_until(lambda: next((one["pid"] for one in proxy.get("/ports").json()["ports"]
                                       if one["port"] == port), None), "it is listed")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(proxy.process.wait(60), 128 + signal.SIGKILL)

    def test_killed_keeper_leaves_nothing(self):
        proxy = self.serve_word("word", free_port())
        (keeper,) = [pid for pid in self.processes()
                     if pathlib.Path(f"/proc/{pid}/comm").read_text() == "hpc-keeper\n"]
        os.kill(keeper, signal.SIGKILL)
        self.assertEqual(proxy.process.wait(60), 128 + signal.SIGKILL)


@harness.needs_user_namespace
class NetnsRunTest(RunTest):
    mode = "netns"

if __name__ == "__main__":
    harness.main()
