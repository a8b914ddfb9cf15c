"""Large bodies and many requests through the whole path: nothing lost, nothing kept."""

import collections
import hashlib
import http.client
import json
import os
import pathlib
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from waiting import wait_until  # noqa: E402
from test_app import pattern  # noqa: E402
from whole_path import WholePath, memory_peak_kib  # noqa: E402

GIB = 1024 ** 3
MEMORY_KIB_MAX = 32 * 1024
SEQUENTIAL = 10_000
CONCURRENT = 200
# Proved channels that a burst left over are kept for the next one, for 60 s.
SETTLE_SECONDS = 100


class LoadTest(unittest.TestCase):
    maxDiff = None  # what came instead is the news

    @classmethod
    def setUpClass(cls):
        cls.path = WholePath()
        cls.addClassCleanup(cls.path.close)
        cls.path.start_app("alice", "c1")
        cls.manager = cls.path.connect("alice")
        cls.host = urllib.parse.urlsplit(cls.manager.url).netloc

    def connection(self):
        return http.client.HTTPConnection(self.host, timeout=60)

    def assert_small(self):
        """Both programs stayed under 32 MiB, all their life so far."""
        status, _ = self.path.proxy_status("alice")
        figures = {"hpc-manager": self.manager.memory_peak_kib(),
                   "hpc-proxy": memory_peak_kib(status)}
        print(f"largest resident size, KiB: {figures}", flush=True)
        if os.environ.get("HPC_SANITIZED"):
            return  # most of it is the sanitizer's
        for program, kib in figures.items():
            self.assertLess(kib, MEMORY_KIB_MAX, program)

    def test_one_gib_down(self):
        expected = hashlib.sha256()
        for block in pattern(GIB):
            expected.update(block)
        connection, got, total = self.connection(), hashlib.sha256(), 0
        connection.request("GET", f"/port/5500/bytes/{GIB}")
        answer = connection.getresponse()
        while data := answer.read(1024 * 1024):
            got.update(data)
            total += len(data)
        connection.close()
        self.assertEqual((answer.status, total), (200, GIB))
        self.assertEqual(got.hexdigest(), expected.hexdigest())
        self.assert_small()

    def test_one_gib_up(self):
        sent = hashlib.sha256()

        def body():
            for block in pattern(GIB):
                sent.update(block)
                yield block

        connection = self.connection()
        connection.request("PUT", "/port/5500/digest", body(), {"Content-Length": str(GIB)})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        self.assertEqual(answer, {"bytes": GIB, "sha256": sent.hexdigest()})
        self.assert_small()

    def ask(self, connection, number):
        """One request whose answer belongs to it alone; "ok", or what came instead."""
        size = number % 2000
        connection.request("GET", f"/port/5500/bytes/{size}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            return "ok" if len(body) == size else f"{len(body)} bytes instead of {size}"
        return f"{answer.status} {body.decode(errors='replace')}"

    def descriptors(self):
        return self.manager.descriptors(), self.path.proxy_status("alice")[1]

    def test_many_requests_and_descriptors(self):
        # The first exchange opens what stays open: the channel pool and its spare.
        connection = self.connection()
        self.assertEqual(self.ask(connection, 1), "ok")
        connection.close()
        before = self.descriptors()

        connection = self.connection()
        results = collections.Counter(self.ask(connection, n) for n in range(SEQUENTIAL))
        self.assertEqual(results, {"ok": SEQUENTIAL}, self.manager.text())
        connection.close()

        start, results = threading.Barrier(CONCURRENT), collections.Counter()

        def one(number):
            mine = self.connection()
            start.wait()
            try:
                result = self.ask(mine, number)
            except (OSError, http.client.HTTPException) as error:
                result = repr(error)
            results.update([result])
            mine.close()

        threads = [threading.Thread(target=one, args=(n,)) for n in range(CONCURRENT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {"ok": CONCURRENT}, self.manager.text())

        def settled():
            now = self.descriptors()
            return now[0] <= before[0] and now[1] <= before[1]

        try:
            wait_until(settled, "all connections are closed", SETTLE_SECONDS, every=0.5)
        except AssertionError:
            self.fail(f"descriptors of (hpc-manager, hpc-proxy) were {before}, "
                      f"are {self.descriptors()}")
        self.assert_small()


if __name__ == "__main__":
    unittest.main()
