#!/usr/bin/python3
"""The programs that the soak tests rest on, stream_app and stream_client: do they notice?"""

import json
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
import streams  # noqa: E402

TOTAL = 10_000_000
DAMAGE_AT = 5_000_000


def relay_through(damage, port):
    """An app that passes one exchange on to `port`, and what comes back through damage(data, done),
    which knows how many bytes were before."""
    def relay(connection):
        with connection, socket.create_connection(("127.0.0.1", port)) as upstream:
            upstream.sendall(connection.recv(65536))
            done = 0
            try:
                while data := upstream.recv(65536):
                    connection.sendall(damage(data, done))
                    done += len(data)
            except OSError:
                pass  # the client has seen enough
    return relay


class StreamToolsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.app_port = streams.start_app(self)

    def ask(self, port, kind, *more, total=TOTAL):
        """The client's exit code and words."""
        client, log = self.popen([streams.tool("stream_client", self.base), port, "", kind, total,
                                  *more])
        client.wait(harness.PATIENCE_SECONDS)
        return client.returncode, log.read_text()

    def ask_damaged(self, kind, damage):
        return self.ask(self.app(relay_through(damage, self.app_port)), kind)

    def test_every_kind_arrives_whole(self):
        for kind in ("sse", "chunked", "websocket", "upload"):
            # One byte, both sides of a piece of the pattern, and many pieces.
            for total in (1, 65520, 65521, 65522, TOTAL):
                code, words = self.ask(self.app_port, kind, total=total)
                self.assertEqual((code, json.loads(words)["bytes"]), (0, total), kind)

    def test_events_are_counted(self):
        # Long enough for the first event, whatever the machine does.
        code, words = self.ask(self.app_port, "chunked", 1, total=2 * 1000 ** 3)
        figures = json.loads(words)
        self.assertEqual(code, 0)
        self.assertGreater(figures["events"], 0)
        self.assertGreaterEqual(figures["max_ms"], figures["p99_ms"])
        self.assertGreaterEqual(figures["p99_ms"], figures["median_ms"])
        self.assertGreater(figures["median_ms"], 0)
        self.assertGreater(figures["late_ms"], 0)

    def test_an_undamaged_relay_changes_nothing(self):
        for kind in ("chunked", "websocket"):
            self.assertEqual(self.ask_damaged(kind, lambda data, _: data)[0], 0)

    def test_one_changed_byte(self):
        def change(data, done):
            at = DAMAGE_AT - done
            return data[:at] + b"\n" + data[at + 1:] if 0 <= at < len(data) else data
        for kind in ("chunked", "websocket"):
            code, words = self.ask_damaged(kind, change)
            self.assertEqual((code, words.split(":")[0]), (1, "changed"), kind)

    def test_one_lost_byte(self):
        def lose(data, done):
            at = DAMAGE_AT - done
            return data[:at] + data[at + 1:] if 0 <= at < len(data) else data
        for kind in ("chunked", "websocket"):
            code, words = self.ask_damaged(kind, lose)
            self.assertEqual((code, words.split(":")[0]), (1, "changed"), kind)

    def test_cut_off(self):
        for kind in ("chunked", "websocket"):
            code, words = self.ask_damaged(
                kind, lambda data, done: data if done < DAMAGE_AT else b"")
            self.assertEqual((code, words.split(":")[0]), (1, "cut off"), kind)

    def test_a_session_without_a_group_has_no_niceness(self):
        self.assertEqual(streams.session_niceness("/autogroup-55665 nice -10\n"), "-10")
        self.assertIsNone(streams.session_niceness(""))

    def test_refused(self):
        code, words = self.ask(self.app_port, "nothing")
        self.assertEqual(code, 1)
        self.assertIn("404", words)


if __name__ == "__main__":
    harness.main()
