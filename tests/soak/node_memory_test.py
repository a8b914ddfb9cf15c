#!/usr/bin/python3
"""A thousand clients, and a thousand apps, that take nothing: --buffer-memory bounds what waits."""

import pathlib
import resource
import selectors
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

CLIENTS = 1000
MIB = 1024 * 1024
BUFFER_MEMORY = 64 * MIB  # the default
# At the bound every exchange may have had one more read under way.
READ_BYTES = 64 * 1024
ALLOWED = BUFFER_MEMORY + CLIENTS * READ_BYTES + 16 * MIB


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class Flood:
    """Sends as much as every connection takes, and never reads more than was there first."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.sent = 0
        self.ended = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, sock):
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_WRITE)

    def _run(self):
        block = b"x" * 65536
        while not self.ended.is_set():
            for key, _ in self.selector.select(0.1):
                try:
                    self.sent += key.fileobj.send(block)
                except BlockingIOError:
                    pass
                except OSError:
                    self.selector.unregister(key.fileobj)


class MemoryTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4 * CLIENTS + 200:
            self.skipTest(f"needs {4 * CLIENTS + 200} descriptors, may have {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.flood = Flood()
        self.addCleanup(self.flood.ended.set)
        self.held = []
        self.addCleanup(lambda: [sock.close() for sock in self.held])
        self.proxy = self.start("--max-connections", CLIENTS + 100)

    def open(self, request):
        with harness.user_sockets():
            sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(harness.PATIENCE_SECONDS)
        sock.connect(("127.0.0.1", self.proxy.port))
        sock.sendall(request.encode())
        self.held.append(sock)
        return sock

    def settled(self, what):
        """Waits until nothing moves any more; returns and says the resident size."""
        last = [-1]

        def still():
            same, last[0] = last[0] == self.flood.sent, self.flood.sent
            threading.Event().wait(1)
            return same

        harness.wait_until(still, "nothing moves any more", 120)
        size = resident_bytes(self.proxy.process.pid)
        print(f"{CLIENTS} {what}: {self.flood.sent / MIB:.0f} MiB taken by all, "
              f"{size / MIB:.1f} MiB resident", file=sys.stderr)
        return size

    def check_others(self):
        """Others are served as ever."""
        port = self.http_app(harness.EchoHandler)
        for _ in range(5):
            self.assertEqual(self.proxy.get(f"/port/{port}/x").status, 200)

    def check_end(self):
        for sock in self.held:
            sock.close()
        harness.wait_until(lambda: self.proxy.get("/status").json()["open_exchanges"] == 0,
                           "all of them are over", 60)

    @unittest.skipUnless(harness.IS_ROOT, "the program hides itself from its own user")
    def test_slow_readers(self):
        def handle(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            self.held.append(connection)
            self.flood.add(connection)

        port = self.app(handle)
        for _ in range(CLIENTS):
            self.open(f"GET /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.assertLess(self.settled("slow readers"), ALLOWED)
        self.check_others()
        self.check_end()

    @unittest.skipUnless(harness.IS_ROOT, "the program hides itself from its own user")
    def test_slow_apps(self):
        port = self.app(lambda connection: self.held.append(connection))
        for _ in range(CLIENTS):
            self.flood.add(self.open(f"PUT /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                     "Content-Length: 1000000000000\r\n\r\n"))
        self.assertLess(self.settled("slow apps"), ALLOWED)
        self.check_others()
        self.check_end()


if __name__ == "__main__":
    harness.main()
