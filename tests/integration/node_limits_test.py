#!/usr/bin/python3
"""The limits of hpc-proxy, each at the limit and one past it."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402


class LimitsTest(harness.TestCase):
    def ask(self, proxy, head):
        """The status for a head, which need not be a good one; 0 when there is none."""
        with proxy.connect() as connection:
            try:
                connection.send(head)
                answer = connection.read_answer()
            except (ConnectionResetError, BrokenPipeError):
                return 0
            return answer.status if answer else 0

    def head_of(self, proxy, size=None, fields=None, target="/status"):
        """A good head of exactly `size` bytes, or with exactly `fields` fields."""
        lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close",
                 f"X-HPC-Proxy-Token: {proxy.token}"]
        if fields is not None:
            lines += [f"X-{i}: 1" for i in range(fields - len(lines) + 1)]
        text = "\r\n".join(lines) + "\r\n"
        if size is not None:
            padding = "X-Padding: "
            text += padding + "x" * (size - len(text) - len(padding) - 4) + "\r\n"
        text += "\r\n"
        self.assertTrue(size is None or len(text) == size)
        return text

    def target_of(self, size):
        """A target of exactly `size` bytes; /healthz takes any query."""
        return "/healthz?" + "x" * (size - len("/healthz?"))

    def test_target(self):
        for arguments, limit in (((), 8192), (("--max-target", "100"), 100)):
            proxy = self.start(*arguments, home=self.new_home())
            for size, want in ((limit, 200), (limit + 1, 414)):
                head = self.head_of(proxy, target=self.target_of(size))
                self.assertEqual(self.ask(proxy, head), want, size)

    def test_head(self):
        for arguments, limit in (((), 65536), (("--max-head", "2KiB"), 2048)):
            proxy = self.start(*arguments, home=self.new_home())
            self.assertEqual(self.ask(proxy, self.head_of(proxy, size=limit)), 200)
            self.assertEqual(self.ask(proxy, self.head_of(proxy, size=limit + 1)), 431)

    def test_fields(self):
        for arguments, limit in (((), 128), (("--max-fields", "10"), 10)):
            proxy = self.start(*arguments, home=self.new_home())
            self.assertEqual(self.ask(proxy, self.head_of(proxy, fields=limit)), 200)
            self.assertEqual(self.ask(proxy, self.head_of(proxy, fields=limit + 1)), 431)

    def test_head_that_never_ends(self):
        proxy = self.start("--head-timeout", "1")
        with proxy.connect() as connection:
            connection.send(f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HPC-Proxy-Token: "
                            f"{proxy.token}\r\n\r\n")
            self.assertEqual(connection.read_answer().status, 200)
            # Let in, so from here the head's own deadline counts, in total.
            connection.send("GET /status HTTP/1.1\r\nHost:")
            self.assertEqual(connection.read_answer().status, 408)
            self.assertTrue(connection.at_end())

    def test_idle_connection_is_closed(self):
        proxy = self.start("--idle-timeout", "1")
        with proxy.connect() as connection:
            connection.send(f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HPC-Proxy-Token: "
                            f"{proxy.token}\r\n\r\n")
            self.assertEqual(connection.read_answer().status, 200)
            self.assertTrue(connection.at_end())

    def test_connections(self):
        limit = 3
        proxy = self.start("--max-connections", limit)
        ask = (f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HPC-Proxy-Token: {proxy.token}"
               "\r\n\r\n")
        held = []
        for _ in range(limit):
            held.append(proxy.connect())
            self.addCleanup(held[-1].close)
            held[-1].send(ask)
            self.assertEqual(held[-1].read_answer().status, 200)
        self.assertEqual(self.ask(proxy, ask), 503)
        held[0].close()
        harness.wait_until(lambda: self.ask(proxy, ask) == 200, "a place is free again")

    def test_unauthenticated_connections(self):
        limit = 64
        proxy = self.start("--require-token")
        held = []
        for _ in range(limit):
            held.append(proxy.connect())
            self.addCleanup(held[-1].close)
        # All of them are accepted in the order they came, so this is the one past the limit.
        self.assertEqual(self.ask(proxy, self.head_of(proxy)), 503)
        held.pop().close()
        harness.wait_until(lambda: self.ask(proxy, self.head_of(proxy)) == 200,
                           "a place is free again")

    def private_kib(self, proxy):
        try:
            text = pathlib.Path(f"/proc/{proxy.process.pid}/smaps_rollup").read_text()
        except PermissionError:
            self.skipTest("the program hides itself from its own user; needs root")
        return sum(int(line.split()[1]) for line in text.splitlines()
                   if line.startswith("Private_"))

    @unittest.skipIf(os.environ.get("HPC_SANITIZED"), "most of the memory is the sanitizer's")
    def test_memory_of_idle_connections(self):
        proxy = self.start()
        ask = (f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HPC-Proxy-Token: {proxy.token}"
               "\r\n\r\n")

        def hold(count):
            for _ in range(count):
                connection = proxy.connect()
                self.addCleanup(connection.close)
                connection.send(ask)
                self.assertEqual(connection.read_answer().status, 200)

        hold(100)  # what the first ones need is there for all
        before = self.private_kib(proxy)
        hold(400)
        each = (self.private_kib(proxy) - before) / 400
        self.assertLessEqual(each, 1, "KiB for each idle connection")

    def test_descriptors_are_raised_to_the_hard_limit(self):
        proxy = self.start()
        limits = pathlib.Path(f"/proc/{proxy.process.pid}/limits")
        try:
            text = limits.read_text()
        except PermissionError:
            self.skipTest("the program hides itself from its own user; needs root")
        (line,) = [line for line in text.splitlines() if line.startswith("Max open files")]
        soft, hard = line.split()[3:5]
        self.assertEqual(soft, hard)


if __name__ == "__main__":
    harness.main()
