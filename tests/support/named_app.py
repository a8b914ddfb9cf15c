#!/usr/bin/python3
"""named_app.py PORT GATE: waits until the file GATE is there, then listens on every address.

Every page is the name of the user whose app it is; so is the first message of a WebSocket, and all
that comes after it is sent back.

named_app.py ask PORT: what the hpc-proxy on 127.0.0.1:PORT says of port 5500, as JSON: ten pages,
and a WebSocket's messages.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import pwd
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from websocket import GUID, TEXT, WebSocket  # noqa: E402

APP_PORT = 5500
ROUNDS = 10
NAME = pwd.getpwuid(os.getuid()).pw_name.encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def do_GET(self):
        if "Sec-WebSocket-Key" in self.headers:
            return self.web_socket()
        self.send_response(200)
        self.send_header("Content-Length", str(len(NAME)))
        self.end_headers()
        self.wfile.write(NAME)

    def web_socket(self):
        key = self.headers["Sec-WebSocket-Key"].encode() + GUID
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept",
                         base64.b64encode(hashlib.sha1(key).digest()).decode())
        self.end_headers()
        self.wfile.write(bytes([0x80 | TEXT, len(NAME)]) + NAME)
        self.close_connection = True
        while len(head := self.rfile.read(6)) == 6:  # a short masked frame
            body = bytes(one ^ head[2 + at % 4] for at, one in
                         enumerate(self.rfile.read(head[1] & 0x7F)))
            self.wfile.write(struct.pack("!BB", head[0], len(body)) + body)


def serve(port, gate):
    while not os.path.exists(gate):
        time.sleep(0.01)
    http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()


def page(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)
    connection.request("GET", f"/port/{APP_PORT}/")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return body if answer.status == 200 else f"status {answer.status}"


def ask(proxy):
    # The app may be starting; what another one says is no reason to ask again.
    deadline = time.monotonic() + 60
    while page(proxy) == "status 503" and time.monotonic() < deadline:
        time.sleep(0.1)
    pages = [page(proxy) for _ in range(ROUNDS)]
    with WebSocket(f"http://127.0.0.1:{proxy}/port/{APP_PORT}/ws", timeout=30) as socket:
        messages = [socket.receive(30)]
        socket.send(f"hello of {NAME.decode()}")
        messages.append(socket.receive(30))
    print(json.dumps({"pages": pages, "messages": messages}))


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(int(sys.argv[2]))
    else:
        serve(int(sys.argv[1]), sys.argv[2])
