#!/usr/bin/python3
"""--base-rewrite behind the real hpc-proxy: pages of an app that thinks that it is alone at / lead
back to it, and stream as without; everything else passes byte for byte."""

import gzip
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

PAGE = b'<!doctype html><html><head><title>/t</title></head><body><a href="/x?a&amp;b">x</a></body></html>'
STYLE = b"a { background: url(/x.png) }"


def rewritten(base, page):
    return (PAGE.replace(b"</head>", b'<base href="%s%s"></head>' % (base, page))
            .replace(b'"/x', b'"' + base + b"/x"))


class PageApp(harness.EchoHandler):
    """A page, a style sheet, and the page in ways that cannot be rewritten."""

    asked = []  # (target, fields)

    def answer_with(self, body, kind="text/html", status=200, fields=()):
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("ETag", '"v1"'), *fields):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers.items())))
        path = self.path.split("?")[0]
        if path == "/style.css":
            self.answer_with(STYLE, "text/css")
        elif path == "/gzip":
            self.answer_with(gzip.compress(PAGE, mtime=0), fields=[("Content-Encoding", "gzip")])
        elif self.headers.get("If-None-Match"):
            self.answer_with(PAGE, status=304)
        elif self.headers.get("Range"):
            self.answer_with(PAGE[3:10], status=206,
                             fields=[("Content-Range", f"bytes 3-9/{len(PAGE)}")])
        else:
            self.answer_with(PAGE, fields=[("Accept-Ranges", "bytes")])

    do_HEAD = do_GET


