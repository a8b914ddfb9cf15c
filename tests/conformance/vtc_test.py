#!/usr/bin/python3
"""The exchange rules, played by varnishtest: each vtc/NAME.vtc once against the engine alone
(plainproxy) and once against hpc-proxy's /port/N/.

A case plays the client and the upstream itself. It is given ${sport}, where its server is to
listen, ${proxy}, where its client connects to, and ${prefix}, what goes in front of every path.
One by hand: tests/conformance/vtc_test.py -v VtcTest.test_upgrade
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import harness  # noqa: E402

CASE_SECONDS = 20
HEAD_TIMEOUT_SECONDS = 1


def free_port():
    """A port that nothing listens on; varnishtest's servers cannot tell which one they took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class VtcTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.user_base = self.new_home()
        self.cases = self.user_base / "vtc"
        # The source directory may be closed to the user that the programs run as.
        shutil.copytree(HERE / "vtc", self.cases)

    def plainproxy(self, app_port):
        """Starts the engine alone in front of the port; returns its own."""
        program = self.base / "plainproxy"
        if not program.exists():
            shutil.copy(pathlib.Path(os.environ["HPC_BUILD_DIR"]) / "tests/support/plainproxy",
                        program)
        process, _ = self.popen([program, "--to", f"127.0.0.1:{app_port}", "--head-timeout",
                                 HEAD_TIMEOUT_SECONDS * 1000], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        return int(process.stdout.readline())

    def play(self, name, proxy_port, app_port, prefix):
        done = subprocess.run(
            harness.as_user(harness.USER_UID, [
                "varnishtest", "-t", str(CASE_SECONDS), f"-Dsport={app_port}",
                f"-Dproxy=127.0.0.1:{proxy_port}", f"-Dprefix={prefix}", f"{name}.vtc"]),
            check=False, capture_output=True, text=True, errors="replace", cwd=self.cases,
            stdin=subprocess.DEVNULL, env=self.environment(TMPDIR=str(self.user_base)))
        self.assertEqual(done.returncode, 0, f"{name} with prefix '{prefix}':\n{done.stdout}")

    def both(self, name):
        app_port = free_port()
        with self.subTest(proxy="plainproxy"):
            self.play(name, self.plainproxy(app_port), app_port, "")
        with self.subTest(proxy="hpc-proxy"):
            proxy = self.start("--head-timeout", HEAD_TIMEOUT_SECONDS)
            self.play(name, proxy.port, app_port, f"/port/{app_port}")


def add_cases():
    """One test for each file, so that its name says what failed."""
    for path in sorted((HERE / "vtc").glob("*.vtc")):
        setattr(VtcTest, f"test_{path.stem}", lambda self, name=path.stem: self.both(name))


if __name__ == "__main__":
    if not shutil.which("varnishtest"):
        print("skipped: no varnishtest (package varnish; packaging/install-deps.sh test)")
        sys.exit(77)
    add_cases()
    harness.main()
