#!/usr/bin/python3
"""Apps that only work at `/`, as a browser meets them: behind hpc-proxy itself, and behind
`hpc-manager connect`, where the same is done by the manager."""

import contextlib
import http.client
import http.server
import json
import pathlib
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import connect_site  # noqa: E402
import harness  # noqa: E402
from websocket import WebSocket, WebSocketError  # noqa: E402

# As many as browsers follow.
REDIRECTS_MAX = 20


class RootApp(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked, whatever it is; a WebSocket is told the same, anywhere."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = json.dumps({"told_by": self.server.server_port, "method": self.command,
                           "target": self.path, "body": body,
                           "cookie": self.headers.get("Cookie")}).encode()
        if self.headers.get("Upgrade") == "websocket":
            return self.tell_web_socket(told)
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.send_header("Set-Cookie", "hpc-last-app-1=/port/1; Path=/")
        self.send_header("Set-Cookie", "app=1; Path=/")
        self.end_headers()
        self.wfile.write(told)

    do_POST = do_GET

    def tell_web_socket(self, told):
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", harness.web_socket_accept(key).decode())
        self.end_headers()
        assert len(told) < 65536
        self.wfile.write(bytes([0x81, 126]) + len(told).to_bytes(2, "big") + told)
        self.close_connection = True


class Browser:
    """Keeps cookies of `/`, sends Referer and Sec-Fetch-*, and follows redirects with method and
    body, as far as these tests need it. `sockets`: whose its connections are."""

    def __init__(self, port, sockets=harness.user_sockets):
        self.port = port
        self.sockets = sockets
        self.origin = f"http://127.0.0.1:{port}"
        self.cookies = {}
        self.page = None  # a path

    def ask(self, target, mode, method="GET", body=None):
        """(status, headers, body) of one request that the page makes."""
        fields = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Site": "same-origin" if self.page else "none"}
        if self.page:
            fields["Referer"] = self.origin + self.page
        if self.cookies:
            fields["Cookie"] = self.cookie()
        with self.sockets():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.connect()
        try:
            connection.request(method, target, body=body, headers=fields)
            answer = connection.getresponse()
            self.keep(answer.headers.get_all("Set-Cookie") or [])
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def keep(self, cookies):
        for text in cookies:
            pair, *attributes = text.split("; ")
            if "Path=/" in attributes:
                name, _, value = pair.partition("=")
                self.cookies[name] = value

    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def fetch(self, target, mode="cors", **options):
        """What the app tells at the end of the redirects; the status if it is not the app."""
        for _ in range(REDIRECTS_MAX):
            status, fields, body = self.ask(target, mode, **options)
            if status not in (307, 308):
                told = json.loads(body) if body.startswith(b"{") else {}
                return told if "told_by" in told else status
            target = urllib.parse.urljoin(self.origin + target, fields["Location"])
            assert target.startswith(self.origin + "/"), target
            target = target[len(self.origin):]
        raise AssertionError(f"redirected {REDIRECTS_MAX} times, the last time to {target}")

    def open(self, target):
        """A page, typed or bookmarked."""
        self.page = None
        told = self.fetch(target, "navigate")
        self.page = target
        return told

    def web_socket(self, target):
        """What the app tells; "" and the status line if it is refused."""
        with self.sockets():
            try:
                with WebSocket(f"ws://127.0.0.1:{self.port}{target}",
                               {"Cookie": self.cookie(), "Sec-Fetch-Mode": "websocket",
                                "Sec-Fetch-Site": "same-origin"}) as web_socket:
                    return json.loads(web_socket.receive())
            except WebSocketError as refused:
                return str(refused).split("\r\n", maxsplit=1)[0]


