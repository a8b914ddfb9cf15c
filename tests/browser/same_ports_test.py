"""Two people, two browsers, one node: both have Live Server on 5500, a file server on 8080 and vite
on 5173 there, each in `hpc-proxy run`, and each sees, and edits, only what is his own."""

import pathlib
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import browser  # noqa: E402
import harness  # noqa: E402
from ports_site import FILES_PORT, LIVE_PORT, VITE_PORT, PortsSite  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402


class SamePortsTest(ShowsLogs, apps.BrowserTestCase):
    # hpc-manager connect lets in processes of its own user only.
    uid = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        home = cls.class_base / "browser2"
        home.mkdir()
        cls.browsers = [cls.browser, browser.Browser(home, cls.uid)]
        cls.addClassCleanup(cls.browsers[1].close)
        cls.site = PortsSite(users=2)
        cls.addClassCleanup(cls.site.close)

    def logs(self):
        return self.site.site.logs()

    def start_both(self, mode):
        """[(browser, the user's applications)], all of which listen."""
        self.site.close_the_gate()
        both = []
        for window, user in zip(self.browsers, ("alice", "bob")):
            started = self.site.start_apps(user, mode)
            self.addCleanup(started.end)
            both.append((window, started))
        for _, started in both:
            started.connect()
        self.site.open_the_gate()
        for _, started in both:
            started.wait_until_they_listen()
        return both

    def open_both(self, both, port, shown):
        pages = [window.open(started.url(f"/port/{port}/")) for window, started in both]
        for page, (_, started) in zip(pages, both):
            page.wait_for_text(f"{shown} of {started.user}")
        return pages

    def check_edits(self, both, pages, file):
        """An edit is seen in the page of its owner; the other page is not even loaded anew."""
        for mine, theirs in ((0, 1), (1, 0)):
            user = both[mine][1].user
            path = self.site.home(user) / file
            text = path.read_text()
            self.assertIn(f"first version of {user}", text)
            pages[theirs].evaluate("window.kept = 'kept'")
            shown = pages[theirs].text()
            edits = iter(range(1, 100))
            pages[mine].edit_until_text(
                lambda: path.write_text(text.replace("first", f"second ({next(edits)})")),
                f") version of {user}")
            self.assertEqual(pages[theirs].evaluate("window.kept"), "kept")
            self.assertEqual(pages[theirs].text(), shown)
        for page in pages:
            self.assertEqual(page.faults(), [])

    def check_mode(self, mode):
        both = self.start_both(mode)
        self.open_both(both, FILES_PORT, "page")
        live = self.open_both(both, LIVE_PORT, "first version")
        for page in live:
            page.wait_for_socket(f"/port/{LIVE_PORT}//ws")
        self.check_edits(both, live, "live/index.html")
        vite = self.open_both(both, VITE_PORT, "first version")
        for page in vite:
            page.wait_for_socket("/?token=", received=1)
            page.evaluate("window.mine = 'mine'")
        self.check_edits(both, vite, "vite/message.js")
        for page in vite:
            # Hot: its state is there.
            self.assertEqual(page.evaluate("window.mine"), "mine")

    def test_loopback(self):
        self.check_mode("loopback")

    def test_netns(self):
        self.check_mode("netns")


if __name__ == "__main__":
    harness.main()
