#!/usr/bin/python3
"""test_app.py PORT: a web application for the tests, on 127.0.0.1:PORT.

    GET /who           {"user", "host", "restarts", "job"}: who answers, and where
    GET /bytes/N       N bytes of pattern() below
    PUT or POST /digest    the body's length and SHA-256, as JSON
"""

import hashlib
import http.server
import json
import os
import pwd
import socket
import struct
import sys

BLOCK_BYTES = 1024 * 1024
_BLOCK = hashlib.shake_128(b"hpc-proxy test pattern").digest(BLOCK_BYTES)


def pattern(total):
    """`total` bytes in blocks; each block starts with its number, so that none can be swapped."""
    for number in range((total + BLOCK_BYTES - 1) // BLOCK_BYTES):
        block = struct.pack("!Q", number) + _BLOCK[8:]
        yield block[:total - number * BLOCK_BYTES]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; Nagle would keep the second back for 40 ms.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Quiet: 10,000 requests would fill the job's output."""

    def _answer(self, body, kind="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/who":
            self._answer(json.dumps({
                "user": pwd.getpwuid(os.getuid()).pw_name, "host": socket.gethostname(),
                "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
                "job": os.environ.get("SLURM_JOB_ID")}).encode())
        elif self.path.startswith("/bytes/"):
            total = int(self.path.removeprefix("/bytes/"))
            self.send_response(200)
            self.send_header("Content-Length", str(total))
            self.end_headers()
            for block in pattern(total):
                self.wfile.write(block)
        else:
            self.send_error(404)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        total = left
        while left:
            data = self.rfile.read(min(left, BLOCK_BYTES))
            if not data:
                return
            digest.update(data)
            left -= len(data)
        self._answer(json.dumps({"bytes": total, "sha256": digest.hexdigest()}).encode())

    do_POST = do_PUT


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
