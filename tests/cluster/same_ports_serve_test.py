"""Sessions of `hpc-manager serve` on one node whose applications have the same port: the template
starts them with `hpc-proxy run`, as HPC_PROXY_PRIVATE in the user's setup.sh says."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from launch_site import LaunchSite  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402
from waiting import wait_until  # noqa: E402

PORT = 5500
PLAIN = f"#!/bin/sh\nexec /usr/bin/python3 /mnt/tests/test_app.py {PORT}\n"
MODES = {"alice": "loopback", "bob": "netns"}


class SamePortsServeTest(ShowsLogs, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = LaunchSite("--max-launching-per-user", "2", users=2, nodes=1)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve

    def logs(self):
        return self.site.logs()

    def who(self, session):
        """User and job of the application that answers; None while none does."""
        status, _, body = self.serve.get(self.site.path_of(session, f"/port/{PORT}/who"),
                                         session["user"])
        if status != 200:
            return None
        who = json.loads(body)
        return who["user"], who["job"]

    def test_each_session_has_a_port_5500(self):
        """Two of each user's, all four on one node, in both modes beside each other."""
        for user, mode in MODES.items():
            self.site.write_home(user, ".hpc-proxy/plain.sh", PLAIN, 0o755)
            self.site.write_home(user, ".hpc-proxy/setup.sh", f"HPC_PROXY_PRIVATE={mode}\n")
        sessions = [self.site.launch(user) for user in (*MODES, *MODES)]
        sessions = [self.site.wait(session) for session in sessions]
        self.assertEqual({session["node"] for session in sessions}, {"c1"})
        for session in sessions:
            wait_until(lambda: self.who(session), f"the application of {session['key']}", 30)
        for session in sessions * 5:
            self.assertEqual(self.who(session), (session["user"], session["job_id"]))
        # They stay whose they are when the manager has to look for them anew.
        self.site.kill_and_start_manager()
        for session in sessions:
            wait_until(lambda: self.who(session), f"{session['key']} after a restart", 30)
            self.assertEqual(self.who(session), (session["user"], session["job_id"]))
        for session in sessions:
            self.site.end(session)
        for session in sessions:
            self.site.wait(session, "ended")
        for user in MODES:
            wait_until(lambda: not self.site.leftovers(user), f"nothing is left of {user}", 30)
            wait_until(lambda: not self.site.site.run("c1", "pgrep", "-a", "-u", user, check=False),
                       f"no process is left of {user}", 30)


if __name__ == "__main__":
    unittest.main()
