"""Two users, two nodes, the same port 5500: each sees the own page, at the same time."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from whole_path import WholePath, get  # noqa: E402


class TwoUsersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = WholePath()
        cls.addClassCleanup(cls.path.close)
        cls.jobs = {user: cls.path.start_app(user, node)
                    for user, node in (("alice", "c1"), ("bob", "c2"))}
        cls.managers = {user: cls.path.connect(user) for user in cls.jobs}

    def who(self, user):
        status, body = get(self.managers[user].url + "/port/5500/who")
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def test_each_user_sees_the_own_page(self):
        for _ in range(20):
            self.assertEqual((self.who("alice")["user"], self.who("alice")["host"]),
                             ("alice", "c1"))
            self.assertEqual((self.who("bob")["user"], self.who("bob")["host"]), ("bob", "c2"))

    def test_closed_port_is_a_503_that_names_it(self):
        status, body = get(self.managers["alice"].url + "/port/5999/",
                           headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate",
                                    "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"})
        self.assertEqual(status, 503)
        self.assertIn(b"5999", body)


if __name__ == "__main__":
    unittest.main()
