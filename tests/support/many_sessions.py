"""Many sessions of many users behind one `hpc-manager serve`, on a site without SLURM:

    test -> hpc-manager serve (this machine, www-data) -> sshd on login -> hpc-proxy -> echo_app.py

    many = ManySessions(each=10)          # 5 users; an app and 10 hpc-proxies each
    many.create_all()                     # 50 sessions, all running
    many.where(session)                   # who answers at its address
    many.close()

All hpc-proxies of one user lead to his one app; the prefix tells the sessions apart.
"""

import json
import pathlib
import signal
import socket
import threading

from connect_site import children
from serve_site import Serve
from waiting import wait_until
from websocket import WebSocket, WebSocketError
from whole_path import WholePath, get

FIRST_APP_PORT = 5501
# A login takes so long, so that logins that are allowed to overlap do.
LOGIN_SECONDS = 0.4
READ_SECONDS = 20

START = """
setsid /usr/bin/python3 /mnt/tests/echo_app.py {port} </dev/null >app.log 2>&1 &
for i in $(seq {count}); do
  setsid hpc-proxy --port 0 </dev/null >>proxy.log 2>&1 &
done
"""

# sshd asks it for keys in each login. What it notes lies inside of the login, so more than three
# of them at once are more than three connects at once.
KEYS_COMMAND = f"""#!/bin/sh
echo "begin $1" >>/mnt/log/logins
sleep {LOGIN_SECONDS}
cat "/mnt/home/$1/.ssh/authorized_keys"
echo "end $1" >>/mnt/log/logins
"""


def free_ports(count):
    """The first of so many ports in a row on which nothing listens."""
    for first in range(21000, 29000, count):
        probes = []
        try:
            for port in range(first, first + count):
                probes.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError(f"no {count} free ports in a row")


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


class ManySessions:
    """close() must be called. `options`: of serve."""

    def __init__(self, each, *options, users=5):
        self.each = each
        self._accepted = 0
        self.path = WholePath("--users", str(users), "--nodes", "1", "--no-slurm")
        self.serve = None
        try:
            self.site = self.path.site
            self.users = sorted(home.name for home in (self.site.directory / "home").iterdir())
            self.app_ports = {user: FIRST_APP_PORT + index
                              for index, user in enumerate(self.users)}
            self._note_logins()
            self._start_jobs()
            self.serve = Serve({"main": self.site.address},
                               {user: self.site.key(user) for user in self.users},
                               [self.site.known_hosts], *options)
            self.serve.start()
            for user in self.users:
                self.serve.token(user)
        except BaseException:
            self.close()
            raise
        self.sessions = []

    def close(self):
        if self.serve:
            self.serve.close()
        self.path.close()

    # ---------------------------------------------------------------------- the login node
    def _note_logins(self):
        command = self.site.directory / "support/noted_keys"
        command.write_text(KEYS_COMMAND)
        command.chmod(0o755)
        with open(self.site.directory / "etc/sshd_config.login", "a", encoding="utf-8") as config:
            config.write("AuthorizedKeysFile none\nAuthorizedKeysCommandUser root\n"
                         "AuthorizedKeysCommand /mnt/support/noted_keys %u\n")
        self.restart_sshd()

    def restart_sshd(self):
        """Ends the listener and every connection on the login node, and starts sshd anew."""
        pids = self.site.run("login", "pgrep", "-x", "sshd").split()
        self.site.run("login", "kill", "-KILL", *pids)
        wait_until(lambda: not self._sshd_listens(), "sshd has gone")
        self.site.run("login", "/usr/sbin/sshd", "-E", "/mnt/log/sshd.login", "-f",
                      "/mnt/etc/sshd_config.login")
        wait_until(self._sshd_listens, "sshd listens")

    def cut_connections(self):
        """Ends every connection to the login node; sshd goes on listening."""
        users = ",".join(self.users)
        pids = self.site.run("login", "pgrep", "-x", "-u", users, "sshd").split()
        self.site.run("login", "kill", "-KILL", *pids)

    def _sshd_listens(self):
        return self.site.run("login", "ss", "-Hltn", "sport = :22") != ""

    def logins_at_once(self):
        """(logins, the most that were under way at the same time) since the last call."""
        noted, log = (self.site.directory / "log" / name for name in ("logins", "sshd.login"))
        now = most = 0
        for line in noted.read_text().splitlines():
            now += 1 if line.startswith("begin") else -1
            most = max(most, now)
        noted.write_text("")
        accepted = log.read_text().count("Accepted publickey")
        logins, self._accepted = accepted - self._accepted, accepted
        return logins, most

    def _start_jobs(self):
        for user in self.users:
            script = START.format(port=self.app_ports[user], count=self.each)
            self.site.run(f"{user}@login", "sh", "-c", script)
        for user in self.users:
            wait_until(lambda: len(self.jobs(user)) == self.each, f"records of {user}", 40)
            listening = ["ss", "-Hltn", f"sport = :{self.app_ports[user]}"]
            wait_until(lambda: self.site.run("login", *listening), f"the app of {user}", 40)

    def jobs(self, user):
        """The names of the user's hpc-proxies, as a session's job_id has them."""
        records = self.site.home(user).glob(".hpc-proxy/jobs/*.json")
        return sorted(record.stem for record in records)

    def job_processes(self):
        """Every hpc-proxy and app on the login node: pid, and when it was started."""
        lines = self.site.run("login", "ps", "-eo", "pid,lstart,args").splitlines()
        return sorted(line for line in lines if "hpc-proxy" in line or "echo_app" in line)

    def processes_here(self):
        """Pids, on this machine, of all processes of the site."""
        init = int((self.site.directory / "init").read_text().split()[0])
        found = [init]
        for pid in found:
            found += children(pid)
        return found

    # ---------------------------------------------------------------------- sessions
    def create_all(self):
        self.sessions = [self.serve.create(user, job=job)
                         for user in self.users for job in self.jobs(user)]
        self.wait_until_running()
        self.sessions = [self.now()[session["id"]] for session in self.sessions]

    def now(self):
        """{id: session} of all, as the operator sees them."""
        status, _, body = self.serve.operator("GET", "/api/v1/sessions")
        assert status == 200, (status, body)
        return {session["id"]: session for session in json.loads(body)["sessions"]}

    def wait_until_running(self, seconds=60):
        wanted = {session["id"] for session in self.sessions}

        def all_run():
            now = self.now()
            return set(now) == wanted and all(one["state"] == "running" for one in now.values())

        try:
            wait_until(all_run, f"{len(wanted)} sessions run", seconds, every=0.1)
        except AssertionError as error:
            states = sorted((one["user"], one["state"]) for one in self.now().values())
            raise AssertionError(f"{error}: {states}\n{self.serve.said()[-4000:]}") from error

    def app_path(self, session, rest=""):
        """The path of its user's app, by way of this session."""
        ide = session["ide"] if session["slot"] == 1 else f"{session['ide']}~{session['slot']}"
        return (f"/user/{session['user']}/{session['cluster']}/{ide}"
                f"/port/{self.app_ports[session['user']]}/{rest}")

    def where(self, session):
        """What the app says at the session's address, or the status instead."""
        status, _, body = self.serve.get(self.app_path(session, "where"), session["user"])
        return json.loads(body) if status == 200 else status

    def where_locally(self, session):
        """The same at the session's local port."""
        status, body = get(f"http://127.0.0.1:{session['local_port']}"
                           f"/port/{self.app_ports[session['user']]}/where",
                           headers={"X-HPC-Manager-Token": self.serve.token(session["user"])})
        return json.loads(body) if status == 200 else status


