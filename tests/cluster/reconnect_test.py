"""The connection or the job goes away and comes back: the same URL works again by itself."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from waiting import wait_until  # noqa: E402
from whole_path import WholePath, get  # noqa: E402


class ReconnectTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = WholePath()
        cls.addClassCleanup(cls.path.close)
        cls.site = cls.path.site

    def who(self, manager, port):
        """Who answers now; None while nobody does."""
        try:
            status, body = get(f"{manager.url}/port/{port}/who")
        except OSError:
            return None
        return json.loads(body) if status == 200 else None

    def sessions(self, user):
        """Pids of the sshd processes on login that serve this user."""
        return self.site.run("login", "pgrep", "-u", user, "sshd", check=False).split()

    def test_killed_sshd_session_comes_back(self):
        self.path.start_app("alice", "c1")
        manager = self.path.connect("alice")
        self.assertEqual(self.who(manager, 5500)["host"], "c1")
        before = self.sessions("alice")
        self.assertTrue(before)
        self.site.run("login", "kill", "-KILL", *before)
        back = wait_until(lambda: self.who(manager, 5500), "the same URL after the kill", 40)
        self.assertEqual((back["user"], back["host"]), ("alice", "c1"))
        self.assertFalse(set(before) & set(self.sessions("alice")))
        self.assertIsNone(manager.process.poll(), manager.text())

    def test_requeue_to_the_other_node(self):
        job = self.path.start_app("bob", "c1", 5501)
        manager = self.path.connect("bob")
        self.assertEqual(self.who(manager, 5501)["host"], "c1")
        self.site.run("login", "scontrol", "requeue", job)
        self.site.run("login", "scontrol", "update", f"JobId={job}", "ReqNodeList=c2")
        self.path.wait_for_app("bob", job, "c2", 5501)
        moved = wait_until(lambda: self.who(manager, 5501), "the same URL on the other node", 40)
        self.assertEqual((moved["host"], moved["restarts"], moved["job"]), ("c2", 1, job))
        self.assertIsNone(manager.process.poll(), manager.text())


if __name__ == "__main__":
    unittest.main()
