#!/usr/bin/python3
"""The session's app under /app/: a port or a Unix socket, set at the start or later."""

import os
import pathlib
import socket
import socketserver
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from websocket import WebSocket  # noqa: E402


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("unix", 0)


class AppTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.home / "ide"
        self.folder.mkdir(mode=0o700)
        if harness.IS_ROOT:
            os.chown(self.folder, harness.USER_UID, harness.USER_UID)
        self.path = self.folder / "ide.sock"

    def listen(self, path=None, uid=harness.USER_UID, own_file=True):
        """A listening Unix socket of that user, which nobody serves."""
        path = path or self.path
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        if harness.IS_ROOT and own_file:
            os.chown(path, uid, uid)
        # The kernel keeps who called listen(): the effective user.
        if harness.IS_ROOT:
            os.setegid(uid)
            os.seteuid(uid)
        try:
            listener.listen(16)
        finally:
            if harness.IS_ROOT:
                os.seteuid(0)
                os.setegid(0)
        return listener

    def serve(self, handler, **options):
        listener = self.listen(**options)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=handler, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def serve_echo(self, **options):
        listener = self.listen(**options)
        server = UnixServer(None, harness.EchoHandler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def test_http_over_a_unix_socket(self):
        self.serve_echo()
        proxy = self.start("--app", f"unix:{self.path}")
        for target, seen in (("/app/a?b", "/a?b"), ("/app/", "/"), ("/app//ws", None),
                             ("/absapp/a?b", "/absapp/a?b")):
            answer = proxy.get(target)
            self.assertEqual(answer.status, 200, target)
            if seen:
                self.assertEqual(answer.json()["target"], seen)
        body = b"x" * 300_000
        seen = proxy.get("/app/", method="POST", body=body).json()
        self.assertEqual(seen["body"], body.decode())
        fields = dict(seen["fields"])
        self.assertEqual(fields["Host"], "localhost")
        self.assertEqual(fields["X-Forwarded-Prefix"], "/app")
        self.assertEqual(proxy.get("/app").field("Location"), "/app/")
        self.assertEqual(proxy.record["app"], {"target": f"unix:{self.path}",
                                               "keep_prefix": False})

    def test_web_socket_over_a_unix_socket(self):
        self.serve(harness.echo_web_socket)
        proxy = self.start("--app", f"unix:{self.path}")
        token = {"X-HPC-Proxy-Token": proxy.token}
        for target in ("/app/ws", "/app", "/absapp/"):
            url = f"http://127.0.0.1:{proxy.port}{target}"
            with WebSocket(url, token) as web_socket:
                self.assertEqual(proxy.get("/status").json()["open_websockets"], 1)
                web_socket.send(b"reload")
                # The app sends the client's own frame back; it is masked, so compare bytes.
                self.assertEqual(len(web_socket._take(6 + len(b"reload"))), 12)
            harness.wait_until(lambda: proxy.get("/status").json()["open_websockets"] == 0,
                               "it has closed")

    def test_app_that_comes_later(self):
        proxy = self.start("--app", f"unix:{self.path}")
        answer = proxy.get("/app/")
        self.assertEqual((answer.status, answer.field("Retry-After")), (503, "2"))
        page = proxy.get("/app/", [("Sec-Fetch-Mode", "navigate")])
        self.assertIn('http-equiv="refresh"', page.body.decode())
        self.serve_echo()
        self.assertEqual(proxy.get("/app/").status, 200)

    def test_app_that_knows_its_prefix_is_said_so_from_the_start(self):
        proxy = self.start("--app", f"unix:{self.path}", "--keep-prefix")
        self.assertEqual(proxy.record["app"], {"target": f"unix:{self.path}", "keep_prefix": True})

    def test_app_is_set_while_it_runs(self):
        proxy = self.start()
        self.assertEqual(proxy.get("/app/").status, 503)
        self.assertIsNone(proxy.get("/status").json()["app"])
        port = self.http_app(harness.EchoHandler)
        done = self.run_proxy("app", port)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertEqual(proxy.get("/app/x").json()["target"], "/x")
        self.assertEqual(proxy.record["app"], {"target": str(port), "keep_prefix": False})
        self.serve_echo()
        done = self.run_proxy("app", f"unix:{self.path}", "--keep-prefix")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(dict(proxy.get("/app/").json()["fields"])["Host"], "localhost")
        self.assertEqual(proxy.record["app"], {"target": f"unix:{self.path}", "keep_prefix": True})
        self.assertEqual(proxy.get("/status").json()["app"], f"unix:{self.path}")
        self.assertNotIn(proxy.token, proxy.log)

    def test_wrong_apps_are_refused(self):
        proxy = self.start()
        for word in ("0", "65536", "unix:relative", "127.0.0.1:5500", "unix:/" + "a" * 107):
            self.assert_refused(2, word, arguments=("app", word))
            self.assert_refused(2, word, "--app", arguments=("--app", word))
        self.assert_refused(1, "itself", arguments=("app", proxy.port))
        self.assert_refused(2, "app", arguments=("app",))
        self.assertIsNone(proxy.record["app"])
        proxy.end()
        self.assert_refused(3, "not running", arguments=("app", 5500))

    def test_app_is_not_set_without_the_token(self):
        proxy = self.start()
        fields = [("X-HPC-Proxy-App", "5500")]
        self.assertEqual(
            proxy.get("/.hpc-proxy/app", fields, method="POST", token=False).status,
            401 if harness.IS_ROOT else 403)
        # This process is root, so another user even with the token.
        self.assertEqual(proxy.get("/.hpc-proxy/app", fields, method="POST").status,
                         403 if harness.IS_ROOT else 200)

    def test_directory_that_others_may_write_to(self):
        self.serve_echo()
        proxy = self.start("--app", f"unix:{self.path}")
        self.folder.chmod(0o770)
        answer = proxy.get("/app/")
        self.assertEqual(answer.status, 403)
        self.assertIn("written by others", answer.json()["detail"])
        self.folder.chmod(0o755)
        self.assertEqual(proxy.get("/app/").status, 200)

    def test_symbolic_link(self):
        self.serve_echo()
        link = self.folder / "link.sock"
        link.symlink_to(self.path)
        self.assertEqual(self.start("--app", f"unix:{link}").get("/app/").status, 403)

    @unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
    def test_foreign_sockets(self):
        seen = []

        def taking(connection):
            with connection:
                seen.append(connection.recv(65536))

        # Another user's directory, another user's file, and another user's process behind a file
        # that is ours.
        theirs = self.base / "theirs"
        theirs.mkdir(mode=0o755)
        os.chown(theirs, harness.OTHER_UID, harness.OTHER_UID)
        cases = ((theirs / "a.sock", harness.USER_UID, True),
                 (self.folder / "b.sock", harness.OTHER_UID, True),
                 (self.folder / "c.sock", harness.OTHER_UID, False))
        for path, uid, own_file in cases:
            self.serve(taking, path=path, uid=uid, own_file=own_file)
            if not own_file:
                os.chown(path, harness.USER_UID, harness.USER_UID)
            path.chmod(0o777)
            proxy = self.start("--app", f"unix:{path}", home=self.new_home())
            answer = proxy.get("/app/")
            self.assertEqual(answer.status, 403, path)
            self.assertIn("another user", answer.json()["detail"])
        self.assertEqual(b"".join(seen), b"")


if __name__ == "__main__":
    harness.main()
