"""Five people on two clusters, ten sessions, everybody on port 5500: each sees his own page and
nobody else's, over every kind of route, and what is somebody else's looks like nothing."""

import concurrent.futures
import http.client
import json
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from serve_site import Serve  # noqa: E402
from slurm_site import Site, our_program  # noqa: E402
from two_sites import NAMES, TwoSites  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import WebSocketError  # noqa: E402

PORT = 5500
# What may differ between two refusals: when they were made, nothing else.
TIMES = ("date",)


class Strangers:
    """What somebody gets who asks for what is somebody else's. Needs `serve`."""

    def answer(self, asker, method, path, upgrade=False):
        """The whole answer: status line, fields without times, body."""
        fields = {"X-HPC-Manager-Token": self.serve.token(asker)}
        if upgrade:
            try:
                self.serve.websocket(path, asker).__exit__()
                return "101"
            except WebSocketError as refused:
                return "\n".join(line for line in str(refused).splitlines()
                                 if not line.lower().startswith(TIMES))
        connection = http.client.HTTPConnection("127.0.0.1", self.serve.port, timeout=20)
        try:
            connection.request(method, path, headers=fields)
            answer = connection.getresponse()
            head = [(k, v) for k, v in answer.getheaders() if k.lower() not in TIMES]
            if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                return f"{answer.status} stream"
            return f"{answer.status} {answer.reason}\n{head}\n{answer.read()!r}"
        finally:
            connection.close()

    def kinds(self, user, cluster, session_id):
        """Every kind of route of one session: (method, path, upgrade)."""
        api = f"/api/v1/sessions/{session_id}"
        session = f"/user/{user}/{cluster}/vscode"
        app = f"{session}/port/{PORT}/"
        return [("GET", app, False),
                ("POST", app, False),
                ("GET", f"{app}ws", True),
                ("GET", f"{session}/absport/{PORT}/", False),
                ("GET", f"{session}/ports", False),
                ("GET", f"{session}/", False),
                ("GET", f"{session}/", True),
                ("GET", session, False),
                ("GET", api, False),
                ("GET", f"{api}/ports", False),
                ("GET", f"{api}/log", False),
                ("GET", f"{api}/events?last-event-id=0", False),
                ("GET", f"{api}/log?follow=1", False),
                ("POST", f"{api}/activate", False),
                ("POST", f"{api}/extend", False),
                ("DELETE", api, False)]

    def ask_for_all(self, sessions):
        """Everybody asks for everything of everybody else, and for what never was: {(user,
        cluster): session}. Returns how many questions were asked; each answer is the same bytes
        as for nothing."""
        users = sorted({user for user, _ in sessions})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return sum(pool.map(lambda asker: self.ask_as(asker, sessions), users))

    def ask_as(self, asker, sessions):
        nothing = {cluster: [self.answer(asker, method, path, upgrade) for method, path, upgrade
                             in self.kinds("nobody", cluster, "0" * 32)]
                   for cluster in {cluster for _, cluster in sessions}}
        asked = 0
        for (user, cluster), session in sessions.items():
            if user == asker:
                continue
            kinds = self.kinds(user, cluster, session["id"])
            for (method, path, upgrade), expected in zip(kinds, nothing[cluster]):
                got = self.answer(asker, method, path, upgrade)
                what = f"{asker}: {method} {path} upgrade={upgrade}"
                self.assertEqual(got, expected, what)
                self.assertIn("404", got.split("\n")[0], what)
                asked += 1
        return asked


