"""A running `hpc-manager serve` for tests: as a user of its own, with keys and state in a
temporary directory, on a free port.

    serve = Serve({"main": "127.0.0.1:2222"}, keys={"alice": key}, known_hosts=[file])
    token = serve.token("alice")
    status, fields, body = serve.get("/api/v1/sessions", token=token)
"""

import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import harness
from connect_site import program
from shows_logs import ShowsLogs
from waiting import wait_until
from websocket import WebSocket

# A user whom every Debian has and who owns nothing: ssh wants its users to have a name.
MANAGER_UID = pwd.getpwnam("www-data").pw_uid


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("hpc-manager", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ShowsServeLog(ShowsLogs):
    """Of a test case with `serve`: the end of its log goes with a failure."""

    def logs(self):
        return self.serve.said()[-6000:]


class Serve:
    """close() must be called. `options`: further flags. Everything survives stop() and start()."""

    def __init__(self, clusters, keys, known_hosts, *options, programs=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hpc-serve-"))
        self.directory.chmod(0o755)
        self.manager_program = programs or program("HPC_MANAGER", "manager/hpc-manager")
        for name in ("keys", "state", "run"):
            (self.directory / name).mkdir(mode=0o700)
        for user, key in keys.items():
            self.add_key(user, key)
        known = "".join(pathlib.Path(one).read_text() for one in known_hosts)
        (self.directory / "known_hosts").write_text(known)
        for path in [*self.directory.glob("*"), *self.directory.glob("keys/*")]:
            self._give(path)
        self.options = ["--state", self.directory / "state/state.db",
                        "--socket", self.directory / "run/socket",
                        "--identity", f"{self.directory}/keys/%u",
                        "--known-hosts", self.directory / "known_hosts",
                        "--ssh-config", "/dev/null"]
        for name, place in clusters.items():
            self.options += ["--cluster", f"{name}={place}"]
        self.options += options
        self.process, self.url, self.port, self.tokens = None, None, 0, {}
        self.log = self.directory / "serve.log"

    def add_file(self, name, text):
        """A file of the manager's own, 0600; its path."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        self._give(path)
        return path

    def _give(self, path):
        if harness.IS_ROOT:
            os.chown(path, MANAGER_UID, MANAGER_UID)

    def add_key(self, user, key):
        path = self.directory / "keys" / user
        shutil.copy(key, path)
        path.chmod(0o600)
        self._give(path)

    def start(self, *more):
        """Starts it and waits for its URL; again on the same port after a stop."""
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        command = harness.as_user(MANAGER_UID, [self.manager_program, "serve", *listen,
                                                *self.options, *more])
        # It ends with the test, also when the test is killed.
        command = [*command[:1], "--pdeathsig", "KILL", *command[1:]] \
            if command[0] == "setpriv" else command
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory / "state")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=environment)
        reader = threading.Thread(target=self._read_url, daemon=True)
        reader.start()
        reader.join(30)
        if not self.url:
            raise AssertionError(f"no URL was printed; exit {self.process.poll()}:\n{self.said()}")
        return self

    def _read_url(self):
        self.url = self.process.stdout.readline().strip().rstrip("/")
        if self.url:
            self.port = int(self.url.rsplit(":", 1)[1])

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.url = None
        return code

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---------------------------------------------------------------------------- asking it
    def _fields(self, user, headers):
        fields = dict(headers or {})
        if user:
            fields["X-HPC-Manager-Token"] = self.token(user)
        return fields

    def request(self, method, path, user=None, headers=None, body=None, timeout=20):
        """(status, fields, body) of one request on a connection of its own, with the user's
        token."""
        return self._ask(self.connect(timeout), method, path, self._fields(user, headers), body)

    def _running_url(self):
        url = self.url
        if not url:  # for threads that go on while it is started again
            raise ConnectionRefusedError("serve does not run")
        return url

    def connect(self, timeout=20):
        """A connection of http.client, over TLS where it listens so."""
        url = self._running_url()
        if not url.startswith("https:"):
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        # Whose certificate it is, is what the tests themselves look at.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context)

    def get(self, path, user=None, **more):
        return self.request("GET", path, user, **more)

    def operator(self, method, path, body=None, timeout=20):
        """The same over the operators' socket."""
        connection = UnixConnection(self.directory / "run/socket", timeout)
        return self._ask(connection, method, path, {}, body)

    @staticmethod
    def _ask(connection, method, path, fields, body):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            fields = {"Content-Type": "application/json", **fields}
        try:
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def token(self, user):
        """An API token of the user, made by the operator when first asked for."""
        if user not in self.tokens:
            status, _, body = self.operator("POST", "/api/v1/tokens",
                                            {"user": user, "label": "test"})
            assert status == 201, (status, body)
            self.tokens[user] = json.loads(body)["token"]
        return self.tokens[user]

    def create(self, user, cluster="main", ide="vscode", attach=True, **more):
        """POST /api/v1/sessions; the session. It attaches to a job that runs, unless told not to:
        then it starts one."""
        status, _, body = self.request("POST", "/api/v1/sessions", user,
                                       body={"cluster": cluster, "ide": ide, "attach": attach,
                                             **more})
        assert status == 202, (status, body)
        return json.loads(body)

    def session(self, user, session_id):
        status, _, body = self.get(f"/api/v1/sessions/{session_id}", user)
        return json.loads(body) if status == 200 else {"state": f"status {status}"}

    def wait_for_state(self, user, session_id, state="running", seconds=40):
        try:
            return wait_until(lambda: self.session(user, session_id)["state"] == state,
                              f"session {session_id} of {user} is {state}", seconds, every=0.05)
        except AssertionError as error:
            now = self.session(user, session_id)
            raise AssertionError(f"{error}; it is {now}\n{self.said()[-4000:]}") from error

    def websocket(self, path, user=None, headers=None, **more):
        return WebSocket(self._running_url() + path, headers=self._fields(user, headers), **more)
