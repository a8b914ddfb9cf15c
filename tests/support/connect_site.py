"""A throw-away login host on loopback for tests of `hpc-manager connect`: a real sshd, a real
hpc-proxy and a small app, all as the user who runs the test, with a home of their own.

sshd's SetEnv gives the logged-in user that home and a PATH that begins with fake commands, so
nothing outside the temporary directory is read or written.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIP = 77
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def program(variable, path):
    found = pathlib.Path(os.environ.get(variable) or ROOT / "build/dev" / path)
    if not found.is_file():
        skip(f"{found} is not built")
    return str(found)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class App(http.server.ThreadingHTTPServer):
    """Echoes what it is asked as JSON; a WebSocket at /ws echoes its bytes after the upgrade."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), AppHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class AppHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.echo_bytes()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = json.dumps({"method": self.command, "path": self.path,
                             "headers": [[k.lower(), v] for k, v in self.headers.items()],
                             "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Content-Location", f"http://{self.headers['Host']}{self.path}")
        self.send_header("Set-Cookie", "app=1; Path=/")
        self.send_header("Set-Cookie", "hpc-manager-9000=stolen; Path=/")
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = do_HEAD = do_OPTIONS = do_GET

    def echo_bytes(self):
        key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET_GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(65536):
            self.connection.sendall(data)


class LoginHost:
    """sshd on a free port of 127.0.0.1, with a home and fake commands in `directory`."""

    def __init__(self):
        if not os.path.exists("/usr/sbin/sshd"):
            skip("no /usr/sbin/sshd (package openssh-server)")
        self.manager_program = program("HPC_MANAGER", "manager/hpc-manager")
        self.proxy_program = program("HPC_PROXY", "node-proxy/hpc-proxy")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hpc-connect-"))
        self.home = self.directory / "home"
        self.commands = self.directory / "bin"
        self.home.mkdir(mode=0o700)
        self.commands.mkdir()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.processes = []
        self.forget_squeue()
        self.key = self.make_key("key")
        self.host_key = self.make_key("host_key")
        shutil.copy(f"{self.key}.pub", self.directory / "authorized_keys")
        self.port = free_port()
        self.known_hosts = self.directory / "known_hosts"
        host_key = pathlib.Path(f"{self.host_key}.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}")
        self.sshd = None
        self.start_sshd()

    def make_key(self, name):
        path = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def forget_squeue(self):
        """As on a host without SLURM: `command -v squeue` must not find the real one."""
        self.set_squeue("exit 1")
        (self.commands / "squeue").unlink()
        for tool in ("sh", "ls", "grep", "head", "sed", "hostname", "uname", "id", "cat"):
            link = self.commands / tool
            if not link.exists():
                link.symlink_to(shutil.which(tool))

    def set_squeue(self, script):
        squeue = self.commands / "squeue"
        squeue.write_text(f"#!/bin/sh\n{script}\n")
        squeue.chmod(0o755)

    def start_sshd(self, *extra):
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        config = self.directory / "sshd_config"
        # Of each word sshd takes the first, so `extra` wins.
        lines = [*extra, "UsePAM no", f"Port {self.port}", "ListenAddress 127.0.0.1",
                 f"HostKey {self.host_key}", f"PidFile {self.directory}/sshd.pid",
                 f"AuthorizedKeysFile {self.directory}/authorized_keys", "StrictModes no",
                 "PermitRootLogin prohibit-password", "PasswordAuthentication no",
                 "KbdInteractiveAuthentication no", "UseDNS no", "LogLevel DEBUG1",
                 f"SetEnv HOME={self.home} PATH={self.commands}"]
        config.write_text("\n".join(lines) + "\n")
        self.sshd = subprocess.Popen(list(map(str, self.sshd_command(config))))
        self.processes.append(self.sshd)
        wait_until(self.sshd_listens, "sshd listening")

    def sshd_command(self, config):
        return ["/usr/sbin/sshd", "-D", "-E", self.directory / "sshd.log", "-f", config]

    def sshd_listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop_sshd(self):
        self.sshd.terminate()
        self.sshd.wait()

    def ssh_sessions(self):
        """The sshd processes that serve connections, not the listener."""
        return children(self.sshd.pid)

    def start_proxy(self, *options, **environment):
        """hpc-proxy on a free port, its record written; the process."""
        before = set(self.records())
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], **environment}
        log = open(self.directory / "hpc-proxy.log", "ab")
        process = subprocess.Popen([self.proxy_program, "--port", "0", *options], env=env,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        wait_until(lambda: set(self.records()) - before or process.poll() is not None,
                   "the record of hpc-proxy")
        if process.poll() is not None:
            raise AssertionError("hpc-proxy ended:\n" + self.logs())
        return process

    def records(self):
        return sorted((self.home / ".hpc-proxy/jobs").glob("*.json"))

    def write_record(self, name, **change):
        record = {"version": 1, "host": socket.gethostname(), "slurm_node": None, "addresses": [],
                  "port": 45678, "pid": 1, "uid": os.getuid(), "token": "5" * 64, "job_id": name,
                  "app": None, "started_at": "2026-01-01T00:00:00Z", "job_end": None,
                  "program_version": "0.1.0", **change}
        jobs = self.home / ".hpc-proxy/jobs"
        jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        (jobs / f"{name}.json").write_text(json.dumps(record))
        return record

    def manager_command(self, *options, **change):
        flags = {"--port": "0", "--identity": self.key, "--known-hosts": self.known_hosts,
                 "--ssh-config": "/dev/null", **change}
        return [self.manager_program, "connect", f"{self.user}@127.0.0.1:{self.port}",
                *(str(word) for flag in flags.items() for word in flag), *options]

    def connect_to_end(self, *options, path=None, **change):
        """Runs connect until it ends by itself: (exit code, stdout, stderr). `path`: its PATH."""
        env = manager_env() if path is None else {**manager_env(), "PATH": str(path)}
        done = subprocess.run(self.manager_command(*options, **change), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, env=env)
        return done.returncode, done.stdout, done.stderr

    def connect(self, *options, **change):
        manager = Manager(self.manager_command(*options, **change), self.directory)
        self.processes.append(manager.process)
        manager.wait_for_url(self)
        return manager

    def logs(self):
        out = ""
        for log in sorted(self.directory.glob("*.log")):
            out += f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-60:]) + "\n"
        return out

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def manager_env():
    """Nobody's agent, no terminal settings of whoever runs the tests."""
    return {key: value for key, value in os.environ.items()
            if key not in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY")
            and not key.startswith("HPC_MANAGER_PORT")}


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def kill_tree(pid):
    for child in children(pid):
        kill_tree(child)
    os.kill(pid, signal.SIGKILL)


class Manager:
    """A running `hpc-manager connect`."""

    def __init__(self, command, directory):
        self.log = directory / f"hpc-manager-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=manager_env())
        self.url = ""
        self.port = 0

    def wait_for_url(self, host):
        reader = threading.Thread(target=self._read_url, daemon=True)
        reader.start()
        reader.join(30)
        if not self.url:
            raise AssertionError(f"no URL was printed:\n{host.logs()}")
        self.port = int(self.url.split(":")[2].split("/")[0])

    def _read_url(self):
        self.url = self.process.stdout.readline().strip()

    def said(self):
        return self.log.read_text()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(15)
        self.process.stdout.close()
        return code

    def request(self, method, path, headers=None, body=None, timeout=20, address="127.0.0.1"):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(address, self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)
