"""`hpc-manager serve` over a real sshd and a real hpc-proxy, for one user: from the token to the
app and back, ends, restarts and losses. Several users and clusters are in tests/cluster."""

import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from connect_site import App, LoginHost, free_port, kill_tree  # noqa: E402
from serve_site import Serve, ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import WebSocketError  # noqa: E402

CONFIG = 6


class ServeTest(ShowsServeLog, unittest.TestCase):
    def setUp(self):
        self.host = LoginHost()
        self.addCleanup(self.host.close)
        self.app = App()
        self.addCleanup(self.app.server_close)
        self.addCleanup(self.app.shutdown)
        self.user = self.host.user
        self.serve = self.make_serve()
        self.serve.start()

    def make_serve(self, *options):
        serve = Serve({"main": f"127.0.0.1:{self.host.port}"},
                      {self.user: self.host.key}, [self.host.known_hosts], *options)
        self.addCleanup(serve.close)
        return serve

    def running_session(self, **more):
        self.host.start_proxy()
        session = self.serve.create(self.user, **more)
        return self.serve.wait_for_state(self.user, session["id"]) and session

    def port_path(self, rest=""):
        return f"/user/{self.user}/main/vscode/port/{self.app.port}/{rest}"

    def app_answer(self, rest="x?y=%2F", **more):
        status, fields, body = self.serve.get(self.port_path(rest), self.user, **more)
        self.assertEqual(status, 200, body)
        return json.loads(body), fields