class BaseRewriteTest(harness.TestCase):
    def page_app(self):
        self.kind = type("Handler", (PageApp,), {"asked": []})
        return self.http_app(self.kind)

    def setUp(self):
        super().setUp()
        self.port = self.page_app()
        self.prefix = b"/port/%d" % self.port

    def path(self, rest):
        return f"/port/{self.port}{rest}"

    def ask_to_the_end(self, proxy, port):
        """A connection whose answer comes as it is, and ends with it."""
        connection = proxy.connect()
        connection.send(f"GET /port/{port}/ HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                        f"X-HPC-Proxy-Token: {proxy.token}\r\n\r\n")
        return connection

    @staticmethod
    def read_line(connection):
        line = b""
        while not line.endswith(b"\n"):
            line += connection.read(1)
        return line.strip()

    def test_off_by_default(self):
        answer = self.start().get(self.path("/"), [("Accept-Encoding", "gzip")])
        self.assertEqual(answer.body, PAGE)
        self.assertEqual(answer.field("ETag"), '"v1"')
        self.assertEqual(self.kind.asked[-1][1]["Accept-Encoding"], "gzip")

    def test_flag_and_environment(self):
        for options in ({"arguments": ["--base-rewrite"]},
                        {"variables": {"HPC_PROXY_BASE_REWRITE": "1"}}):
            with self.subTest(**options):
                proxy = self.start(*options.get("arguments", ()), home=self.new_home(),
                                   variables=options.get("variables"))
                answer = proxy.get(self.path("/d/?q=1&r"), [("Accept-Encoding", "gzip, br")])
                self.assertEqual(answer.body, rewritten(self.prefix, b"/d/?q=1&amp;r"))
                self.assertEqual(answer.field("Transfer-Encoding"), "chunked")
                self.assertEqual((answer.field("ETag"), answer.field("Accept-Ranges")),
                                 ('W/"v1"', "none"))
                self.assertEqual(self.kind.asked[-1][1]["Accept-Encoding"], "identity")

    def test_field_of_one_request(self):
        proxy = self.start()
        asks = [("X-HPC-Proxy-Base-Rewrite", "1")]
        self.assertEqual(proxy.get(self.path("/"), asks).body, rewritten(self.prefix, b"/"))
        self.assertNotIn("X-HPC-Proxy-Base-Rewrite", self.kind.asked[-1][1])
        with harness.user_sockets():  # the user's own program, without the token
            answer = proxy.get(self.path("/"), asks, token=False)
        self.assertEqual(answer.body, rewritten(self.prefix, b"/"))
        self.assertEqual(proxy.get(self.path("/")).body, PAGE)

    def test_the_managers_prefix_counts(self):
        prefix = f"/user/u/c/i/port/{self.port}"
        answer = self.start("--base-rewrite").get(
            self.path("/a"), [("X-Forwarded-Prefix", prefix), ("X-Forwarded-Proto", "https"),
                              ("X-Forwarded-Host", "hpc.example.org")])
        self.assertEqual(answer.body, rewritten(prefix.encode(), b"/a"))

    def test_app_that_is_asked_with_its_prefix(self):
        answer = self.start("--base-rewrite").get(f"/absport/{self.port}/")
        self.assertEqual(answer.body, rewritten(b"/absport/%d" % self.port, b"/"))

    def test_head_and_not_modified(self):
        proxy = self.start("--base-rewrite")
        head = proxy.get(self.path("/"), method="HEAD")
        self.assertEqual((head.field("Content-Length"), head.field("ETag")), (None, 'W/"v1"'))
        same = proxy.get(self.path("/"), [("If-None-Match", 'W/"v1"')])
        self.assertEqual((same.status, same.field("ETag"), same.body), (304, 'W/"v1"', b""))

    def test_what_is_no_page_passes(self):
        proxy = self.start("--base-rewrite")
        style = proxy.get(self.path("/style.css"))
        self.assertEqual((style.body, style.field("ETag")), (STYLE, '"v1"'))
        self.assertEqual(style.field("Content-Length"), str(len(STYLE)))

    def test_coded_page_passes(self):
        answer = self.start("--base-rewrite").get(self.path("/gzip"))
        self.assertEqual(gzip.decompress(answer.body), PAGE)
        self.assertEqual((answer.field("Content-Encoding"), answer.field("ETag")),
                         ("gzip", '"v1"'))

    def test_part_of_a_page(self):
        proxy = self.start("--base-rewrite")
        wanted = [("Range", "bytes=3-9")]
        whole = proxy.get(self.path("/"), wanted)
        self.assertEqual((whole.status, whole.body), (200, rewritten(self.prefix, b"/")))
        part = proxy.get(self.path("/"), wanted + [("Sec-Fetch-Dest", "video")])
        self.assertEqual((part.status, part.body), (206, PAGE[3:10]))

    def test_beginning_comes_before_the_end_was_sent(self):
        seen = threading.Event()
        self.addCleanup(seen.set)

        def slow(connection):
            with connection, connection.makefile("rb") as reader:
                while reader.readline().strip():
                    pass
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
                                   b"<body><a href=/first>first</a> <a hr")
                seen.wait(harness.PATIENCE_SECONDS)
                connection.sendall(b"ef=/last>last</a>")

        port = self.app(slow)
        proxy = self.start("--base-rewrite")
        with self.ask_to_the_end(proxy, port) as connection:
            beginning = (f'<base href="/port/{port}/"><body>'
                         f"<a href=/port/{port}/first>first</a> ").encode()
            got = b""
            while not got.endswith(beginning):
                byte = connection.read(1)
                self.assertTrue(byte, got)
                got += byte
            seen.set()
            self.assertEqual(connection.read(-1), f"<a href=/port/{port}/last>last</a>".encode())

    def test_large_page_streams_whole(self):
        count = 40_000
        link = b"<p>" + 500 * b"t" + b"<a href='/x'>a link</a></p>\n"

        def large(connection):
            with connection, connection.makefile("rb") as reader:
                while reader.readline().strip():
                    pass
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                                   b"Content-Length: %d\r\n\r\n" % (count * len(link)))
                for _ in range(count // 1000):
                    connection.sendall(link * 1000)
                reader.read(1)

        port = self.app(large)
        proxy = self.start("--base-rewrite")
        want = len(b'<base href="/port/%d/">' % port) + count * (len(link) + len(b"/port/%d" % port))
        with self.ask_to_the_end(proxy, port) as connection:
            while self.read_line(connection):
                pass
            got = 0
            while (piece := connection.read(65536)):
                got += len(piece)
        self.assertEqual(got, want)
        if os.environ.get("HPC_SANITIZED"):
            return  # which takes memory of its own
        status = pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        self.assertLess(int(peak), 16 * 1024, "kB of memory, at most, for a page of 20 MB")


if __name__ == "__main__":
    harness.main()
