"""50 sessions of 5 users, each with a WebSocket, and two pages in Chromium: the manager is killed,
then sshd on the login node is restarted; everything goes on by itself, and nothing else is touched.

The tests run in the order of their names, on one manager: what one leaves is the next one's start.
"""

import os
import pathlib
import sys
import tempfile
import threading
import time
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import browser  # noqa: E402
import harness  # noqa: E402
from many_sessions import (EchoClient, EventReader, ManySessions, all_event_numbers,  # noqa: E402
                           end_all, free_ports, kill_and_start, resident_kib)
from serve_site import ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402

EACH = 10
COUNT = 50
BACK_SECONDS = 30
# A loss is retried after 1 s, 2 s, ... 60 s; sshd is away for a moment only.
SSHD_BACK_SECONDS = 90
CONNECTS_AT_ONCE = 3
SESSION_KIB_MAX = 400
PAGES = 2


class ServeRestartTest(ShowsServeLog, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory(prefix="hpc-browser-test.")
        cls.addClassCleanup(home.cleanup)
        os.chmod(home.name, 0o755)
        os.mkdir(f"{home.name}/browser")
        if harness.IS_ROOT:
            os.chown(f"{home.name}/browser", harness.USER_UID, harness.USER_UID)
        # First, as without a browser the test is skipped.
        cls.browser = browser.Browser(f"{home.name}/browser")
        cls.addClassCleanup(cls.browser.close)
        first = free_ports(COUNT)
        cls.many = ManySessions(EACH, "--local-ports", f"{first}-{first + COUNT - 1}")
        cls.addClassCleanup(cls.many.close)
        cls.serve = cls.many.serve
        cls.empty_kib = resident_kib(cls.serve.process.pid)
        cls.many.create_all()
        cls.first_logins = cls.many.logins_at_once()
        cls.clients = [EchoClient(cls.many, session) for session in cls.many.sessions]
        cls.addClassCleanup(end_all, cls.clients)
        cls.wait_for_echoes()
        cls.full_kib = resident_kib(cls.serve.process.pid)
        cls.readers = {user: EventReader(cls.serve, user) for user in cls.many.users}
        cls.addClassCleanup(end_all, cls.readers.values())
        cls.pages = [cls.open_page(cls.many.sessions[number * EACH]) for number in range(PAGES)]

    @classmethod
    def wait_for_echoes(cls, opened=1, seconds=60):
        """Until every WebSocket is open, at least for that time, and echoes."""
        wait_until(lambda: all(client.opened >= opened and client.echoes > 0
                               for client in cls.clients), "every WebSocket echoes", seconds)

    @classmethod
    def open_page(cls, session):
        """A page of the session's app, of somebody who has logged in."""
        page = cls.browser.open()
        token = cls.serve.token(session["user"])
        assert page.goto(f"{cls.serve.url}/login?token={token}") == 200
        assert page.goto(cls.serve.url + cls.many.app_path(session)) == 200
        page.wait_for("seen.echoes == 1 && seen.events.length > 0")
        return page

    # ---------------------------------------------------------------------- what must be so
    def assert_routes_answer(self):
        """Both addresses of each session lead to its owner's app, by way of this session."""
        for session in self.many.sessions:
            local_prefix = f"/port/{self.many.app_ports[session['user']]}"
            for answer, prefix in (
                    (self.many.where(session), self.many.app_path(session).rstrip("/")),
                    (self.many.where_locally(session), local_prefix)):
                self.assertIsInstance(answer, dict, (answer, session))
                self.assertEqual((answer["user"], answer["prefix"]), (session["user"], prefix))

    def assert_same_sessions(self):
        now = self.many.now()
        for session in self.many.sessions:
            for same in ("id", "key", "job_id", "node", "local_port", "url", "created_at"):
                self.assertEqual(now[session["id"]][same], session[same], same)
        local_ports = {session["local_port"] for session in now.values()}
        self.assertEqual((len(local_ports), None in local_ports), (COUNT, False))

    def assert_events_are_whole(self):
        """Each reader, and each page, has every event that is kept, once and in order."""
        for user, reader in self.readers.items():
            self.assertEqual(reader.gaps, 0, user)
            try:
                wait_until(lambda: reader.numbers == all_event_numbers(self.serve, user),
                           f"the events of {user}")
            except AssertionError as error:
                raise AssertionError(f"{error}: {reader.numbers} instead of "
                                     f"{all_event_numbers(self.serve, user)}") from error
        for page, session in zip(self.pages, self.many.sessions[::EACH]):
            page.wait_for(f"seen.events.length >= {len(self.readers[session['user']].numbers)}")
            seen = page.evaluate("seen")
            self.assertEqual(seen["events"], self.readers[session["user"]].numbers)
            self.assertEqual(seen["gaps"], 0)

    def assert_pages_go_on(self, sockets):
        for page in self.pages:
            # It is the page of before: one that was loaded again would count from 0.
            page.wait_for(f"seen.sockets >= {sockets} && seen.echoes >= seen.sockets")

    # ---------------------------------------------------------------------- tests
    def test_1_memory_of_a_session(self):
        each = (self.full_kib - self.empty_kib) / COUNT
        print(f"resident: {self.empty_kib} KiB without sessions, {self.full_kib} KiB with "
              f"{COUNT} and a WebSocket each: {each:.0f} KiB a session", flush=True)
        if os.environ.get("HPC_SANITIZED"):
            return  # most of it is the sanitizer's
        self.assertLess(each, SESSION_KIB_MAX)

    def test_2_everybody_has_his_own(self):
        logins, most = self.first_logins
        # One connection carries all sessions of a user.
        self.assertEqual(logins, len(self.many.users))
        self.assertLessEqual(most, CONNECTS_AT_ONCE)
        self.assert_routes_answer()
        self.assert_same_sessions()
        self.assert_events_are_whole()

    def check_killed_manager(self, moment=lambda: None):
        """Waits for the moment, kills it and starts it again; then everything is as before."""
        jobs = self.many.job_processes()
        self.assertEqual(len(jobs), COUNT + len(self.many.users), jobs)
        before = {client: client.opened for client in self.clients}
        sockets = min(page.evaluate("seen.sockets") for page in self.pages)
        moment()
        kill_and_start(self.serve)
        began = time.monotonic()
        self.many.wait_until_running(BACK_SECONDS)
        running = time.monotonic() - began
        self.assert_routes_answer()
        answered = time.monotonic() - began
        print(f"after kill -9: all {COUNT} run after {running:.1f} s, their addresses have "
              f"answered, one after the other, after {answered:.1f} s", flush=True)
        self.assertLess(answered, BACK_SECONDS)
        wait_until(lambda: all(client.opened > before[client] and client.echoes > 0
                               for client in self.clients), "every WebSocket is back")
        self.assert_same_sessions()
        self.assertEqual(self.many.job_processes(), jobs)
        self.assert_pages_go_on(sockets + 1)
        self.assert_events_are_whole()
        self.assertEqual([client.wrong for client in self.clients if client.wrong], [])

    def test_3_killed_manager(self):
        self.many.logins_at_once()
        self.check_killed_manager()
        logins, most = self.many.logins_at_once()
        print(f"logins: {logins}, {most} at once", flush=True)
        # All want to connect at the same moment, so what counts them must have seen three.
        self.assertEqual((logins, most), (len(self.many.users), CONNECTS_AT_ONCE))

    def test_4_sshd_restarted(self):
        jobs = self.many.job_processes()
        before = {client: client.opened for client in self.clients}
        sockets = min(page.evaluate("seen.sockets") for page in self.pages)
        began = time.monotonic()
        self.many.restart_sshd()
        wait_until(lambda: all(client.opened > before[client] and client.echoes > 0
                               for client in self.clients), "every WebSocket is back",
                   SSHD_BACK_SECONDS)
        self.many.wait_until_running()
        logins, most = self.many.logins_at_once()
        print(f"after sshd's restart: all back after {time.monotonic() - began:.1f} s; "
              f"logins: {logins}, {most} at once", flush=True)
        self.assertLessEqual(most, CONNECTS_AT_ONCE)
        self.assertGreaterEqual(logins, len(self.many.users))
        self.assert_routes_answer()
        self.assert_same_sessions()
        self.assertEqual(self.many.job_processes(), jobs)
        self.assert_pages_go_on(sockets + 1)
        self.assert_events_are_whole()
        self.assertEqual([client.wrong for client in self.clients if client.wrong], [])

    def test_5_killed_while_it_tells_of_a_loss(self):
        cutter = threading.Thread(target=self.many.cut_connections)

        def the_first_is_told():
            before = {reader: len(reader.numbers) for reader in self.readers.values()}
            cutter.start()
            wait_until(lambda: any(len(reader.numbers) > count for reader, count in before.items()),
                       "a loss is told", every=0.0005)

        self.check_killed_manager(the_first_is_told)
        cutter.join()


if __name__ == "__main__":
    unittest.main()
