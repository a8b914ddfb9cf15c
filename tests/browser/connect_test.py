"""Web applications in a real browser through both programs: hpc-manager connect, sshd, hpc-proxy."""

import pathlib
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import harness  # noqa: E402
from connect_site import LoginHost  # noqa: E402


class ConnectTest(apps.BrowserTestCase):
    # Everything here is of the user who runs the test: sshd logs in nobody else.
    uid = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = LoginHost()
        cls.addClassCleanup(cls.host.close)
        cls.host.start_proxy()
        cls.origin = f"http://127.0.0.1:{cls.host.connect().port}"

    def test_live_server(self):
        app = self.start_app("live")
        page = self.browser.open(f"{self.origin}/port/{app.port}/")
        page.wait_for_socket(f"/port/{app.port}//ws")
        self.check_reload(page, app.editor("index.html"))

    def test_vite_as_it_is(self):
        app = self.start_app("vite")
        page = self.browser.open(f"{self.origin}/port/{app.port}/")
        page.wait_for_socket("/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_vite_with_its_base_path(self):
        app = self.start_app("vite", "--base", "/absport/{port}/")
        page = self.browser.open(f"{self.origin}/absport/{app.port}/")
        page.wait_for_socket(f"/absport/{app.port}/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_other_sites_reach_nothing(self):
        app = self.start_app("ws")
        page = self.browser.open(f"{self.origin}/port/{app.port}/")
        page.wait_for_text("echo of hello")
        other = self.browser.open(f"http://127.0.0.1:{app.port}/")
        url = f"{self.origin}/port/{app.port}/"
        self.assertEqual(other.evaluate(f"fetch('{url}').catch((error) => error.name)"),
                         "TypeError")
        # The script may know of its failure before the driver has written down the answer.
        self.assertEqual(harness.wait_until(
            lambda: [answer["status"] for answer in other.seen()["answers"]
                     if answer["url"] == url], "the answer"), [403])


if __name__ == "__main__":
    harness.main()
