"""Starts the real hpc-proxy for the integration tests and speaks raw HTTP with it.

    class MyTest(harness.TestCase):
        def test_it(self):
            proxy = self.start()                    # waits until it listens
            answer = proxy.get("/healthz")
            self.assertEqual(answer.status, 200)

Every test has a temporary home of its own, programs are ended by their process id, and what they
wrote is printed when a test fails. As root, programs run as an ordinary user (USER_UID).
"""

import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from waiting import PATIENCE_SECONDS, wait_until  # noqa: F401

USER_UID = 20001
OTHER_UID = 20002
IS_ROOT = os.geteuid() == 0

# Of the tests' own surroundings nothing may reach the programs.
FOREIGN_VARIABLES = ("SLURM", "HPC_PROXY", "HPC_MANAGER")


# A decorator: the kernel lets a process of one thread alone into a user namespace.
needs_user_namespace = unittest.skipIf(
    os.environ.get("HPC_SANITIZED") == "thread",
    "ThreadSanitizer's runtime has a thread of its own, so hpc-proxy cannot enter a user namespace")


def as_user(uid, command):
    """The command line that runs `command` as another user; root only."""
    if not IS_ROOT or uid is None:
        return list(command)
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *command]


@contextlib.contextmanager
def user_sockets(uid=USER_UID):
    """Sockets that this thread, and threads started in it, make or accept are that user's: hpc-proxy
    reaches only apps of its own user."""
    if not IS_ROOT:
        yield
        return
    # Only of this thread, unlike what Python's os module offers.
    set_uid = ctypes.CDLL(None).setfsuid
    set_uid(uid)
    try:
        yield
    finally:
        set_uid(0)


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def field(self, name):
        """The value of the one field of that name, or None."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


class Connection:
    """A raw connection: what is sent is what the test wrote."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), PATIENCE_SECONDS)
        self._reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reader.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def read_answer(self, head_only=False):
        """The next answer; None when the connection ended before it."""
        line = self._reader.readline()
        if not line:
            return None
        status, fields = int(line.split()[1]), []
        while (line := self._reader.readline().rstrip(b"\r\n")):
            name, value = line.decode("latin-1").split(": ", 1)
            fields.append((name, value))
        answer = Answer(status, fields, b"")
        if not head_only and status >= 200 and status not in (204, 304):
            answer.body = self._read_body(answer)
        return answer

    def _read_body(self, answer):
        if answer.field("Transfer-Encoding") == "chunked":
            body = b""
            while (size := int(self._reader.readline(), 16)):
                body += self._reader.read(size)
                self._reader.readline()
            self._reader.readline()
            return body
        length = answer.field("Content-Length")
        return self._reader.read(int(length)) if length is not None else self._reader.read()

    def read(self, count):
        return self._reader.read(count)

    def at_end(self):
        """Reads until the connection ends; true when it ended without another byte."""
        try:
            return self._reader.read() == b""
        except ConnectionResetError:
            return True


