#!/usr/bin/python3
"""`hpc-manager sessions|queue|ports|tokens` against a socket where a small `serve` of the test's own
answers: what goes out, what comes out, and the exit codes."""

import http.server
import json
import os
import pathlib
import pty
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from waiting import wait_until  # noqa: E402

FAILURE, USAGE, NOT_FOUND, NOT_ALLOWED = 1, 2, 3, 4
SESSION = {"id": "3f2a", "key": "alice-main-vscode", "user": "alice", "cluster": "main",
           "ide": "vscode", "slot": 1, "state": "running", "reason": None, "job_id": "4711",
           "node": "c1"}

START = ("sessions", "start", "--user", "alice", "--cluster", "main", "--ide", "vscode")


def event(number, kind="state", **data):
    return (f"id: {number}\nevent: {kind}\n"
            f"data: {json.dumps({**SESSION, **data})}\n\n").encode()


def events_path(last):
    return f"/api/v1/sessions/3f2a/events?last-event-id={last}"


# Listens at argv[1] as whoever runs it.
LISTEN = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
import os; os.chmod(sys.argv[1], 0o777)
print("listening", flush=True)
connection, _ = server.accept()
print("asked:", connection.recv(65536), flush=True)
"""


class UnixServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_UNIX
    daemon_threads = True

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "serve", 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode()
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None,
                                  self.headers.get("Content-Type")))
        status, answer = self.server.answers.get((self.command, self.path), (404, {
            "status": 404, "detail": "there is no such thing, or it is not yours"}))
        if callable(answer):
            self.send_response(status)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            return answer(self.wfile)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if text:
            self.wfile.write(text)

    do_GET = do_POST = do_DELETE = handle_any

    def address_string(self):
        return "operator"

    def log_message(self, *_):
        pass


class OperatorVerbsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.manager = self.base / "hpc-manager"
        self.manager.write_bytes(pathlib.Path(os.environ["HPC_MANAGER"]).read_bytes())
        self.manager.chmod(0o755)
        self.socket = self.base / "socket"

    def serve(self, answers):
        server = UnixServer(str(self.socket), Handler)
        self.socket.chmod(0o777)
        server.answers, server.asked = answers, []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_manager(self, *words, variables=None, uid=harness.USER_UID, stdout=subprocess.PIPE):
        variables = {"HPC_MANAGER_SOCKET": str(self.socket), **(variables or {})}
        return subprocess.run(harness.as_user(uid, [str(self.manager), *words]), check=False,
                              stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, cwd=self.home,
                              env=self.environment(**variables))

    def on_terminal(self, *words):
        ours, theirs = pty.openpty()
        try:
            done = self.run_manager(*words, stdout=theirs)
            os.close(theirs)
            self.assertEqual(done.returncode, 0, done.stderr)
            return os.read(ours, 65536).decode().replace("\r\n", "\n")
        finally:
            os.close(ours)

    def test_a_list_is_tabs_for_scripts_and_a_table_for_people(self):
        self.serve({("GET", "/api/v1/sessions"): (200, {"count": 1, "sessions": [SESSION]})})
        done = self.run_manager("sessions", "list")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "3f2a\talice\tmain\tvscode\t1\trunning\t4711\tc1\t\n")
        self.assertEqual(self.on_terminal("sessions", "list"),
                         "ID    USER   CLUSTER  IDE     SLOT  STATE    JOB ID  NODE  REASON\n"
                         "3f2a  alice  main     vscode  1     running  4711    c1\n")

    def test_json_is_the_answer_as_it_is(self):
        answer = {"count": 1, "sessions": [SESSION]}
        self.serve({("GET", "/api/v1/sessions"): (200, answer)})
        done = self.run_manager("sessions", "list", "--json")
        self.assertEqual(json.loads(done.stdout), answer)

    def test_nothing_to_list_says_so_on_stderr(self):
        self.serve({("GET", "/api/v1/queue"): (200, {"count": 0, "sessions": []})})
        done = self.run_manager("queue")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("no session waits", done.stderr)

    def test_start_and_stop(self):
        server = self.serve({("POST", "/api/v1/sessions"): (202, SESSION),
                             ("DELETE", "/api/v1/sessions/3f2a"): (202, SESSION)})
        done = self.run_manager(*START, "--job", "4711", "--no-wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("id\t3f2a\n", done.stdout)
        self.assertEqual(self.run_manager("sessions", "stop", "3f2a").returncode, 0)
        self.assertEqual(server.asked, [
            ("POST", "/api/v1/sessions",
             {"user": "alice", "cluster": "main", "ide": "vscode", "job": "4711"},
             "application/json"),
            ("DELETE", "/api/v1/sessions/3f2a", None, None)])

    # ---------------------------------------------------------------------- start and its steps
    def serve_start(self, *streams, after=None):
        """What answers a start, then its events: (last number that the client has, pieces)."""
        queued = {**SESSION, "state": "queued", "queue_position": 3, "url": "http://127.0.0.1/x/"}
        answers = {("POST", "/api/v1/sessions"): (202, queued)}
        for last, pieces in streams:
            def write(stream, pieces=pieces):
                for piece in pieces:
                    piece(stream) if callable(piece) else stream.write(piece)
            answers["GET", events_path(last)] = (200, write)
        if after:
            answers["GET", "/api/v1/sessions/3f2a"] = (200, {**SESSION, **after})
        return self.serve(answers)

    def test_start_says_each_step_and_prints_the_address(self):
        self.serve_start((0, [
            b"retry: 2000\n\n", event(1, state="queued", queue_position=3),
            event(2, state="pending", reason="Priority, starts about 14:05"),
            event(3, "progress", text="waiting for hpc-proxy"),
            event(4, state="running", url="http://127.0.0.1:8000/user/alice/main/vscode/")]))
        done = self.run_manager(*START)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "http://127.0.0.1:8000/user/alice/main/vscode/\n"), done.stderr)
        steps = [line.split("  ", 1) for line in done.stderr.splitlines()]
        self.assertEqual([step for _, step in steps],
                         ["queued (3rd)", "pending: Priority, starts about 14:05",
                          "waiting for hpc-proxy", "running on c1"])
        for time, _ in steps:
            self.assertRegex(time, r"^\d\d:\d\d:\d\d$")

    def test_start_with_json_ends_with_the_session(self):
        self.serve_start((0, [event(1, state="running")]))
        done = self.run_manager(*START, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, SESSION))

    def test_a_session_that_ends_before_it_runs_is_a_failure(self):
        self.serve_start((0, [event(1, state="ended", reason="sbatch: no such partition")]))
        done = self.run_manager(*START)
        self.assertEqual((done.returncode, done.stdout), (FAILURE, ""))
        self.assertIn("sbatch: no such partition", done.stderr)

    def test_a_stream_that_ends_is_resumed(self):
        server = self.serve_start((0, [event(1, state="pending")]), (1, [event(2, state="running")]),
                                  after={"state": "pending"})
        done = self.run_manager(*START, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["state"]), (0, "running"))
        self.assertEqual([asked[1] for asked in server.asked[1:]],
                         [events_path(0), "/api/v1/sessions/3f2a", events_path(1)])

    def test_an_end_that_the_stream_does_not_tell_is_asked_for(self):
        self.serve({("POST", "/api/v1/sessions"): (202, {**SESSION, "state": "pending"}),
                    ("GET", events_path(0)): (204, None),
                    ("GET", "/api/v1/sessions/3f2a"): (200, {**SESSION, "state": "ended",
                                                             "reason": "gone"})})
        done = self.run_manager(*START)
        self.assertEqual((done.returncode, done.stdout), (FAILURE, ""))
        self.assertIn("gone", done.stderr)

    def test_a_signal_ends_the_waiting_and_nothing_else(self):
        silence, asked = threading.Event(), threading.Event()
        self.addCleanup(silence.set)

        def be_silent(stream):
            stream.flush()
            asked.set()
            silence.wait(60)

        server = self.serve_start((0, [event(1, state="pending"), be_silent]))
        process, log = self.popen(
            [self.manager, *START], variables={"HPC_MANAGER_SOCKET": str(self.socket)})
        self.assertTrue(asked.wait(20))
        wait_until(lambda: "pending" in log.read_text(), "the first step")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), FAILURE)
        self.assertIn("sessions show 3f2a", log.read_text())
        self.assertIn("sessions stop 3f2a", log.read_text())
        self.assertEqual({asked[0] for asked in server.asked}, {"POST", "GET"})

    # ---------------------------------------------------------------------- logs and more time
    def test_a_log_comes_as_it_is_written(self):
        more = threading.Event()
        self.addCleanup(more.set)

        def write(stream):
            stream.write(b"one \xff\x1b[0m\n")
            stream.flush()
            more.wait(60)
            stream.write(b"two\n")

        self.serve({("GET", "/api/v1/sessions/3f2a/log?follow=1"): (200, write),
                    ("GET", "/api/v1/sessions/3f2a/log"): (200, write)})
        process = subprocess.Popen(
            harness.as_user(harness.USER_UID, [str(self.manager), "sessions", "logs", "3f2a",
                                               "--follow"]),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env=self.environment(HPC_MANAGER_SOCKET=str(self.socket)))
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"one \xff\x1b[0m\n", "byte for byte")
        more.set()
        self.assertEqual((process.stdout.read(), process.wait(20)), (b"two\n", 0))
        self.assertEqual(self.on_terminal("sessions", "logs", "3f2a"),
                         "one \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[0m\ntwo\n")

    def test_no_log_is_said_with_its_reason(self):
        self.serve({("GET", "/api/v1/sessions/3f2a/log"): (404, {"detail": "there is no log yet"})})
        done = self.run_manager("sessions", "logs", "3f2a")
        self.assertEqual((done.returncode, done.stdout), (NOT_FOUND, ""))
        self.assertIn("there is no log yet", done.stderr)

    def test_more_time(self):
        path = "/api/v1/sessions/3f2a/extend"
        server = self.serve({("POST", path): (202, SESSION)})
        done = self.run_manager("sessions", "extend", "3f2a", "--minutes", "60")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("id\t3f2a\n", done.stdout)
        self.assertEqual(server.asked, [("POST", path, {"minutes": 60}, "application/json")])
        server.answers["POST", path] = (403, {"detail": "slurm_update error: Access denied"})
        done = self.run_manager("sessions", "extend", "3f2a", "--minutes", "60")
        self.assertEqual((done.returncode, done.stdout), (NOT_ALLOWED, ""))
        self.assertIn("slurm_update error: Access denied", done.stderr)

    def test_a_new_token_is_all_of_stdout(self):
        token = "hpm_" + 64 * "0"
        server = self.serve({("POST", "/api/v1/tokens"): (201, {"id": "12", "token": token}),
                             ("DELETE", "/api/v1/tokens/12"): (204, None)})
        done = self.run_manager("tokens", "create", "--user", "alice", "--expires", "30d")
        self.assertEqual(done.stdout, token + "\n")
        self.assertIn("once only", done.stderr)
        self.assertEqual(server.asked[0][2], {"user": "alice", "expires_in": 2592000})
        done = self.run_manager("tokens", "revoke", "12")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_a_refusal_is_said_with_its_exit_code(self):
        for status, code in ((400, USAGE), (403, NOT_ALLOWED), (404, NOT_FOUND), (409, FAILURE),
                             (503, FAILURE)):
            with self.subTest(status=status):
                self.socket.unlink(missing_ok=True)
                self.serve({("GET", "/api/v1/sessions/3f"): (status, {"detail": "because"})})
                done = self.run_manager("sessions", "show", "3f")
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn("because", done.stderr)

    def test_no_serve_runs(self):
        done = self.run_manager("queue")
        self.assertEqual((done.returncode, done.stdout), (NOT_FOUND, ""))
        self.assertIn(str(self.socket), done.stderr)
        self.assertIn("--socket", done.stderr)
        socket.socket(socket.AF_UNIX).bind(str(self.socket))  # what a dead one leaves behind
        self.socket.chmod(0o777)
        self.assertEqual(self.run_manager("queue").returncode, NOT_FOUND)

    def test_the_usual_place_without_a_word(self):
        done = self.run_manager("queue", variables={"HPC_MANAGER_SOCKET": "",
                                                    "XDG_RUNTIME_DIR": str(self.base)})
        self.assertIn(f"{self.base}/hpc-manager/socket", done.stderr)

    @unittest.skipUnless(harness.IS_ROOT, "needs two users")
    def test_another_users_socket_is_told_nothing(self):
        directory = self.base / "other"
        directory.mkdir(mode=0o777)
        directory.chmod(0o777)
        path = directory / "socket"
        _, log = self.popen([sys.executable, "-c", LISTEN, path], uid=harness.OTHER_UID,
                            home=self.new_home(harness.OTHER_UID))
        wait_until(lambda: "listening" in log.read_text(), "the other user's socket")
        done = self.run_manager("tokens", "create", "--user", "alice", "--socket", str(path))
        self.assertEqual((done.returncode, done.stdout), (NOT_ALLOWED, ""))
        self.assertIn("another user", done.stderr)
        wait_until(lambda: "asked" in log.read_text(), "the end of the connection")
        self.assertIn("asked: b''", log.read_text())

    def test_usage(self):
        for words in (("sessions",), ("sessions", "show"), ("tokens", "create"),
                      ("sessions", "stop", "../x"), ("queue", "--nothing")):
            done = self.run_manager(*words)
            self.assertEqual((done.returncode, done.stdout), (USAGE, ""), words)
            self.assertIn("hpc-manager: ", done.stderr)
        done = self.run_manager("tokens", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("hpc-manager tokens create --user alice", done.stdout)


if __name__ == "__main__":
    unittest.main()
