#!/usr/bin/python3
"""1,000 WebSockets a minute opened and closed through `serve` for 10 minutes: what the manager and
the hpc-proxies hold stays as it is.

HPC_SOAK_SECONDS=N is a quick look. What is there after a fifth of the time is compared with what is
there at the end; at both moments every WebSocket is closed.
"""

import collections
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from many_sessions import ManySessions, resident_kib  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import CLOSE, WebSocketError  # noqa: E402

SECONDS = int(os.environ.get("HPC_SOAK_SECONDS") or 600)
PER_MINUTE = 1000
# So many are open at a time.
OPEN = 20
SETTLE_SECONDS = 90
# A page more or less of the allocator's; 8,000 WebSockets that leave 1 KiB each would be 8 MiB.
GROWTH_KIB_MAX = 1024
# Connections that are kept for the next request come and go.
SPARE_DESCRIPTORS = 4

Sample = collections.namedtuple("Sample", "descriptors resident_kib")


def sample(pid):
    return Sample(len(os.listdir(f"/proc/{pid}/fd")), resident_kib(pid))


class ServeWebSocketsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.many = ManySessions(2)
        cls.addClassCleanup(cls.many.close)
        cls.many.create_all()
        cls.pids = {"hpc-manager": cls.many.serve.process.pid}
        proxies = [pid for pid in cls.many.processes_here()
                   if pathlib.Path(f"/proc/{pid}/comm").read_text() == "hpc-proxy\n"]
        cls.pids |= {f"hpc-proxy {number}": pid for number, pid in enumerate(proxies)}
        cls.opened = 0

    def open_one(self):
        session = self.many.sessions[self.opened % len(self.many.sessions)]
        self.opened += 1
        return self.many.serve.websocket(self.many.app_path(session, "ws"), session["user"])

    def close_one(self, socket):
        """Every other says so, the others just go, as browsers that are closed do."""
        if self.opened % 2:
            socket.send(b"\x03\xe8", CLOSE)  # 1000: all done
            with self.assertRaisesRegex(WebSocketError, "closed"):
                socket.receive()
        socket.close()

    def run_until(self, until, began):
        """Opens and closes at the rate until that moment; all are closed then."""
        opened = collections.deque()
        while (now := time.monotonic()) < until:
            due = began + self.opened * 60 / PER_MINUTE
            if due > now:
                time.sleep(min(due, until) - now)
                continue
            opened.append(self.open_one())
            opened[-1].send(f"message {self.opened}")
            self.assertEqual(opened[-1].receive(), f"message {self.opened}")
            if len(opened) > OPEN:
                self.close_one(opened.popleft())
        for socket in opened:
            socket.close()

    def settled(self):
        """{name: sample} once two looks, a second apart, count the same descriptors."""
        last = {}

        def still():
            time.sleep(1)
            now = {name: sample(pid).descriptors for name, pid in self.pids.items()}
            same, last["now"] = last.get("now") == now, now
            return same

        wait_until(still, "descriptors stay as they are", SETTLE_SECONDS)
        return {name: sample(pid) for name, pid in self.pids.items()}

    def test_nothing_is_left_over(self):
        began = time.monotonic()
        self.run_until(began + SECONDS / 5, began)
        early, early_opened = self.settled(), self.opened
        self.run_until(began + SECONDS, began)
        late = self.settled()
        print(f"{self.opened} WebSockets in {SECONDS} s, {early_opened} before the first look\n"
              + "\n".join(f"{name}: descriptors {early[name].descriptors} -> "
                          f"{late[name].descriptors}, resident {early[name].resident_kib} -> "
                          f"{late[name].resident_kib} KiB" for name in self.pids), flush=True)
        self.assertGreaterEqual(self.opened, SECONDS * PER_MINUTE // 60)
        self.many.wait_until_running()
        for name in self.pids:
            self.assertLessEqual(late[name].descriptors,
                                 early[name].descriptors + SPARE_DESCRIPTORS, name)
            if not os.environ.get("HPC_SANITIZED"):
                self.assertLessEqual(late[name].resident_kib,
                                     early[name].resident_kib + GROWTH_KIB_MAX, name)


if __name__ == "__main__":
    unittest.main()