class Proxy:
    """A running hpc-proxy in the foreground."""

    def __init__(self, process, home, port, log):
        self.process, self.home, self.port, self._log = process, home, port, log

    @property
    def log(self):
        return self._log.read_text()

    @property
    def record(self):
        (path,) = (self.home / ".hpc-proxy/jobs").glob("*.json")
        return json.loads(path.read_text())

    @property
    def token(self):
        return self.record["token"]

    def connect(self, host="127.0.0.1"):
        return Connection(self.port, host)

    def get(self, target, fields=(), method="GET", body=b"", token=True, host=None):
        """One request on a connection of its own, with the token unless told otherwise."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}",
                 "Connection: close"]
        if token:
            lines.append(f"X-HPC-Proxy-Token: {self.token}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in fields]
        with self.connect() as connection:
            connection.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            return connection.read_answer(head_only=method == "HEAD")

    def end(self, number=signal.SIGTERM):
        """Sends the signal and returns the exit code."""
        if os.environ.get("HPC_SANITIZED"):
            # ThreadSanitizer loses a signal that comes just before libuv's first wait (a bare
            # libuv program shows it too): an answer says that the loop turns.
            try:
                self.get("/healthz", token=False)
            except OSError:
                pass  # it no longer listens, so its loop has turned
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


class TestCase(unittest.TestCase):
    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hpc-proxy-test."))
        self.base.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.base, True)
        self._processes = []
        self._logs = []
        self.addCleanup(self._end_all)
        # The build directory may be closed to the user that the program runs as.
        self.program = self.base / "hpc-proxy"
        shutil.copy(os.environ["HPC_PROXY"], self.program)
        self.program.chmod(0o755)
        self.home = self.new_home()

    def new_home(self, uid=USER_UID):
        home = pathlib.Path(tempfile.mkdtemp(dir=self.base, prefix="home."))
        if IS_ROOT:
            os.chown(home, uid, uid)
        return home

    def environment(self, home=None, **variables):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(FOREIGN_VARIABLES)}
        return {**kept, "HOME": str(home or self.home), **variables}

    def popen(self, command, uid=USER_UID, home=None, variables=None, **options):
        log = self.base / f"log.{len(self._logs)}"
        self._logs.append(log)
        with open(log, "w", encoding="utf-8") as out:
            options.setdefault("stdout", out)
            options.setdefault("stderr", out)
            process = subprocess.Popen(
                as_user(uid, [str(word) for word in command]), cwd=home or self.home,
                stdin=subprocess.DEVNULL, env=self.environment(home, **(variables or {})),
                **options)
        self._processes.append(process)
        return process, log

    def start(self, *arguments, uid=USER_UID, home=None, variables=None):
        """hpc-proxy in the foreground; returns when it says that it listens."""
        home = home or self.home
        reading, writing = os.pipe()
        process, log = self.popen([self.program, "--ready-fd", writing, *arguments], uid, home,
                                  variables, pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading) as ready:
            text = ready.read()
        self.assertTrue(text, f"hpc-proxy did not start:\n{log.read_text()}")
        return Proxy(process, home, int(text), log)

    def run_proxy(self, *arguments, uid=USER_UID, home=None, variables=None):
        """hpc-proxy to its end: CompletedProcess with text."""
        return subprocess.run(as_user(uid, [str(self.program), *map(str, arguments)]), check=False,
                              capture_output=True, text=True, timeout=60, cwd=home or self.home,
                              stdin=subprocess.DEVNULL,
                              env=self.environment(home, **(variables or {})))

    def assert_refused(self, code, *words, arguments=(), **options):
        """hpc-proxy ends with that code, says all the words on stderr, and nothing on stdout."""
        done = self.run_proxy(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(str(word), done.stderr)
        return done

    def app(self, handler):
        """Serves `handler(connection)` for every connection to the returned port of 127.0.0.1."""
        with user_sockets():
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=handler, args=(connection,), daemon=True).start()

        with user_sockets():
            threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def http_app(self, handler_class):
        """Serves with a http.server handler; returns the port."""
        with user_sockets():
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_class)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def slow_app(self):
        """An app that answers when the event is set; returns port, asked, answer."""
        asked, go = threading.Event(), threading.Event()

        def handle(connection):
            with connection:
                connection.recv(65536)
                asked.set()
                go.wait(PATIENCE_SECONDS)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

        return self.app(handle), asked, go

    def task(self):
        """A process that stands for the job's task: does nothing until it is killed."""
        return self.popen(["tail", "-f", "/dev/null"])[0]

    def _end_all(self):
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        failed = result and any(test is self for test, _ in result.errors + result.failures)
        for log in self._logs if failed else []:
            print(f"--- {log.name} of {self.id()}\n{log.read_text()}", file=sys.stderr)


class EchoHandler(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, as JSON."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def answer(self, body, kind="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.answer(json.dumps({"method": self.command, "target": self.path,
                                "fields": list(self.headers.items()),
                                "body": self.rfile.read(length).decode()}).encode())

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET


def echo_web_socket(connection):
    """An app that takes every WebSocket handshake and sends back what comes after it."""
    with connection, connection.makefile("rb") as reader:
        key = None
        while (line := reader.readline().strip()):
            if line.lower().startswith(b"sec-websocket-key:"):
                key = line.split(b":", 1)[1].strip()
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           b"Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                           web_socket_accept(key) + b"\r\n\r\n")
        while (data := reader.read1(65536)):
            connection.sendall(data)


def web_socket_accept(key):
    import base64
    import hashlib
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
    return base64.b64encode(hashlib.sha1(key + guid).digest())


def main():
    """Runs the tests of the calling file; exit 77 when the program is not built."""
    if not os.access(os.environ.get("HPC_PROXY", ""), os.X_OK):
        print("skipped: HPC_PROXY does not name the built program")
        sys.exit(77)
    if IS_ROOT and not shutil.which("setpriv"):
        print("skipped: root without setpriv (package util-linux)")
        sys.exit(77)
    unittest.main()
