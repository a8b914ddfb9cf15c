#!/usr/bin/python3
"""Stands in for code-server, jupyter-lab and rserver, as which it is called: listens on the Unix
socket that it is given, and on nothing else. Every page says how it was started and what it was
asked for. At SIGTERM it "saves" into its session's directory, takes its time, and ends."""

import http.server
import json
import os
import signal
import socketserver
import sys
import time

OLD_RSERVER = "Usage: rserver [options]\n  --www-port arg\n"
NEW_RSERVER = OLD_RSERVER + "  --www-socket arg\n  --www-root-path arg\n  --server-data-dir arg\n"
SOCKET_OPTIONS = ("--socket", "--ServerApp.sock", "--NotebookApp.sock", "--www-socket")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("VSCODE_PROXY_URI", "HPC_PROXY_URL_TEMPLATE", "HPC_PROXY_PORT", "HPC_PROXY_RUN",
                 "HPC_SESSION_DIR", "HPC_SESSION_ID", "JUPYTER_RUNTIME_DIR", "SETUP")
        body = json.dumps({"program": os.path.basename(sys.argv[0]), "words": sys.argv[1:],
                           "path": self.path, "pid": os.getpid(),
                           "prefix": self.headers["X-Forwarded-Prefix"],
                           **{name: os.environ.get(name) for name in names}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "socket"


def socket_path():
    words = iter(sys.argv[1:])
    for word in words:
        name, _, value = word.partition("=")
        if name in SOCKET_OPTIONS:
            return value or next(words)
    sys.exit("no socket was named")


def save(*_):
    time.sleep(0.3)
    with open(os.path.expanduser("~/saved"), "a", encoding="ascii") as file:
        file.write(os.path.basename(sys.argv[0]) + "\n")
    os._exit(0)


def main():
    if "--help" in sys.argv:
        print(OLD_RSERVER if os.environ.get("OLD_RSERVER") else NEW_RSERVER)
        return
    if "--version" in sys.argv:
        print(os.environ.get("FAKE_VERSION", "4.0.0"))
        return
    signal.signal(signal.SIGTERM, save)
    socketserver.UnixStreamServer(socket_path(), Page).serve_forever()


main()
