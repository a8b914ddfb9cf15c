#!/usr/bin/python3
"""10 GB each way through hpc-proxy: its memory stays small, and small events stay fast beside it.

HPC_SOAK_BYTES=N streams less. Each event carries the time at which the app sent it, on the clock
that app and client share, so its age at the client is the delay of the whole path.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
import streams  # noqa: E402

TOTAL = streams.total_bytes(10 * 1000 ** 3)
SECONDS_MAX = 600
LIMITS_KIB = {"hpc-proxy": 16 * streams.MIB_KIB}


class NodeStreamsTest(streams.EveryKind, harness.TestCase):
    def soak(self, kind):
        app, proxy = streams.start_app(self), self.start()
        client, log = self.popen([streams.tool("stream_client", self.base), proxy.port,
                                  f"/port/{app}", kind, TOTAL, streams.EVENT_EVERY_MS])
        watch = streams.Watch({"hpc-proxy": proxy.process.pid})

        def ended():
            watch.look()
            return client.poll() is not None

        harness.wait_until(ended, f"{kind} of {TOTAL} bytes", SECONDS_MAX)
        self.assertEqual(client.returncode, 0, log.read_text())
        streams.check(self, kind, TOTAL, log.read_text(), watch, LIMITS_KIB)


if __name__ == "__main__":
    streams.go_first()
    harness.main()
