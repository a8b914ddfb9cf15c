"""`--idle-end` on a real site: a session that nobody uses is warned of, ended, and its job is gone;
one that is used stays. Minutes are the smallest unit of the option, so this takes some of them.
"""

import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from launch_site import LaunchSite  # noqa: E402
from serve_site import ShowsServeLog  # noqa: E402

IDLE_MINUTES = 1
# Asked once a minute: the first answer, the one that shows the idleness, and what lies between.
ENDS_SECONDS = 240
USED_EVERY_SECONDS = 10
# Both run on one node, whose ports they share.
PORTS = {"alice": 5500, "bob": 5501}
PLAIN = """#!/bin/sh
exec /usr/bin/python3 -m http.server --bind 127.0.0.1 {port}
"""


class IdleEndTest(ShowsServeLog, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = LaunchSite("--idle-end", str(IDLE_MINUTES), users=2, nodes=1)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve

    def use(self, session, until):
        path = self.site.path_of(session, f"/port/{PORTS[session['user']]}/")
        while not until.wait(USED_EVERY_SECONDS):
            self.serve.get(path, session["user"])

    def test_what_nobody_uses_ends_and_what_is_used_stays(self):
        for user, port in PORTS.items():
            self.site.write_home(user, ".hpc-proxy/plain.sh", PLAIN.format(port=port), 0o755)
        events = self.site.follow("alice")
        idle, used = (self.site.wait(self.site.launch(user, "plain", time="30"), "running")
                      for user in ("alice", "bob"))
        over = threading.Event()
        user = threading.Thread(target=self.use, args=(used, over), daemon=True)
        user.start()
        try:
            ended = self.site.wait(idle, "ended", ENDS_SECONDS)
            stays = self.site.now(used)
        finally:
            over.set()
            user.join(30)
        self.assertEqual(ended["reason"], "nobody has used it for 1 minute")
        self.assertIn("nobody has used it for a while: it ends in 1 minute unless somebody does",
                      events.texts(idle["id"]))
        self.assertEqual(stays["state"], "running")
        self.assertEqual(self.site.leftovers("alice"), [])


if __name__ == "__main__":
    unittest.main()
