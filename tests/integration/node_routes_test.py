#!/usr/bin/python3
"""The routes of hpc-proxy and what an app behind them sees."""

import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from websocket import WebSocket, WebSocketError  # noqa: E402


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class RoutesTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.proxy = self.start()
        self.port = self.http_app(harness.EchoHandler)

    def test_prefix_is_cut_byte_for_byte(self):
        def first_line(connection):
            # Not http.server: that collapses "//" itself.
            with connection, connection.makefile("rb") as reader:
                line = reader.readline().rstrip(b"\r\n")
                while reader.readline().strip():
                    pass
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" %
                                   (len(line), line))

        port = self.app(first_line)
        for rest in ("/", "/a/b?c=d", "/%2f%2E%2e//x/..;y", "//ws", "/?", "/a%0d%0ab",
                     "/@:!$&'()*"):
            seen = self.proxy.get(f"/port/{port}{rest}").body.decode()
            self.assertEqual(seen, f"GET {rest} HTTP/1.1")

    def test_prefix_is_kept_where_asked(self):
        seen = self.proxy.get(f"/absport/{self.port}/a?b").json()
        self.assertEqual(seen["target"], f"/absport/{self.port}/a?b")

    def test_app_sees_its_own_name(self):
        fields = dict(self.proxy.get(f"/port/{self.port}/").json()["fields"])
        self.assertEqual(fields["Host"], f"localhost:{self.port}")
        self.assertEqual(fields["X-Forwarded-Host"], f"127.0.0.1:{self.proxy.port}")
        self.assertEqual(fields["X-Forwarded-For"], "127.0.0.1")
        self.assertEqual(fields["X-Forwarded-Proto"], "http")
        self.assertEqual(fields["X-Forwarded-Prefix"], f"/port/{self.port}")

    def test_body_goes_both_ways(self):
        body = b"x" * 300_000
        seen = self.proxy.get(f"/port/{self.port}/", method="POST", body=body).json()
        self.assertEqual((seen["method"], seen["body"]), ("POST", body.decode()))

    def test_head_has_no_body(self):
        answer = self.proxy.get(f"/port/{self.port}/", method="HEAD")
        self.assertEqual(answer.status, 200)
        self.assertGreater(int(answer.field("Content-Length")), 0)

    def test_missing_slash(self):
        answer = self.proxy.get(f"/port/{self.port}?q=1")
        self.assertEqual(answer.status, 308)
        self.assertEqual(answer.field("Location"), f"/port/{self.port}/?q=1")

    def test_not_found(self):
        for target in ("/", "/port/", "/port/0/", "/port/05500/", "/port/+5500/", "/port/65536/",
                       "/port/5500%2fx", f"//port/{self.port}/", f"/%70ort/{self.port}/",
                       "/PORT/5500/", "/.hpc-proxy/"):
            self.assertEqual(self.proxy.get(target).status, 404, target)

    def test_forbidden_ports(self):
        for port in (80, 1023, self.proxy.port):
            self.assertEqual(self.proxy.get(f"/port/{port}/").status, 403, port)
        other = self.start("--allow-ports", f"80,{self.port}", home=self.new_home())
        self.assertEqual(other.get(f"/port/{self.port}/").status, 200)
        self.assertEqual(other.get(f"/port/{self.port - 1}/").status, 403)

    def test_nothing_listens(self):
        port = free_port()
        answer = self.proxy.get(f"/port/{port}/x")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.field("Retry-After"), "2")
        self.assertEqual(answer.field("Content-Type"), "application/problem+json")
        self.assertEqual(answer.json()["status"], 503)
        page = self.proxy.get(f"/port/{port}/x", [("Sec-Fetch-Mode", "navigate")])
        self.assertEqual(page.status, 503)
        self.assertIn('http-equiv="refresh"', page.body.decode())
        self.assertIn(str(port), page.body.decode())
        self.assertIn("default-src 'none'", page.field("Content-Security-Policy"))
        self.assertEqual(page.field("X-Content-Type-Options"), "nosniff")

    def test_app_that_comes_later_is_found(self):
        port = free_port()
        self.assertEqual(self.proxy.get(f"/port/{port}/").status, 503)
        with harness.user_sockets(), socket.create_server(("127.0.0.1", port)) as listener:
            def answer_once():
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            thread = threading.Thread(target=answer_once)
            thread.start()
            self.assertEqual(self.proxy.get(f"/port/{port}/").status, 204)
            thread.join()

    def test_app_on_ipv6_only(self):
        try:
            with harness.user_sockets():
                listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nsix")

        with harness.user_sockets():
            threading.Thread(target=serve, daemon=True).start()
        for _ in range(3):
            answer = self.proxy.get(f"/port/{listener.getsockname()[1]}/")
            self.assertEqual((answer.status, answer.body), (200, b"six"))

    def test_app_that_speaks_rubbish_or_dies(self):
        def rubbish(connection):
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        def dies(connection):
            connection.recv(65536)
            connection.close()

        for app in (rubbish, dies):
            self.assertEqual(self.proxy.get(f"/port/{self.app(app)}/").status, 502, app)

    def test_app_that_dies_inside_its_answer(self):
        def half(connection):
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        with self.proxy.connect() as connection:
            connection.send(f"GET /port/{self.app(half)}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            f"X-HPC-Proxy-Token: {self.proxy.token}\r\n\r\n")
            self.assertEqual(connection.read_answer(head_only=True).status, 200)
            try:
                self.assertEqual(connection.read(100), b"half")
            except ConnectionResetError:
                pass  # cut even before the client could read: just as good

    def test_web_socket(self):
        port = self.app(harness.echo_web_socket)
        token = {"X-HPC-Proxy-Token": self.proxy.token}
        for path in (f"/port/{port}/ws", f"/port/{port}", f"/absport/{port}/"):
            with WebSocket(f"http://127.0.0.1:{self.proxy.port}{path}", token) as web_socket:
                self.assertEqual(self.proxy.get("/status").json()["open_websockets"], 1)
                # The app sends the client's own frame back; it is masked, so compare bytes.
                web_socket.send(b"reload")
                self.assertEqual(len(web_socket._take(6 + len(b"reload"))), 12)
            harness.wait_until(
                lambda: self.proxy.get("/status").json()["open_websockets"] == 0, "it has closed")

    def test_web_socket_of_another_site_is_refused(self):
        # A token holder has decided for itself; the rule is for the same user's browser.
        script = ("import sys; sys.path.insert(0, sys.argv[1]); from websocket import *\n"
                  "try: WebSocket(sys.argv[2], {'Origin': 'http://evil.example'})\n"
                  "except WebSocketError as error: print(str(error).split()[1])\n")
        process, log = self.popen(
            ["/usr/bin/python3", "-c", script,
             str(pathlib.Path(__file__).resolve().parent.parent / "support"),
             f"http://127.0.0.1:{self.proxy.port}/port/{self.port}/"])
        process.wait(harness.PATIENCE_SECONDS)
        if "PermissionError" in log.read_text() or "ModuleNotFound" in log.read_text():
            self.skipTest("the source directory is closed to the user that plays the browser")
        self.assertEqual(log.read_text().strip(), "403")

    def test_refused_web_socket_stays_http(self):
        with self.assertRaises(WebSocketError) as caught:
            WebSocket(f"http://127.0.0.1:{self.proxy.port}/port/{self.port}/",
                      {"X-HPC-Proxy-Token": self.proxy.token})
        self.assertIn("200", str(caught.exception))

    def test_keep_alive_and_pipelining(self):
        head = (f"GET /port/{self.port}/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"X-HPC-Proxy-Token: {self.proxy.token}\r\n\r\n")
        with self.proxy.connect() as connection:
            connection.send("".join(head % i for i in range(5)))
            for i in range(5):
                self.assertEqual(connection.read_answer().json()["target"], f"/{i}")

    def test_status(self):
        for _ in range(3):
            self.proxy.get(f"/port/{self.port}/")
        status = self.proxy.get("/status").json()
        self.assertEqual(status["requests"], 4)
        self.assertGreater(status["bytes_to_clients"], 0)
        self.assertEqual(status["port"], self.proxy.port)
        self.assertEqual(status["open_exchanges"], 0)
        self.assertRegex(status["last_activity"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertFalse(status["walltime_warning"])
        self.assertNotIn(self.proxy.token, str(status))

    def test_health(self):
        answer = self.proxy.get("/healthz", token=False)
        self.assertEqual((answer.status, answer.body), (200, b'{"status":"ok"}\n'))
        with self.proxy.connect() as connection:
            connection.send("GET /healthz HTTP/1.0\r\n\r\n")
            self.assertEqual(connection.read_answer().status, 200)


if __name__ == "__main__":
    harness.main()