class PathTest(ServeTest):
    def test_request_reaches_the_app_with_the_whole_prefix(self):
        self.running_session()
        seen, fields = self.app_answer(headers={"Cookie": "a=1; hpc-manager-9000=secret",
                                                "X-Forwarded-For": "6.6.6.6"})
        self.assertEqual(seen["path"], "/x?y=%2F")
        headers = dict(seen["headers"])
        self.assertEqual(headers["x-forwarded-prefix"], self.port_path().rstrip("/"))
        self.assertEqual(headers["x-forwarded-host"], f"127.0.0.1:{self.serve.port}")
        self.assertEqual(headers["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(headers["cookie"], "a=1")
        self.assertNotIn("x-hpc-manager-token", headers)
        self.assertNotIn("x-hpc-proxy-token", headers)
        self.assertNotIn("hpc-manager", str(fields["Set-Cookie"]))
        self.assertEqual(fields["Content-Location"], self.port_path("x?y=%2F"))

    def test_websocket_and_short_route(self):
        self.running_session()
        for path in (self.port_path("ws"), f"/port/{self.app.port}/ws"):
            # The app's 101 is all of it here; frames are in tests/cluster.
            with self.serve.websocket(path, self.user):
                pass
        status, fields, _ = self.serve.get(f"/port/{self.app.port}/a?b", self.user)
        self.assertEqual((status, fields["Location"]), (307, self.port_path("a?b")))
        with self.assertRaises(WebSocketError) as refused:
            self.serve.websocket(self.port_path("ws"))
        self.assertIn(" 401 ", str(refused.exception))

    def test_what_needs_no_login(self):
        self.assertEqual(self.serve.get("/healthz")[0], 200)
        self.assertEqual(self.serve.get("/readyz")[0], 200)
        self.assertEqual(self.serve.get("/nothing")[0], 404)
        for path in ("/", "/api/v1/sessions", "/port/1/", self.port_path()):
            status, fields, _ = self.serve.get(path)
            self.assertEqual((status, fields["WWW-Authenticate"]), (401, "Bearer"), path)

    def test_metrics_are_not_for_browsers(self):
        self.assertEqual(self.serve.get("/metrics", self.user)[0], 404)

    def test_two_sessions_of_one_user_have_jobs_of_their_own(self):
        self.running_session()
        self.host.start_proxy()
        second = self.serve.create(self.user)
        self.assertEqual(second["slot"], 2)
        self.serve.wait_for_state(self.user, second["id"])
        status, _, body = self.serve.get("/api/v1/sessions", self.user)
        jobs = {one["job_id"] for one in json.loads(body)["sessions"]}
        self.assertEqual((status, len(jobs)), (200, 2), body)
        # One SSH connection carries both.
        self.assertEqual(len(self.host.ssh_sessions()), 1)


class EndTest(ServeTest):
    def test_an_ended_session_is_gone_and_says_why(self):
        session = self.running_session()
        with self.serve.websocket(self.port_path("ws"), self.user) as socket:
            status, _, _ = self.serve.request("DELETE", f"/api/v1/sessions/{session['id']}",
                                              self.user)
            self.assertEqual(status, 202)
            with self.assertRaises((WebSocketError, ConnectionError)):
                socket.receive(timeout=10)
        status, _, body = self.serve.get(self.port_path(), self.user,
                                         headers={"Accept": "text/html"})
        self.assertEqual(status, 410)
        self.assertIn(b"ended by its user", body)

    def test_root_is_refused(self):
        if not harness.IS_ROOT:
            self.skipTest("only root can start it as root")
        done = subprocess.run([self.serve.manager_program, "serve", "--cluster", "main=127.0.0.1",
                               "--identity", "/k/%u", "--state", "/tmp/no", "--listen",
                               "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, CONFIG, done.stderr)
        self.assertIn("does not run as root", done.stderr)

    def test_terminate_drains(self):
        session = self.running_session()
        connection = self.serve.connect()
        self.addCleanup(connection.close)
        connection.request("GET", f"/api/v1/sessions/{session['id']}/events?last-event-id=0",
                           headers={"X-HPC-Manager-Token": self.serve.token(self.user)})
        events = connection.getresponse()
        self.assertEqual(self.serve.stop(), 0)
        # The stream has its end: whoever watches comes again, and a drain does not wait for it.
        self.assertIn(b'"state":"queued"', events.read())
        self.assertFalse((self.serve.directory / "run/socket").exists())


class ComeBackTest(ServeTest):
    def test_after_kill_everything_is_there_again(self):
        session = self.running_session()
        before = self.serve.session(self.user, session["id"])
        self.serve.stop(signal.SIGKILL)
        self.serve.start()
        self.serve.wait_for_state(self.user, session["id"])
        after = self.serve.session(self.user, session["id"])
        for same in ("id", "job_id", "node", "created_at", "url"):
            self.assertEqual(after[same], before[same])
        self.app_answer()

    def test_a_request_waits_for_the_tunnel(self):
        session = self.running_session()
        (connection,) = self.host.ssh_sessions()
        kill_tree(connection)
        wait_until(lambda: self.serve.session(self.user, session["id"])["state"] == "reconnecting",
                   "the loss is seen")
        status, fields, _ = self.serve.request("POST", self.port_path(), self.user, body="x")
        self.assertEqual((status, fields["Retry-After"]), (503, "2"))
        self.app_answer()  # waits, and is answered

    def test_sshd_that_stays_away_is_a_page_that_goes_on_by_itself(self):
        session = self.running_session()
        (connection,) = self.host.ssh_sessions()
        self.host.stop_sshd()
        kill_tree(connection)
        wait_until(lambda: self.serve.session(self.user, session["id"])["state"] == "reconnecting",
                   "the loss is seen")
        status, _, body = self.serve.get(self.port_path(), self.user, timeout=30,
                                         headers={"Accept": "text/html"})
        self.assertEqual(status, 503)
        self.assertIn(b'http-equiv="refresh"', body)
        self.host.start_sshd()
        self.serve.wait_for_state(self.user, session["id"])
        self.app_answer()

    def test_session_waits_for_its_job(self):
        session = self.serve.create(self.user)
        self.serve.wait_for_state(self.user, session["id"], "starting")
        self.host.start_proxy()
        self.serve.wait_for_state(self.user, session["id"])


class LentPortTest(ServeTest):
    def make_serve(self, *options):
        first = free_port()
        return super().make_serve("--local-ports", f"{first}-{min(first + 20, 65535)}", *options)

    def lent(self, session, path, token=True):
        port = self.serve.session(self.user, session["id"])["local_port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        fields = {"X-HPC-Manager-Token": self.serve.token(self.user)} if token else {}
        try:
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_session_is_at_the_root_of_its_port_for_its_owner(self):
        session = self.running_session()
        status, body = self.lent(session, f"/port/{self.app.port}/y")
        self.assertEqual(status, 200, body)
        self.assertEqual(dict(json.loads(body)["headers"])["x-forwarded-prefix"],
                         f"/port/{self.app.port}")
        self.assertEqual(self.lent(session, f"/port/{self.app.port}/y", token=False)[0], 401)

    def test_port_is_the_same_after_a_kill_and_free_after_the_end(self):
        session = self.running_session()
        port = self.serve.session(self.user, session["id"])["local_port"]
        self.serve.stop(signal.SIGKILL)
        self.serve.start()
        self.serve.wait_for_state(self.user, session["id"])
        self.assertEqual(self.serve.session(self.user, session["id"])["local_port"], port)
        self.assertEqual(self.lent(session, f"/port/{self.app.port}/")[0], 200)
        self.serve.request("DELETE", f"/api/v1/sessions/{session['id']}", self.user)
        self.serve.wait_for_state(self.user, session["id"], "ended")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        status, _, body = self.serve.operator("GET", "/api/v1/admin/ports/stats")
        self.assertEqual((status, json.loads(body)["ranges"]["local"]["allocated"]), (200, 0), body)


class ReloadTest(ServeTest):
    def make_serve(self, *options):
        serve = super().make_serve(*options)
        config = serve.add_file("serve.toml", "max-sessions-per-user = 1\n")
        serve.options += ["--config", config]
        self.make_certificate(serve, "first")
        serve.options += ["--tls-cert", serve.directory / "tls.crt",
                          "--tls-key", serve.directory / "tls.key"]
        return serve

    @staticmethod
    def make_certificate(serve, name):
        made = serve.directory / "made"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-keyout", f"{made}.key", "-out", f"{made}.crt"],
                       check=True, capture_output=True)
        for end in ("key", "crt"):
            serve.add_file(f"tls.{end}", pathlib.Path(f"{made}.{end}").read_text())

    def subject(self):
        connection = self.serve.connect()
        connection.connect()
        try:
            certificate = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        return "first" if b"first" in certificate else "second" if b"second" in certificate else ""

    def reload(self, says="reloaded"):
        before = self.serve.said().count(says)
        self.serve.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.serve.said().count(says) > before, says)

    def test_limits_and_certificate_change_and_open_connections_go_on(self):
        session = self.running_session()
        status, _, body = self.serve.request("POST", "/api/v1/sessions", self.user,
                                             body={"cluster": "main", "ide": "vscode",
                                                   "attach": True})
        self.assertEqual(status, 429, body)
        old = self.serve.connect()
        self.addCleanup(old.close)
        fields = {"X-HPC-Manager-Token": self.serve.token(self.user)}
        old.request("GET", self.port_path(), headers=fields)
        self.assertEqual(old.getresponse().read()[:1], b"{")
        self.serve.add_file("serve.toml", "max-sessions-per-user = 2\n")
        self.make_certificate(self.serve, "second")
        self.assertEqual(self.subject(), "first")
        self.reload()
        self.assertEqual(self.subject(), "second")
        old.request("GET", self.port_path(), headers=fields)
        self.assertEqual(old.getresponse().read()[:1], b"{")
        self.serve.create(self.user)
        self.assertEqual(self.serve.session(self.user, session["id"])["state"], "running")

    def test_what_is_wrong_changes_nothing(self):
        self.serve.add_file("serve.toml", "max-sessions-per-user = many\n")
        self.reload("everything stays as it was")
        self.serve.add_file("serve.toml", "max-sessions-per-user = 1\n")
        self.serve.add_file("tls.crt", "no certificate")
        self.reload()
        self.assertEqual(self.subject(), "first")
        self.assertEqual(self.serve.get("/healthz")[0], 200)


class MetricsTest(ServeTest):
    def make_serve(self, *options):
        self.metrics_port = free_port()
        return super().make_serve("--metrics-listen", f"127.0.0.1:{self.metrics_port}", *options)

    def test_metrics_for_scrapers_and_operators_without_names(self):
        self.running_session()
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        self.assertRegex(text, r'sessions\{state="running"\} 1\n')
        self.assertIn("event_loop_lag", text)
        self.assertNotIn(self.user, text)
        self.assertEqual(self.serve.operator("GET", "/metrics")[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