class Client(threading.Thread):
    """Does something for ever, and again from the start when the connection is lost."""

    def __init__(self):
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self.opened = 0

    def run(self):
        while not self._ended.is_set():
            try:
                self.once()
            except (OSError, WebSocketError, EOFError):
                self._ended.wait(0.2)

    def end(self):
        self._ended.set()

    def once(self):
        raise NotImplementedError


class EchoClient(Client):
    """A WebSocket of one session: a message, its echo, and so on."""

    def __init__(self, many, session, every=0.5):
        super().__init__()
        self._many, self._session, self._every = many, session, every
        # Each on the connection that is open now.
        self.echoes = 0
        self.wrong = []
        self.start()

    def once(self):
        path = self._many.app_path(self._session, "ws")
        with self._many.serve.websocket(path, self._session["user"]) as socket_:
            self.opened += 1
            self.echoes = 0
            while not self._ended.is_set():
                text = f"{self._session['id']} {self.opened} {self.echoes}"
                socket_.send(text)
                answer = socket_.receive(READ_SECONDS)
                if answer != text:
                    self.wrong.append((text, answer))
                self.echoes += 1
                self._ended.wait(self._every)


class EventReader(Client):
    """The events of one user, resumed with Last-Event-ID after a loss."""

    def __init__(self, serve, user):
        super().__init__()
        self._serve, self._user = serve, user
        self.numbers, self.gaps = [], 0
        self.start()

    def once(self):
        last = self.numbers[-1] if self.numbers else 0
        for name, value in read_events(self._serve, self._user, last, READ_SECONDS):
            if name == "open":
                self.opened += 1
            elif name == "id":
                self.numbers.append(int(value))
            elif (name, value) == ("event", "gap"):
                self.gaps += 1
            if self._ended.is_set():
                return


def read_events(serve, user, last, seconds):
    """Lines of /api/v1/events behind the number `last` as (name, value), after ("open", ""); until
    the stream ends, which is EOFError, or nothing comes for so many seconds, which is OSError."""
    with socket.create_connection(("127.0.0.1", serve.port), seconds) as stream:
        stream.sendall(f"GET /api/v1/events HTTP/1.0\r\nHost: 127.0.0.1:{serve.port}\r\n"
                       f"X-HPC-Manager-Token: {serve.token(user)}\r\n"
                       f"Last-Event-ID: {last}\r\n\r\n".encode())
        with stream.makefile("r", encoding="utf-8") as lines:
            if " 200 " not in lines.readline():
                raise EOFError
            while lines.readline().strip():
                pass
            yield "open", ""
            pending = None
            for line in lines:
                name, _, value = line.rstrip("\r\n").partition(": ")
                # An event counts once its blank line is there, as in a browser.
                if name == "id":
                    pending = value
                elif name == "event" and value == "gap":
                    yield name, value
                elif not line.strip() and pending is not None:
                    yield "id", pending
                    pending = None
    raise EOFError


def all_event_numbers(serve, user, quiet_seconds=1.5):
    """The numbers of all events that are kept for the user."""
    numbers = []
    try:
        for name, value in read_events(serve, user, 0, quiet_seconds):
            if name == "id":
                numbers.append(int(value))
    except (OSError, EOFError):
        return numbers


def end_all(clients):
    """Each ends when it next looks: who reads then, when the manager ends."""
    for client in clients:
        client.end()


def kill_and_start(serve):
    """As after a crash: nobody is told."""
    serve.stop(signal.SIGKILL)
    serve.start()
