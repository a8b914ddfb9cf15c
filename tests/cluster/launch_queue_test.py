"""Many launches of many users at once, on a real SLURM site: what is said of every session, event by
event, is held against the limits and the turns of contract 2.3.

The events of all users have one row of numbers, so together they tell where every session stood at
every moment. After each of them at most so many launch and so many wait; and while somebody waits
and launches nothing, nobody else has two turns.
"""

import collections
import json
import os
import pathlib
import signal
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from launch_site import LaunchSite  # noqa: E402
from many_sessions import free_ports, resident_kib  # noqa: E402
from serve_site import ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402

USERS = 5
QUEUED_PER_USER = 5
SESSIONS_PER_USER = 10
SESSIONS = USERS * SESSIONS_PER_USER
LAUNCHING = ("submitting", "pending", "starting")
# Submit, its start by SLURM, hpc-proxy and the tunnel, for each of the ten of one user in a row; two
# processors play all nodes.
ALL_RUN_SECONDS = 240
ALL_END_SECONDS = 120
REFUSAL = ("you have 5 sessions waiting to be launched, which is as many as one user may have; wait "
           "for one to start, or end one")


def descriptors(pid):
    """What a process has open, without numbers that differ each time."""
    kinds = collections.Counter()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds[os.readlink(entry).split(":")[0]] += 1
        except FileNotFoundError:
            pass
    return kinds


class Replay:
    """Where all sessions stood after each event; every moment is held against the limits."""

    def __init__(self, test, launching_max):
        self._test, self._launching_max = test, launching_max
        self._state, self._user = {}, {}
        self._passed = collections.defaultdict(set)
        self.most_launching = self.most_queued = self.most_running = self.events = 0
        self.turns = []
        self._turn_at, self.launch_seconds = {}, []

    def _of(self, user, *states):
        return [one for one, state in self._state.items()
                if self._user[one] == user and state in states]

    def take(self, events):
        for event in sorted(events, key=lambda one: one.number):
            if event.state is None:
                continue
            self.events += 1
            before = self._state.get(event.session)
            self._user[event.session] = event.data["user"]
            self._state[event.session] = event.state
            if event.state == "submitting" and before != "submitting":
                self._turn(event)
                self._turn_at[event.session] = event.at
            if event.state == "running" and before in LAUNCHING:
                self.launch_seconds.append(event.at - self._turn_at[event.session])
            self._check(event)

    def launches(self):
        return (f"from its turn until it runs: median {statistics.median(self.launch_seconds):.1f} "
                f"s, at most {max(self.launch_seconds):.1f} s")

    def _turn(self, event):
        """Everybody who waits now and launches nothing has been passed by this user once more."""
        user = self._user[event.session]
        self.turns.append(event.session)
        self._passed.pop(user, None)
        for other in set(self._user.values()) - {user}:
            if not self._of(other, "queued") or self._of(other, *LAUNCHING):
                self._passed.pop(other, None)
                continue
            self._test.assertNotIn(user, self._passed[other],
                                   f"{user} had two turns while {other} waited: {event}")
            self._passed[other].add(user)

    def _check(self, event):
        users = set(self._user.values())
        launching = {user: len(self._of(user, *LAUNCHING)) for user in users}
        queued = {user: len(self._of(user, "queued")) for user in users}
        self._test.assertLessEqual(max(launching.values()), 1, (event, launching))
        self._test.assertLessEqual(sum(launching.values()), self._launching_max, event)
        # One that comes and may launch at once is told of before it does.
        spare = {user: 0 if launching[user] else 1 for user in users}
        for user in users:
            self._test.assertLessEqual(queued[user], QUEUED_PER_USER + spare[user], event)
        self.most_launching = max(self.most_launching, sum(launching.values()))
        self.most_queued = max(self.most_queued, sum(queued.values()))
        running = [one for one, state in self._state.items() if state == "running"]
        self.most_running = max(self.most_running, len(running))


