#!/usr/bin/python3
"""Apps that know nothing of the prefix, and apps that do, behind the real hpc-proxy: redirects,
cookies and the app's own checks hold as if the browser had asked the app itself."""

import http.cookies
import http.server
import pathlib
import sys
import threading
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

# As many as browsers follow.
REDIRECTS_MAX = 20


class App(http.server.BaseHTTPRequestHandler):
    """Quiet; `page` answers GET and POST."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def answer(self, status=200, fields=(), body=""):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if body:
            self.wfile.write(body.encode())

    def do_GET(self):
        self.page()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.page()

    @property
    def me(self):
        return f"http://localhost:{self.server.server_port}"


class RootApp(App):
    """Thinks that it is alone on localhost:PORT."""

    def page(self):
        path = self.path.split("?")[0]
        if path == "/to-path":
            self.answer(302, [("Location", "/home?from=/to-path#top")])
        elif path == "/to-own-name":
            self.answer(302, [("Location", f"{self.me}/home")])
        elif path == "/to-other-site":
            self.answer(302, [("Location", "https://login.example.com/?back=" + self.me)])
        elif path == "/relative":
            self.answer(302, [("Location", "home")])
        elif path == "/created":
            self.answer(201, [("Content-Location", "/things/1"), ("Refresh", "1; url=/things")])
        elif path == "/post-redirect-get":
            self.answer(303, [("Location", "/home")])
        elif path == "/login":
            self.answer(200, [("Set-Cookie", "__Host-sid=secret; Path=/; Secure; HttpOnly"),
                              ("Set-Cookie", "__Secure-own=1; Path=/; Secure"),
                              ("Set-Cookie", "theme=dark; Path=/; Domain=localhost"),
                              ("Set-Cookie", "page=1")])
        elif path == "/whoami":
            self.answer(body=self.headers.get("Cookie", ""))
        else:
            self.answer(body=f"root app: {self.path}")


class CheckingApp(App):
    """As Vite and Django do: knows its host, compares Origin and Referer with it."""

    def page(self):
        expected = urllib.parse.urlsplit(self.me)
        if self.headers["Host"] != expected.netloc:
            return self.answer(403, body="Blocked request. This host is not allowed.")
        if self.command == "POST" and self.headers["Origin"] != self.me:
            return self.answer(403, body="origin: " + str(self.headers["Origin"]))
        referer = self.headers.get("Referer")
        if referer and not referer.startswith(self.me + "/"):
            return self.answer(403, body="referer: " + referer)
        return self.answer(body=str(referer))


class BaseApp(App):
    """Started with a base path, as `vite --base`: elsewhere it sends to the same page there."""

    base = None  # "/port/N"

    def page(self):
        if self.path.startswith(self.base + "/"):
            return self.answer(body=f"base app: {self.path}")
        return self.answer(301, [("Location", self.base + self.path),
                                 ("Cache-Control", "max-age=3600")])


class BareApp(App):
    """Its base path has no slash at its end, as with next's `basePath`: it takes that away."""

    base = None

    def page(self):
        path, mark, query = self.path.partition("?")
        if path == self.base + "/":
            return self.answer(308, [("Location", self.base + mark + query),
                                     ("Cache-Control", "max-age=3600")])
        if path != self.base and not path.startswith(self.base + "/"):
            return self.answer(301, [("Location", self.base + self.path)])
        cookie = self.headers.get("Cookie")
        return self.answer(200, [] if cookie else [("Set-Cookie", "a=1; Path=/")],
                           f"{self.path} cookies: {cookie or 'none'}")


class Browser:
    """Follows redirects and keeps cookies with their paths, as far as the tests need it."""

    def __init__(self, test, proxy):
        self.test, self.proxy, self.cookies = test, proxy, []
        self.origin = f"http://127.0.0.1:{proxy.port}"

    def ask(self, target, fields=(), **options):
        path = target.split("?")[0]
        pairs = [f"{name}={value}" for name, value, where in self.cookies
                 if path == where or path.startswith(where.rstrip("/") + "/")]
        if pairs:
            fields = [*fields, ("Cookie", "; ".join(pairs))]
        answer = self.proxy.get(target, fields, **options)
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                self.keep(value, path)
        return answer

    def keep(self, text, path):
        for name, cookie in http.cookies.SimpleCookie(text).items():
            where = cookie["path"] or path.rpartition("/")[0]
            if name.startswith("__Host-"):  # a browser takes it with this path only
                self.test.assertEqual(where, "/")
            self.cookies.append((name, cookie.value, where))

    def open(self, target):
        """The answer at the end of the redirects, and where it was."""
        for _ in range(REDIRECTS_MAX):
            answer = self.ask(target)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer, target
            url = urllib.parse.urljoin(self.origin + target, answer.field("Location"))
            self.test.assertTrue(url.startswith(self.origin + "/"), url)
            target = url[len(self.origin):].split("#")[0]
        raise AssertionError(f"redirected {REDIRECTS_MAX} times, the last time to {target}")


class RewriteTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.proxy = self.start()
        self.browser = Browser(self, self.proxy)

    def assert_ends(self, target, where, body):
        answer, at = self.browser.open(target)
        self.assertEqual((answer.status, at, answer.body.decode()), (200, where, body))

    def test_redirects_stay_with_the_app(self):
        app = f"/port/{self.http_app(RootApp)}"
        for page, home in (("/to-path", "/home?from=/to-path"), ("/to-own-name", "/home"),
                           ("/relative", "/home")):
            self.assert_ends(app + page, app + home, "root app: " + home)

    def test_other_sites_stay_as_they_are(self):
        port = self.http_app(RootApp)
        answer = self.browser.ask(f"/port/{port}/to-other-site")
        self.assertEqual(answer.field("Location"),
                         f"https://login.example.com/?back=http://localhost:{port}")

    def test_other_fields_that_name_pages(self):
        app = f"/port/{self.http_app(RootApp)}"
        answer = self.browser.ask(app + "/created")
        self.assertEqual(answer.field("Content-Location"), app + "/things/1")
        self.assertEqual(answer.field("Refresh"), f"1; url={app}/things")

    def test_the_managers_prefix_counts(self):
        port = self.http_app(RootApp)
        prefix = f"/user/u/c/i/port/{port}"
        fields = [("X-Forwarded-Prefix", prefix), ("X-Forwarded-Proto", "https"),
                  ("X-Forwarded-Host", "hpc.example.org")]
        answer = self.proxy.get(f"/port/{port}/to-path", fields)
        self.assertEqual(answer.field("Location"), prefix + "/home?from=/to-path#top")
        cookies = [value for name, value in
                   self.proxy.get(f"/port/{port}/login", fields).fields if name == "Set-Cookie"]
        self.assertEqual(cookies[0], f"__Secure-sid=secret; Path={prefix}/; Secure; HttpOnly")

    def test_cookies_come_back_to_their_app_only(self):
        port, other = self.http_app(RootApp), self.http_app(RootApp)
        self.browser.ask(f"/port/{port}/login")
        for _, _, where in self.browser.cookies:
            self.assertTrue((where + "/").startswith(f"/port/{port}/"), where)
        seen = self.browser.ask(f"/port/{port}/whoami").body.decode().split("; ")
        for cookie in ("__Host-sid=secret", "__Secure-own=1", "theme=dark", "page=1"):
            self.assertIn(cookie, seen)
        self.assertEqual(self.browser.ask(f"/port/{other}/whoami").body, b"")

    def test_checks_of_the_app_hold(self):
        port = self.http_app(CheckingApp)
        app = f"/port/{port}"
        own = self.browser.origin

        def post(origin, referer):
            answer = self.browser.ask(app + "/", [("Origin", origin), ("Referer", referer)],
                                      method="POST", body=b"x")
            return answer.status, answer.body.decode()

        self.assertEqual(post(own, f"{own}{app}/form?a=b"),
                         (200, f"http://localhost:{port}/form?a=b"))
        self.assertEqual(post("https://evil.example", f"{own}{app}/"),
                         (403, "origin: https://evil.example"))
        self.assertEqual(post("null", f"{own}{app}/"), (403, "origin: null"))
        self.assertEqual(post(own, f"{own}/port/{port}0/"), (403, f"referer: {own}/port/{port}0/"))

    def base_app(self, route, app=BaseApp):
        kind = type("Handler", (app,), {})
        port = self.http_app(kind)
        kind.base = f"/{route}/{port}"
        return port, kind.base

    def test_app_with_a_base_path_is_asked_for_it(self):
        _, base = self.base_app("absport")
        self.assert_ends(base + "/x?y", base + "/x?y", f"base app: {base}/x?y")

    def test_app_that_knows_its_prefix_is_found_out(self):
        _, base = self.base_app("port")
        answer = self.browser.ask(base + "/")
        self.assertEqual((answer.status, answer.field("Location")), (301, base + "/"))
        self.assertEqual(answer.field("Cache-Control"), "no-store")
        self.assert_ends(base + "/", base + "/", f"base app: {base}/")
        self.assert_ends(base + "/x?y", base + "/x?y", f"base app: {base}/x?y")

    def test_app_that_takes_the_slash_away(self):
        for route in ("absport", "port"):
            _, base = self.base_app(route, BareApp)
            self.browser.cookies.clear()
            self.assert_ends(base + "/?q", base + "?q", f"{base}?q cookies: none")
            self.assert_ends(base + "/?q", base + "?q", f"{base}?q cookies: a=1")
            self.assert_ends(base + "?q", base + "?q", f"{base}?q cookies: a=1")
            self.assert_ends(base + "/x", base + "/x", f"{base}/x cookies: a=1")
            answer = self.browser.ask(base + "/")
            self.assertEqual((answer.status, answer.field("Location")), (308, base))
            self.assertEqual(answer.field("Cache-Control"), "no-store")

    def ask_once(self, server, target):
        """One request, which `server` answers in this thread's stead and then serves no more."""
        thread = threading.Thread(target=server.handle_request)
        with harness.user_sockets():
            thread.start()
        answer = self.browser.ask(target)
        thread.join(harness.PATIENCE_SECONDS)
        return answer

    def test_what_was_found_out_is_forgotten_with_the_app(self):
        # HTTP/1.0: a connection for each request, so that the app is gone when its listener is.
        base_app = type("Handler", (BaseApp,), {"protocol_version": "HTTP/1.0"})
        root_app = type("Handler", (RootApp,), {"protocol_version": "HTTP/1.0"})
        with harness.user_sockets():
            server = http.server.HTTPServer(("127.0.0.1", 0), base_app)
        port = server.server_port
        base_app.base = base = f"/port/{port}"
        self.ask_once(server, base + "/")
        self.assertEqual(self.ask_once(server, base + "/").body.decode(), f"base app: {base}/")
        server.server_close()
        self.assertEqual(self.browser.ask(base + "/").status, 503)

        with harness.user_sockets():
            server = http.server.HTTPServer(("127.0.0.1", port), root_app)
        self.addCleanup(server.server_close)
        self.assertEqual(self.ask_once(server, base + "/a").body, b"root app: /a")


if __name__ == "__main__":
    harness.main()
