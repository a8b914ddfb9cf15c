#!/usr/bin/python3
"""Malformed and hostile messages, byte by byte, against the real hpc-proxy: each is answered with
its status, the connection is closed, and the app has seen nothing of it.

What is legal but odd is here as well, with what the app is to see.
"""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

WEB_SOCKET = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
CHUNKED = "Transfer-Encoding: chunked\r\n"


def request(fields="", line="GET {path} HTTP/1.1", body="", host="Host: 127.0.0.1\r\n"):
    return f"{line}\r\n{host}{fields}\r\n{body}"


def post(fields, body=""):
    return request(fields, "POST {path} HTTP/1.1", body)


def chunked(body):
    return post(CHUNKED, body)


# Bytes that may not stand in names, targets and values, as what a test's name says them with.
NAME_BYTES = "\0\x01\t \"(),/;<=>?@[\\]{}\x7f\x80\xff"
TARGET_BYTES = "\0\x01\t\x1f#\x7f\x80\xe4\xff"
VALUE_BYTES = "\0\x01\b\x0b\x0c\x1b\x1f\x7f"

LENGTHS = ("", "+3", "-3", "0x3", "3_0", "3,3", "3, 3", "3 3", "3;", "3.0", "three", "\"3\"",
           "9223372036854775808", "18446744073709551616", "99999999999999999999")
ENCODINGS = {"gzip": 501, "identity": 501, "chunked, chunked": 501, "gzip, chunked": 501,
             "chunked, gzip": 501, "xchunked": 501, "chunked;q=1": 501, "": 400, "chunked,": 400,
             ",chunked": 400, "chunked chunked": 400, "\"chunked\"": 400, "\x0bchunked": 400}
HOSTS = ("", "a b", "user@127.0.0.1", "127.0.0.1/", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
         "127.0.0.1:+1", "127.0.0.1,127.0.0.1", "[::1", "::1", "127.0.0.1#", "127.0.0.1\\x")
SIZES = ("+1", "-1", "0x1", " 1", "1 ", "\t1", "", "g", "1;\0", "00000000000000001",
         "8000000000000000", "ffffffffffffffff", "fffffffffffffffff")
TRAILERS = ("Content-Length: 5", "Transfer-Encoding: chunked", "Host: other", "Authorization: x",
            "Cookie: a=b", "Forwarded: for=x", "X-Forwarded-For: x", "X-HPC-Proxy-Token: x",
            "Connection: x", "Trailer: x", "Upgrade: x", "TE: x", "Expect: x", " folded", ": empty",
            "A : b", "no colon", "A: \0")


def refused_messages():
    """(name, message, status) of everything that is refused before the app hears of it."""
    yield from refused_start_lines()
    yield from refused_fields()
    yield from refused_framing()
    yield from refused_chunks_at_once()


def refused_start_lines():
    for line, status in {
            "GET  {path} HTTP/1.1": 400, "GET {path}  HTTP/1.1": 400, " GET {path} HTTP/1.1": 400,
            "GET\t{path} HTTP/1.1": 400, "GET {path}\tHTTP/1.1": 400, "GET {path} HTTP/1.1 ": 400,
            "GET {path}": 400, "GET": 400, "{path}": 400, "GET {path} ": 400, "GET {path} HTTP/": 400,
            "GET {path} HTTP/0.9": 400, "GET {path} HTTP/1.10": 400, "GET {path} HTTP/01.1": 400,
            "GET {path} http/1.1": 400, "GET {path} HTTP/1,1": 400, "GET {path} RTSP/1.0": 400,
            "GET {path} HTTP/1.2": 505, "GET {path} HTTP/2.0": 505, "GET {path} HTTP/3.0": 505,
            "GET * HTTP/1.1": 400, "GET a HTTP/1.1": 400, "GET 127.0.0.1:80 HTTP/1.1": 400,
            "GET ftp://127.0.0.1{path} HTTP/1.1": 400, "GET http://other{path} HTTP/1.1": 400,
            "GET http://u@127.0.0.1{path} HTTP/1.1": 400, "GET http:/127.0.0.1{path} HTTP/1.1": 400,
            "GET http://127.0.0.1:1{path} HTTP/1.1": 400,
            "CONNECT 127.0.0.1:22 HTTP/1.1": 405, "TRACE {path} HTTP/1.1": 405,
            "BREW {path} HTTP/1.1": 501, "get {path} HTTP/1.1": 501, "GETX {path} HTTP/1.1": 501,
            "PRI * HTTP/2.0": 505, "DESCRIBE {path} HTTP/1.1": 501}.items():
        yield f"line {line!r}", request(line=line), status
    for byte in TARGET_BYTES:
        yield f"target byte {byte!r}", request(line="GET {path}" + byte + " HTTP/1.1"), 400
    yield "line feed only", "GET {path} HTTP/1.1\nHost: 127.0.0.1\n\n", 400
    yield "five empty lines", "\r\n" * 5 + request(), 400
    yield "empty line feed", "\n" + request(), 400
    yield "long target", request(line="GET {path}" + "a" * 8192 + " HTTP/1.1"), 414


