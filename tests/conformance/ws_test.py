#!/usr/bin/python3
"""The npm package ws on both sides of hpc-proxy: subprotocols, compression, large frames, pings,
close codes, refusals. It is of the list "browser" of tests/support/apps.sh."""

import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import harness  # noqa: E402

APPS_SCRIPT = HERE.parent / "support/apps.sh"
CLIENT_SECONDS = 60


def modules():
    """Where the package ws is; None where it is not installed."""
    if not shutil.which("node"):
        return None
    where = subprocess.run([APPS_SCRIPT, "directory", "browser"], check=True, capture_output=True,
                           text=True).stdout.strip()
    found = pathlib.Path(where) / "node_modules/ws"
    return found if found.is_dir() else None


class WsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        # The build directory may be closed to the user that the programs run as.
        shutil.copytree(modules(), self.base / "node_modules/ws")
        for name in ("ws_app.js", "ws_client.js"):
            shutil.copy(HERE / "node" / name, self.base)

    def test_ws(self):
        app, _ = self.popen(["node", self.base / "ws_app.js"], stdout=subprocess.PIPE)
        self.addCleanup(app.stdout.close)
        port = int(app.stdout.readline())
        proxy = self.start()
        base = f"ws://127.0.0.1:{proxy.port}/port/{port}/"
        done = subprocess.run(
            harness.as_user(harness.USER_UID, ["node", str(self.base / "ws_client.js"), base]),
            check=False, capture_output=True, text=True, timeout=CLIENT_SECONDS,
            env=self.environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split()[-1], "twentyAtOnce")
        # The code with which the client closed has come through.
        self.assertEqual(app.stdout.readline(), b"closed 4002\n")
        harness.wait_until(lambda: proxy.get("/status").json()["open_websockets"] == 0,
                           "every WebSocket has closed")


if __name__ == "__main__":
    if modules() is None:
        print("skipped: Node.js or its package ws is missing (tests/support/apps.sh install browser)")
        sys.exit(77)
    harness.main()