class ServeMatrixTest(Strangers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sites = TwoSites(users=5)
        cls.addClassCleanup(cls.sites.close)
        cls.users = cls.sites.users
        cls.serve = Serve({name: cls.sites.site(name).address for name in NAMES},
                          {user: cls.sites.site("red").key(user) for user in cls.users},
                          [cls.sites.known_hosts])
        cls.addClassCleanup(cls.serve.close)
        cls.serve.start()
        cls.jobs = cls.sites.start_pages(PORT)
        pairs = list(cls.jobs)
        with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
            made = list(pool.map(lambda pair: cls.serve.create(*pair), pairs))
        cls.sessions = dict(zip(pairs, made))
        for (user, _), session in cls.sessions.items():
            cls.serve.wait_for_state(user, session["id"])

    @staticmethod
    def path(user, cluster, rest=""):
        return f"/user/{user}/{cluster}/vscode/port/{PORT}/{rest}"

    def test_everybody_sees_his_own_page_on_each_cluster(self):
        for (user, cluster), session in self.sessions.items():
            status, _, body = self.serve.get(self.path(user, cluster), user)
            self.assertEqual(status, 200, body)
            for other, there in self.sessions:
                (self.assertIn if (other, there) == (user, cluster) else self.assertNotIn)(
                    self.sites.text_of(other, there).encode(), body)
            now = self.serve.session(user, session["id"])
            self.assertEqual((now["job_id"], now["node"]),
                             (self.jobs[user, cluster], self.sites.node_of(user)))

    def test_web_sockets_reach_ones_own_live_server(self):
        for user, cluster in self.sessions:
            with self.serve.websocket(self.path(user, cluster, "ws"), user) as reload:
                page = self.sites.site(cluster).home(user) / "site/index.html"
                page.write_text(page.read_text() + "\n")
                self.assertIn(reload.receive(timeout=20), ("reload", "refreshcss"))

    def test_short_route_leads_to_the_active_session(self):
        for user in self.users:
            for cluster in NAMES:
                session = self.sessions[user, cluster]
                status, _, body = self.serve.request(
                    "POST", f"/api/v1/sessions/{session['id']}/activate", user)
                self.assertEqual(status, 200, body)
                status, fields, _ = self.serve.get(f"/port/{PORT}/a", user)
                self.assertEqual((status, fields["Location"]), (307, self.path(user, cluster, "a")))

    def test_what_is_somebody_elses_looks_like_nothing(self):
        self.assertEqual(self.ask_for_all(self.sessions), 5 * 8 * 16)
        # Nothing of it did anything.
        for (user, _), session in self.sessions.items():
            self.assertEqual(self.serve.session(user, session["id"])["state"], "running")

    def test_lists_and_streams_hold_ones_own_only(self):
        for user in self.users:
            status, _, body = self.serve.get("/api/v1/sessions", user)
            listed = json.loads(body)
            self.assertEqual((status, listed["count"]), (200, 2))
            self.assertEqual({one["user"] for one in listed["sessions"]}, {user})
            self.assertEqual(self.serve.get("/api/v1/sessions?all=1", user)[0], 404)
            seen = self.events_of(user)
            own = {session["id"] for (owner, _), session in self.sessions.items() if owner == user}
            self.assertEqual({event["id"] for event in seen if "id" in event}, own)

    def events_of(self, user):
        """The data of all events so far, read from the user's stream up to both being running."""
        raw = socket.create_connection(("127.0.0.1", self.serve.port), 20)
        try:
            raw.sendall((f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{self.serve.port}\r\n"
                         f"X-HPC-Manager-Token: {self.serve.token(user)}\r\n"
                         "Last-Event-ID: 0\r\n\r\n").encode())
            text = b""
            while text.count(b'"state":"running"') < 2:
                text += raw.recv(65536)
        finally:
            raw.close()
        return [json.loads(line[len("data: "):]) for line in text.decode().splitlines()
                if line.startswith("data: {") and line.endswith("}")]

    def test_nobody_logs_in_as_somebody_else(self):
        # One SSH connection per user and cluster, each under the user's own name.
        said = self.serve.said()
        for user in self.users:
            for cluster in NAMES:
                address = self.sites.site(cluster).address
                self.assertIn(f"connecting to {address} as {user} ", said)

    def test_z_ending_one_leaves_nine(self):
        (user, cluster), *others = self.sessions
        ended = self.sessions[user, cluster]
        status, _, body = self.serve.request("DELETE", f"/api/v1/sessions/{ended['id']}", user)
        self.assertEqual(status, 202, body)
        self.serve.wait_for_state(user, ended["id"], "ended")
        self.assertEqual(self.serve.get(self.path(user, cluster), user)[0], 410)
        for other, there in others:
            status, _, body = self.serve.get(self.path(other, there), other)
            self.assertEqual(status, 200, body)
            self.assertIn(self.sites.text_of(other, there).encode(), body)
        # It was attached to a job that runs on.
        job = self.jobs[user, cluster]
        state = self.sites.site(cluster).job_state(user, job)
        self.assertEqual(state, f"RUNNING {self.sites.node_of(user)}")
        again = self.serve.create(user, cluster)
        self.serve.wait_for_state(user, again["id"])
        wait_until(lambda: self.serve.get(self.path(user, cluster), user)[0] == 200, "it is back")


class TwentyTest(Strangers, unittest.TestCase):
    """Twenty people, each with a running session of the same names."""

    @classmethod
    def setUpClass(cls):
        cls.site = Site("--uplink", "--no-slurm", "--users", "20",
                        programs=[our_program("hpc-proxy")])
        cls.addClassCleanup(cls.site.close)
        cls.users = sorted(path.name for path in (cls.site.directory / "home").iterdir())
        cls.serve = Serve({"main": cls.site.address},
                          {user: cls.site.key(user) for user in cls.users}, [cls.site.known_hosts])
        cls.addClassCleanup(cls.serve.close)
        cls.serve.start()
        cls.sessions = {}
        for user in cls.users:
            cls.site.run(f"{user}@login", "sh", "-c",
                         "setsid hpc-proxy --port 0 </dev/null >/dev/null 2>&1 &")
            cls.sessions[user, "main"] = cls.serve.create(user)
        for (user, _), session in cls.sessions.items():
            cls.serve.wait_for_state(user, session["id"])

    def test_twenty_by_twenty(self):
        for user in self.users:
            status, _, body = self.serve.get(f"/user/{user}/main/vscode/status", user)
            self.assertEqual(status, 503, body)  # /app: nobody has told hpc-proxy of an IDE
            status, _, body = self.serve.get(f"/user/{user}/main/vscode/ports", user)
            self.assertEqual(status, 200, body)
        self.assertEqual(self.ask_for_all(self.sessions), 20 * 19 * 16)
        for (user, _), session in self.sessions.items():
            self.assertEqual(self.serve.session(user, session["id"])["state"], "running")


if __name__ == "__main__":
    unittest.main(verbosity=2)