def refused_fields():
    for byte in NAME_BYTES:
        yield f"name byte {byte!r}", request(f"X{byte}A: b\r\n"), 400
    for byte in VALUE_BYTES:
        yield f"value byte {byte!r}", request(f"X: a{byte}b\r\n"), 400
    for line in ("X: a\r\n b\r\n", "X: a\r\n\tb\r\n", " X: a\r\n", ": a\r\n", "X\r\n", "X: a\nY: b\r\n",
                 "X: a\rY: b\r\n", "X: a\r\r\n", "X: a\n\r\n", "X : a\r\n", "X\t: a\r\n"):
        yield f"field {line!r}", request(line), 400
    yield "end by line feed", "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\n", 400
    yield "end by CR X", "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\rX", 400
    yield "folded first line", "GET {path} HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n", 400
    yield "no Host", request(host=""), 400
    yield "no Host in 1.0", request(line="GET {path} HTTP/1.0", host=""), 400
    yield "Host twice", request("Host: 127.0.0.1\r\n"), 400
    for host in HOSTS:
        yield f"Host {host!r}", request(host=f"Host: {host}\r\n"), 400
    yield "129 fields", request("X: a\r\n" * 128), 431
    yield "long head", request("X: " + "a" * 65536 + "\r\n"), 431
    for value in ("200-ok", "100-continue, x", "", "100-continue=1"):
        yield f"Expect {value!r}", post(f"Expect: {value}\r\nContent-Length: 3\r\n", "abc"), 417
    yield "Expect twice", post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n", "a"), 417


def refused_framing():
    for value in LENGTHS:
        yield f"length {value!r}", post(f"Content-Length: {value}\r\n", "abc"), 400
    yield "length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400
    yield "length twice, other", post("Content-Length: 3\r\ncontent-length: 4\r\n", "abcd"), 400
    yield "both", post(f"Content-Length: 5\r\n{CHUNKED}", "0\r\n\r\n"), 400
    yield "both, other order", post(f"{CHUNKED}Content-Length: 5\r\n", "0\r\n\r\n"), 400
    for value, status in ENCODINGS.items():
        yield f"encoding {value!r}", post(f"Transfer-Encoding: {value}\r\n", "0\r\n\r\n"), status
    yield "encoding twice", post(CHUNKED * 2, "0\r\n\r\n"), 501
    yield "encoding in 1.0", request(CHUNKED, "POST {path} HTTP/1.0", "0\r\n\r\n"), 400
    yield "handshake with length", request(WEB_SOCKET + "Content-Length: 3\r\n", body="abc"), 400
    yield "handshake with chunks", request(WEB_SOCKET + CHUNKED, body="0\r\n\r\n"), 400


def refused_chunks_at_once():
    """Head and body come together here; refused_chunks_later() sends a good chunk ahead."""
    for size in SIZES:
        yield f"chunk size {size!r}", chunked(f"{size}\r\na\r\n0\r\n\r\n"), 400
    for body in ("1\na\r\n0\r\n\r\n", "1\ra\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n",
                 "1\r\na0\r\n\r\n", "0\n\r\n", "0\r\n\n", "1;a\nb\r\na\r\n0\r\n\r\n", "0\r\n\rX"):
        yield f"chunks {body!r}", chunked(body), 400
    yield "extension of 257", chunked("1;" + "e" * 256 + "\r\na\r\n0\r\n\r\n"), 400
    yield "extensions of 16 KiB and 1", chunked(
        ("1;" + "e" * 255 + "\r\na\r\n") * 64 + "1;\r\na\r\n0\r\n\r\n"), 400
    for line in TRAILERS:
        yield f"trailer {line!r}", chunked(f"1\r\na\r\n0\r\n{line}\r\n\r\n"), 400
    yield "129 trailers", chunked("0\r\n" + "A: b\r\n" * 129 + "\r\n"), 431