class LaunchQueueTest(ShowsServeLog, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first_port = free_ports(SESSIONS)
        cls.site = LaunchSite("--local-ports", f"{cls.first_port}-{cls.first_port + SESSIONS - 1}",
                              users=USERS, nodes=2, cpus=SESSIONS)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve

    # ---------------------------------------------------------------------- helpers
    def post(self, user):
        """(status, body) of one launch."""
        status, _, body = self.serve.request("POST", "/api/v1/sessions", user, body={
            "cluster": "main", "ide": "plain", "cpus": 1, "time": "30"})
        return status, json.loads(body)

    def launch_all(self, users, count):
        """So many launches of each user, of all users side by side; the sessions, in order."""
        begun = {user: [] for user in users}

        def launch(user):
            for _ in range(count):
                status, body = self.post(user)
                begun[user].append(body if status == 202 else (status, body))

        threads = [threading.Thread(target=launch, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return begun

    def fill_up(self, user, wanted, begun):
        """Launches until the user has so many, as often as he is told to wait."""
        def launched():
            status, body = self.post(user)
            if status == 202:
                begun.append(body)
            else:
                self.assertEqual((status, body["detail"]), (429, REFUSAL))
            return len(begun) >= wanted

        wait_until(launched, f"{user} has {wanted} sessions", ALL_RUN_SECONDS, every=0.1)

    def states(self):
        status, _, body = self.serve.operator("GET", "/api/v1/sessions")
        self.assertEqual(status, 200)
        return collections.Counter(one["state"] for one in json.loads(body)["sessions"])

    def wait_until_run(self, count):
        try:
            wait_until(lambda: self.states() == {"running": count}, f"{count} run",
                       ALL_RUN_SECONDS, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.states()}\n{self.site.logs()}") from error

    def end_all(self, sessions):
        for session in sessions:
            self.assertEqual(self.site.end(session), 202)
        wait_until(lambda: not self.states(), "all have ended", ALL_END_SECONDS, every=0.1)

    def events_of(self, followers, sessions):
        """Of all users, once they tell that these have ended."""
        ids = {session["id"] for session in sessions}

        def ended():
            told = {event.session for one in followers for event in one.of()
                    if event.state == "ended"}
            return ids <= told

        wait_until(ended, "the events tell of every end")
        self.assertEqual([one.gaps for one in followers], [0] * len(followers))
        for follower in followers:
            follower.end()  # with the next line that it reads, at the latest a comment
        return [event for one in followers for event in one.of() if event.session in ids]

    def submits_per_second(self, calls):
        took = calls[-1].at - calls[0].at
        return (len(calls) - 1) / took if took else 0

    def check_nothing_is_left(self, descriptors_before):
        wait_until(lambda: not self.site.leftovers(), "nothing is left on the cluster", 60,
                   every=0.2)
        status, _, body = self.serve.operator("GET", "/api/v1/admin/ports/stats")
        self.assertEqual((status, json.loads(body)["ranges"]["local"]["allocated"]), (200, 0), body)
        pid = self.serve.process.pid
        try:
            wait_until(lambda: descriptors(pid) <= descriptors_before, "no descriptor is left", 60,
                       every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: {descriptors(pid) - descriptors_before}") from error
        self.assertEqual(self.states(), {})

    # ---------------------------------------------------------------------- tests
    def test_1_one_and_five_of_five_users(self):
        followers = [self.site.follow(user) for user in self.site.users]
        # Nothing leaves the queue before all have come, so the seventh is the sixth that waits.
        self.site.hold_nodes()
        try:
            begun = self.launch_all(self.site.users, 1 + QUEUED_PER_USER)
            for user in self.site.users:
                self.assertEqual([type(one) for one in begun[user]], [dict] * 6, begun[user])
                self.assertEqual([one["queue_position"] is None for one in begun[user][1:]],
                                 [False] * 5, "their places are told")
                status, problem = self.post(user)
                self.assertEqual((status, problem["detail"]), (429, REFUSAL))
        finally:
            self.site.release_nodes()
        released = time.monotonic()
        sessions = [one for user in self.site.users for one in begun[user]]
        self.wait_until_run(len(sessions))
        took = time.monotonic() - released
        self.end_all(sessions)
        replay = Replay(self, launching_max=10)
        replay.take(self.events_of(followers, sessions))
        for user in self.site.users:
            ids = [one["id"] for one in begun[user]]
            self.assertEqual([one for one in replay.turns if one in ids], ids, "in his order")
        self.assertEqual(replay.most_launching, USERS)
        wait_until(lambda: not self.site.leftovers(), "nothing is left", 60, every=0.2)
        print(f"{len(sessions)} sessions of {USERS} users, one launching of each: all run "
              f"{took:.1f} s after the nodes were released; {replay.launches()}", flush=True)

    def test_2_fifty_at_once_by_turns(self):
        """Fewer places than users, so that turns are seen. The manager is killed in the middle, at
        which nothing changes: no place in the queue, and no job twice."""
        pid = self.serve.process.pid
        descriptors_before = descriptors(pid)
        rss_before = resident_kib(pid)
        submits_before = len(self.site.command("sbatch").calls())
        self.serve.stop()
        self.serve.start("--max-launching", "3")
        followers = [self.site.follow(user) for user in self.site.users]
        began = time.monotonic()
        begun = self.launch_all(self.site.users, QUEUED_PER_USER)
        # Not between sbatch and its answer, after which it would look for the job for a minute.
        wait_until(lambda: self.states()["running"] and not self.states()["submitting"],
                   "the first one runs", 60)
        self.serve.stop(signal.SIGKILL)
        self.serve.start("--max-launching", "3")
        pid = self.serve.process.pid
        threads = [threading.Thread(target=self.fill_up,
                                    args=(user, SESSIONS_PER_USER, begun[user]))
                   for user in self.site.users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sessions = [one for user in self.site.users for one in begun[user]]
        self.assertEqual(len(sessions), SESSIONS)
        self.wait_until_run(SESSIONS)
        took = time.monotonic() - began
        rss = resident_kib(pid)
        self.assertEqual(len(self.site.jobs()), SESSIONS)
        for session in sessions:
            status, _, body = self.serve.get(self.site.path_of(session, "/ports"), session["user"],
                                             headers={"Accept": "application/json"})
            self.assertEqual(status, 200, body)
        calls = self.site.command("sbatch").calls()[submits_before:]
        self.assertEqual(len(calls), SESSIONS, "each was submitted once")
        ending = time.monotonic()
        self.end_all(sessions)
        ending = time.monotonic() - ending
        replay = Replay(self, launching_max=3)
        replay.take(self.events_of(followers, sessions))
        self.assertEqual(replay.most_launching, 3)
        self.assertEqual(replay.most_running, SESSIONS)
        for user in self.site.users:
            ids = [one["id"] for one in begun[user]]
            self.assertEqual([one for one in replay.turns if one in ids], ids, "in his order")
        print(f"{SESSIONS} sessions of {USERS} users, 3 launching at a time: all run after "
              f"{took:.1f} s, {self.submits_per_second(calls):.2f} submits a second; "
              f"{replay.launches()}; {replay.events} states told, at most {replay.most_queued} waiting; resident "
              f"{rss_before} KiB before, {rss} KiB with all; all ended after {ending:.1f} s",
              flush=True)
        self.check_nothing_is_left(descriptors_before)


if __name__ == "__main__":
    unittest.main()
