#!/usr/bin/python3
"""Real clients through hpc-proxy: curl, wget, Node's http and Python's http.client."""

import contextlib
import gzip
import hashlib
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import harness  # noqa: E402

FILE = bytes(range(256)) * 400
CLIENT_SECONDS = 60


class App(harness.EchoHandler):
    """What the clients here ask for. /gone waits until a client of /endless went away."""

    client_gone = threading.Event()

    def do_GET(self):
        route = self.path.split("?")[0].strip("/")
        answer = getattr(self, "get_" + route.replace("-", "_"), None)
        return answer() if answer else super().do_GET()

    do_HEAD = do_GET

    def do_PUT(self):
        if self.path == "/swallow":
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.rfile.read()
            return None
        body = self.read_body()
        return self.answer(json.dumps({
            "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(),
            "chunked": self.headers.get("Transfer-Encoding") == "chunked"}).encode())

    def do_POST(self):
        self.answer(self.read_body(), "application/octet-stream")

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def get_file(self):
        wanted = self.headers.get("Range")
        if not wanted:
            return self.send_parts(200, FILE, ("Accept-Ranges", "bytes"))
        first, last = wanted.removeprefix("bytes=").split("-")
        if int(first) >= len(FILE):
            return self.send_parts(416, b"", ("Content-Range", f"bytes */{len(FILE)}"))
        part = FILE[int(first):int(last) + 1 if last else None]
        span = f"bytes {first}-{int(first) + len(part) - 1}/{len(FILE)}"
        return self.send_parts(206, part, ("Content-Range", span))

    def get_gzip(self):
        self.send_parts(200, gzip.compress(FILE), ("Content-Encoding", "gzip"))

    def get_until_close(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(FILE)
        self.close_connection = True

    def get_hints(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        self.send_parts(200, b"hinted")

    def get_half_length(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        self.close_connection = True

    def get_half_chunks(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        self.close_connection = True

    def get_endless(self):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(FILE)
        except OSError:
            self.client_gone.set()

    def get_gone(self):
        seen = self.client_gone.wait(harness.PATIENCE_SECONDS)
        self.send_parts(200, b"gone" if seen else b"still there")

    def send_parts(self, status, body, *fields):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *fields):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class ClientsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        App.client_gone = threading.Event()
        self.port = self.http_app(App)
        self.proxy = self.start()
        self.path = f"/port/{self.port}/"
        self.url = f"http://127.0.0.1:{self.proxy.port}{self.path}"

    def run_client(self, *command, data=None):
        """A client as the proxy's own user; what it wrote on stdout."""
        done = subprocess.run(harness.as_user(harness.USER_UID, command), check=False, input=data,
                              capture_output=True, timeout=CLIENT_SECONDS, cwd=self.home,
                              env=self.environment())
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def curl(self, *arguments, data=None):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        return self.run_client("curl", "-sS", "--max-time", str(CLIENT_SECONDS), *arguments,
                               data=data)

    def test_curl_versions(self):
        for version in ("--http1.1", "--http1.0"):
            for path in ("file", "until-close"):
                self.assertEqual(self.curl(version, self.url + path), FILE, (version, path))
        self.assertIn(b"Content-Length: 102400", self.curl("-I", self.url + "file"))

    def test_curl_asks_for_http2(self):
        # Its Upgrade: h2c goes no further, and it stays with HTTP/1.1.
        out = self.curl("--http2", "-w", "\n%{http_version}", self.url + "echo")
        seen, version = out.rsplit(b"\n", 1)
        names = {name.lower() for name, _ in json.loads(seen)["fields"]}
        self.assertEqual(version, b"1.1")
        self.assertFalse(names & {"upgrade", "http2-settings", "connection"}, names)

    def test_curl_uploads(self):
        body = FILE * 30
        (self.home / "body").write_bytes(body)
        for arguments, chunked in ((("-T", "body"), False),
                                   (("-T", "body", "-H", "Expect: 100-continue"), False),
                                   (("-T", "body", "-H", "Expect:"), False),
                                   (("-T", "body", "-H", "Transfer-Encoding: chunked"), True),
                                   (("-T", "-"), True)):
            answer = json.loads(self.curl(*arguments, self.url + "digest", data=body))
            self.assertEqual(answer, {"bytes": len(body), "chunked": chunked,
                                      "sha256": hashlib.sha256(body).hexdigest()}, arguments)

    def test_curl_ranges_and_compression(self):
        self.assertEqual(self.curl("-r", "10-19", self.url + "file"), FILE[10:20])
        self.assertEqual(self.curl("--compressed", self.url + "gzip"), FILE)
        out = self.curl("-r", "999999-", "-o", "/dev/null", "-w", "%{http_code}", self.url + "file")
        self.assertEqual(out, b"416")

    def test_curl_keeps_its_connection(self):
        out = self.curl("-w", "%{num_connects} ", "-o", "/dev/null", self.url + "file", "-o",
                        "/dev/null", self.url + "until-close", "-o", "/dev/null", self.url + "echo")
        self.assertEqual(out, b"1 0 0 ")

    def test_curl_notices_half_answers(self):
        for path in ("half-length", "half-chunks"):
            for version in ("--http1.1", "--http1.0"):
                with self.assertRaises(AssertionError, msg=(path, version)):
                    self.curl(version, self.url + path)

    def test_wget(self):
        if not shutil.which("wget"):
            self.skipTest("no wget")
        quiet = ("wget", "-q", "--tries=1")
        self.assertEqual(self.run_client(*quiet, "-O", "-", self.url + "file"), FILE)
        self.assertEqual(self.run_client(*quiet, "-O", "-", self.url + "until-close"), FILE)
        # It goes on with a file of which it has a part.
        part = self.home / "file"
        part.write_bytes(FILE[:1000])
        part.chmod(0o666)
        self.run_client(*quiet, "-c", self.url + "file")
        self.assertEqual(part.read_bytes(), FILE)

    def python_client(self):
        with harness.user_sockets():
            client = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)
            client.connect()
        self.addCleanup(client.close)
        return client

    def test_python(self):
        client = self.python_client()
        local = client.sock.getsockname()

        def ask(method, path, **options):
            client.request(method, self.path + path, **options)
            answer = client.getresponse()
            return answer, answer.read()

        parts = [b"one", b"two" * 10000, b"three"]
        _, text = ask("PUT", "digest", body=iter(parts), encode_chunked=True,
                      headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(json.loads(text)["sha256"], hashlib.sha256(b"".join(parts)).hexdigest())
        answer, text = ask("HEAD", "file")
        self.assertEqual((answer.headers["Content-Length"], text), (str(len(FILE)), b""))
        self.assertEqual(ask("POST", "echo", body=FILE)[1], FILE)
        self.assertEqual(ask("GET", "until-close")[1], FILE)
        self.assertEqual(client.sock.getsockname(), local, "one connection for all of them")

    def test_python_notices_half_answers(self):
        for path in ("half-length", "half-chunks"):
            client = self.python_client()
            client.request("GET", self.path + path)
            answer = client.getresponse()
            with self.assertRaises((http.client.IncompleteRead, ConnectionResetError), msg=path):
                answer.read()

    def test_node(self):
        if not shutil.which("node"):
            self.skipTest("no Node.js")
        script = self.base / "http_client.js"
        shutil.copy(HERE / "node/http_client.js", script)
        out = self.run_client("node", str(script), self.url).decode().split()
        self.assertEqual(out[-1], "stopsInTheMiddle")


if __name__ == "__main__":
    harness.main()