class FallbackChecks:
    """`browser` and the ports `app` and `other` of two apps are the test case's."""

    def assert_told(self, told, target, app=None, **more):
        self.assertIsInstance(told, dict, told)
        want = {"told_by": app or self.app, "target": target, **more}
        self.assertEqual({name: told[name] for name in want}, want)

    def test_asset_at_the_root(self):
        self.assert_told(self.browser.open(f"/port/{self.app}/"), "/")
        self.assert_told(self.browser.fetch("/x.js?v=%2f", "no-cors"), "/x.js?v=%2f")
        status, fields, _ = self.browser.ask("/x.js", "no-cors")
        self.assertEqual((status, fields["Location"]), (307, f"/port/{self.app}/x.js"))
        self.assertEqual((fields["Cache-Control"], fields["Vary"]), ("no-store", "Referer"))

    def test_each_page_has_its_own_app(self):
        self.browser.open(f"/port/{self.app}/")
        self.browser.open(f"/absport/{self.other}/page?q")
        self.assert_told(self.browser.fetch("/x.js"), f"/absport/{self.other}/x.js", self.other)
        self.browser.page = f"/port/{self.app}/a/b"
        self.assert_told(self.browser.fetch("/x.js"), "/x.js")

    def test_a_post_keeps_its_body(self):
        self.browser.open(f"/port/{self.app}/")
        told = self.browser.fetch("/save", method="POST", body="x" * 100_000)
        self.assert_told(told, "/save", method="POST", body="x" * 100_000)

    def test_a_link_to_the_root(self):
        self.browser.open(f"/port/{self.app}/page")
        self.assert_told(self.browser.fetch("/", "navigate"), "/")
        self.assert_told(self.browser.fetch("/about?q", "navigate"), "/about?q")

    def test_own_pages_are_for_people_and_the_apps_for_its_scripts(self):
        self.browser.open(f"/port/{self.app}/")
        for path in ("/status", "/healthz", "/metrics", "/ports"):
            self.assert_told(self.browser.fetch(path), path)
        self.assertEqual(self.browser.fetch("/status", "navigate"), 200)
        self.assertEqual(self.browser.fetch("/healthz", "navigate"), 200)
        self.browser.page = None
        self.assertEqual(self.browser.fetch("/status"), 200)
        self.assertEqual(self.browser.fetch("/healthz"), 200)

    def test_what_is_never_an_apps(self):
        self.browser.open(f"/port/{self.app}/")
        for path in ("/login", "/logout?x", "/api/v1/sessions", "/.hpc-manager/open"):
            self.assertEqual(self.browser.fetch(path), 404, path)

    def test_web_socket_at_the_root(self):
        self.browser.open(f"/port/{self.other}/")
        self.browser.open(f"/port/{self.app}/")
        self.assertIn(f"hpc-last-app-{self.browser.port}", self.browser.cookies)
        self.assert_told(self.browser.web_socket("/"), "/", cookie=None)
        self.assert_told(self.browser.web_socket("/status?t=1"), "/status?t=1")
        self.browser.open(f"/absport/{self.other}/")
        self.assert_told(self.browser.web_socket("/ws"), f"/absport/{self.other}/ws", self.other)
        self.assert_told(self.browser.web_socket(f"/port/{self.app}/ws"), "/ws")

    def test_web_socket_without_a_page(self):
        self.assertIn(" 404 ", self.browser.web_socket("/ws"))
        for evil in (f"/port/{self.app}/", "/port/0", "//evil.example", "/status"):
            self.browser.cookies = {f"hpc-last-app-{self.browser.port}": evil}
            self.assertIn(" 404 ", self.browser.web_socket("/ws"), evil)
        self.browser.cookies = {f"hpc-last-app-{self.browser.port}": "/port/22"}
        self.assertIn(" 403 ", self.browser.web_socket("/ws"))

    def test_our_cookie_is_none_of_the_apps(self):
        self.browser.open(f"/port/{self.app}/")
        self.browser.cookies["b"] = "2"
        self.assertEqual(self.browser.fetch(f"/port/{self.app}/")["cookie"], "b=2")
        self.assertNotIn("hpc-last-app-1", self.browser.cookies)
        self.browser.cookies = {}
        self.browser.fetch(f"/port/{self.app}/x.js", "no-cors")
        self.assertEqual(self.browser.cookies, {}, "pages say which app it is, not what they load")

    def test_other_sites_and_other_names_tell_nothing(self):
        for origin in ("http://evil.example", f"http://127.0.0.1:{self.app}",
                       f"http://localhost:{self.browser.port}", f"http://a@127.0.0.1:{self.app}"):
            self.browser.page, own = f"/port/{self.app}/", self.browser.origin
            self.browser.origin = origin
            self.assertEqual(self.browser.ask("/x.js", "no-cors")[0], 404, origin)
            self.browser.origin = own

    def assert_off(self, browser):
        self.assert_told(browser.open(f"/port/{self.app}/"), "/")
        self.assertEqual(browser.cookies, {})
        self.assertEqual(browser.fetch("/x.js"), 404)
        self.assertEqual(browser.fetch("/status"), 200)
        browser.cookies = {f"hpc-last-app-{browser.port}": f"/port/{self.app}"}
        self.assertIn(" 404 ", browser.web_socket("/ws"))
        self.assertIsNone(browser.fetch(f"/port/{self.app}/")["cookie"])


class DirectTest(FallbackChecks, harness.TestCase):
    def setUp(self):
        super().setUp()
        self.app, self.other = self.http_app(RootApp), self.http_app(RootApp)
        self.proxy = self.start()
        self.browser = Browser(self.proxy.port)

    def test_off(self):
        self.assert_off(Browser(self.start("--root-fallback", "off", home=self.new_home()).port))

    def test_whoever_has_the_token_may_come_directly(self):
        referer = ("Referer", f"{self.browser.origin}/port/{self.app}/")
        self.assertEqual(self.proxy.get("/x.js", [referer]).status, 307)
        behind = [referer, ("X-Forwarded-Host", f"127.0.0.1:{self.proxy.port}")]
        self.assertEqual(self.proxy.get("/x.js", behind).status, 404)

    def test_a_big_post_is_answered_before_it_is_read(self):
        with harness.user_sockets(), self.proxy.connect() as connection:
            connection.send(f"POST /save HTTP/1.1\r\nHost: 127.0.0.1:{self.proxy.port}\r\n"
                            f"Referer: {self.browser.origin}/port/{self.app}/\r\n"
                            "Content-Length: 1000000000\r\n\r\n".encode())
            answer = connection.read_answer()
            self.assertEqual((answer.status, answer.field("Connection")), (307, "close"))


class ConnectTest(FallbackChecks, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = connect_site.LoginHost()
        cls.addClassCleanup(cls.host.close)
        cls.host.start_proxy()
        cls.manager = cls.host.connect()
        cls.app, cls.other = cls.http_app(), cls.http_app()

    @classmethod
    def http_app(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RootApp)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        return server.server_port

    def setUp(self):
        self.browser = Browser(self.manager.port, contextlib.nullcontext)

    def test_the_start_page_stays_where_it_is(self):
        self.assertEqual(self.browser.open("/"), 200)
        self.assertEqual(self.browser.fetch("/", "navigate"), 200)

    def test_off(self):
        manager = self.host.connect("--root-fallback", "off")
        self.addCleanup(manager.stop)
        self.assert_off(Browser(manager.port, contextlib.nullcontext))


if __name__ == "__main__":
    harness.main()