def odd_messages():
    """(name, message, method, body that the app is to see): let in, and passed on in plain form."""
    yield "four empty lines", "\r\n" * 4 + request(), "GET", ""
    yield "absolute-form", request(line="GET http://127.0.0.1{path} HTTP/1.1"), "GET", ""
    yield "webdav", request(line="PROPFIND {path} HTTP/1.1"), "PROPFIND", ""
    yield "bytes beyond ASCII", request("X: \xe4\xff\r\n"), "GET", ""
    yield "every token byte", request("!#$%&'*+-.^_`|~09azAZ: x\r\n"), "GET", ""
    yield "128 fields", request("X: a\r\n" * 126), "GET", ""  # and Connection
    yield "blanks", request("X:\t a \t\r\n"), "GET", ""
    yield "extension of 256", chunked("1;" + "e" * 255 + "\r\na\r\n0\r\n\r\n"), "POST", "a"
    yield "size of 16 digits", chunked("0000000000000001\r\na\r\n000\r\n\r\n"), "POST", "a"
    yield "trailers", chunked("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"), "POST", "a"
    yield "length of 0", post("Content-Length: 0\r\n"), "POST", ""
    yield "GET with a body", request("Content-Length: 3\r\n", body="abc"), "GET", "abc"
    yield "h2c with a body", post("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n",
                                  "a"), "POST", "a"


class Recorder:
    """An app that notes the bytes of every connection, and answers each request."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = []

    def __call__(self, connection):
        with connection, connection.makefile("rb") as reader:
            while (line := reader.readline()):
                fields = {}
                while (field := reader.readline().strip()):
                    name, value = field.split(b":", 1)
                    fields[name.lower()] = value.strip()
                body = reader.read(int(fields.get(b"content-length", 0)))
                while fields.get(b"transfer-encoding") == b"chunked":
                    size = int(reader.readline() or b"0", 16)
                    body += reader.read(size)
                    reader.readline()
                    if size == 0:
                        break
                with self.lock:
                    self.seen.append((line, fields, body))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def take(self):
        with self.lock:
            seen, self.seen = self.seen, []
        return seen


class RawTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.recorder = Recorder()
        self.port = self.app(self.recorder)
        self.proxy = self.start()

    def connect(self):
        """As the proxy's own user, who needs no token."""
        with harness.user_sockets():
            return self.proxy.connect()

    def send(self, message, pieces=1):
        """The answer to the message, and whether the connection was closed behind it."""
        text = message.replace("{path}", f"/port/{self.port}/x").encode("latin-1")
        with self.connect() as connection:
            try:
                size = max(1, -(-len(text) // pieces))
                for at in range(0, len(text), size):
                    connection.send(text[at:at + size])
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused in the middle: the answer may still be there
            answer = connection.read_answer()
            closed = answer is not None and answer.field("Connection") == "close"
            return answer, closed and connection.at_end()

    def test_refused(self):
        count = 0
        for name, message, status in refused_messages():
            for pieces in (1, 7):
                with self.subTest(name, pieces=pieces):
                    answer, closed = self.send(message, pieces)
                    self.assertIsNotNone(answer)
                    self.assertEqual(answer.status, status)
                    self.assertTrue(closed)
            count += 1
        # The app was asked nothing but what came before a bad chunk; never a whole request.
        self.assertEqual([line for line, _, _ in self.recorder.take()], [])
        self.assertGreaterEqual(count, 150)

    def test_odd(self):
        for name, message, method, body in odd_messages():
            with self.subTest(name):
                answer, _ = self.send(message.replace("\r\n", "\r\nConnection: close\r\n", 1)
                                      if message.startswith(method) else message)
                self.assertEqual(answer.status, 200)
                (seen,) = self.recorder.take()
                self.assertEqual(seen[0].decode(), f"{method} /x HTTP/1.1\r\n")
                self.assertEqual(seen[2].decode(), body)

    def test_a_refused_request_behind_a_good_one(self):
        good = request().replace("{path}", f"/port/{self.port}/x")
        for name, message, status in (("fold", request("A: b\r\n c\r\n"), 400),
                                      ("both", post(f"Content-Length: 5\r\n{CHUNKED}"), 400)):
            with self.subTest(name), self.connect() as connection:
                connection.send((good + message.replace("{path}", f"/port/{self.port}/y")) * 2)
                self.assertEqual(connection.read_answer().status, 200)
                self.assertEqual(connection.read_answer().status, status)
                self.assertTrue(connection.at_end())
                self.assertEqual(len(self.recorder.take()), 1)


if __name__ == "__main__":
    harness.main()
