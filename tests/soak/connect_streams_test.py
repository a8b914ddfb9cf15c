#!/usr/bin/python3
"""1 GB each way through the whole path: hpc-manager connect, a real sshd, hpc-proxy, an app.

HPC_SOAK_BYTES=N streams less. As node_streams_test.py; encryption takes most of the time here.
"""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import connect_site  # noqa: E402
import streams  # noqa: E402
from waiting import wait_until  # noqa: E402

TOTAL = streams.total_bytes(1000 ** 3)
SECONDS_MAX = 300
LIMITS_KIB = {"hpc-proxy": 16 * streams.MIB_KIB, "hpc-manager": 32 * streams.MIB_KIB}


class ConnectStreamsTest(streams.EveryKind, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = connect_site.LoginHost()
        cls.addClassCleanup(cls.host.close)
        app = subprocess.Popen([streams.tool("stream_app", cls.host.directory)],
                               stdout=subprocess.PIPE, text=True)
        cls.host.processes.append(app)
        with app.stdout:
            cls.app_port = int(app.stdout.readline().split()[1])
        proxy = cls.host.start_proxy()
        cls.manager = cls.host.connect()
        cls.pids = {"hpc-proxy": proxy.pid, "hpc-manager": cls.manager.process.pid}
        for pid in cls.host.ssh_sessions():  # each is a session of its own
            streams.go_first(pid)
        cls.program = streams.tool("stream_client", cls.host.directory)

    def soak(self, kind):
        watch = streams.Watch(self.pids)
        client = subprocess.Popen(
            [str(word) for word in (self.program, self.manager.port, f"/port/{self.app_port}",
                                    kind, TOTAL, streams.EVENT_EVERY_MS)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.host.processes.append(client)

        def ended():
            watch.look()
            return client.poll() is not None

        wait_until(ended, f"{kind} of {TOTAL} bytes", SECONDS_MAX)
        with client.stdout:
            output = client.stdout.read()
        self.assertEqual(client.returncode, 0, output + self.host.logs())
        streams.check(self, kind, TOTAL, output, watch, LIMITS_KIB)


if __name__ == "__main__":
    streams.go_first()
    unittest.main()
