"""Sessions that `hpc-manager serve` starts on a real SLURM site, by API and by command: they reach
`running`, are used through the browser's route, tell what happens on the way, and leave nothing."""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))
from launch_site import LaunchSite, directory_of  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402
from slurm_site import ROOT, skip  # noqa: E402
from waiting import wait_until  # noqa: E402

FAILURE = 1
LAUNCHES = 3
USABLE_SECONDS = 3  # from SLURM's start of the job to its page
# Each job has a port of its own, as several may run on one node.
FIRST_PORT = 20000
PLAIN = f"""#!/bin/sh
echo "$USER begins"
exec live-server --host=127.0.0.1 --port=$(({FIRST_PORT} + SLURM_JOB_ID)) --no-browser "$HOME/site"
"""


class LaunchTest(ShowsLogs, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (ROOT / "build/apps/node_modules/live-server").is_dir():
            skip("Live Server is missing; run packaging/install-deps.sh test")
        cls.site = LaunchSite(users=4, nodes=2)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve
        for user in cls.site.users:
            cls.site.write_home(user, "site/index.html",
                                f"<!DOCTYPE html><html><body>page of {user}</body></html>\n")
            cls.site.write_home(user, ".hpc-proxy/plain.sh", PLAIN, 0o755)
        # Its time passes while the others run; nobody else is dave.
        cls.short_events = cls.site.follow("dave")
        cls.short = cls.site.launch("dave", time="2")

    def logs(self):
        return self.site.logs()

    def end_all(self, user):
        for session in json.loads(self.serve.get("/api/v1/sessions", user)[2])["sessions"]:
            self.site.end(session)
            self.site.wait(session, "ended")
        wait_until(lambda: not self.site.leftovers(user), f"nothing is left of {user}", 30)

    # ---------------------------------------------------------------------- using a session
    def app_path(self, session, rest=""):
        port = FIRST_PORT + int(session["job_id"])
        return self.site.path_of(session, f"/port/{port}/{rest}")

    def navigate(self, session, path):
        """(status, body) as a browser's address bar asks for it."""
        status, _, body = self.serve.get(path, session["user"], headers={
            "Accept": "text/html", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document"})
        return status, body

    def page(self, session):
        """Its app's page; None while it is another one."""
        status, body = self.navigate(session, self.app_path(session))
        return body if status == 200 else None

    def assert_waiting_page(self, session, *texts):
        """At the session's address, which comes again by itself."""
        status, body = self.navigate(session, self.site.path_of(session))
        self.assertEqual(status, 503)
        for text in (*texts, 'http-equiv="refresh"'):
            self.assertIn(text, body.decode())

    def assert_live_reload(self, session):
        """The page's WebSocket tells of a change of its file."""
        user = session["user"]
        done = threading.Event()

        def edit():
            while not done.wait(0.5):
                self.site.write_home(user, "site/index.html", f"edited {time.time_ns()}\n")

        with self.serve.websocket(self.app_path(session, "/ws"), user) as socket:
            editor = threading.Thread(target=edit, daemon=True)
            editor.start()
            messages = [socket.receive(20)]
            while messages[-1] == "connected":
                messages.append(socket.receive(20))
            done.set()
            editor.join()
        self.assertIn(messages[-1], ("reload", "refreshcss"))

    # ---------------------------------------------------------------------- by API
    def launch_to_the_page(self, events):
        """(session, seconds from SLURM's start of its job to its page)."""
        self.site.write_home("alice", "site/index.html", "page of alice\n")
        began = time.time()
        session = self.site.launch("alice", cpus=1, memory="100M", time="10")
        self.assertEqual((session["state"], session["job_id"]), ("queued", None))

        def of_this(one):
            return one.state and one.data["id"] == session["id"]
        events.wait(lambda one: of_this(one) and one.data["job_id"], "a job")
        job = self.site.now(session)["job_id"]
        session["job_id"] = job
        page = wait_until(lambda: self.page(session), "its page", 40, every=0.02)
        usable = time.time()
        self.assertIn(b"page of alice", page)
        running = events.wait(lambda one: of_this(one) and one.state == "running", "it runs")
        allocated = self.site.allocated_at(job)
        print(f"asked for to SLURM's start {allocated - began:.2f} s; from there to "
              f"running {running.at - allocated:.2f} s, to the page {usable - allocated:.2f} s",
              flush=True)
        return session, usable - allocated

    def test_the_page_comes_soon(self):
        events = self.site.follow("alice")
        took = []
        for _ in range(LAUNCHES):
            session, seconds = self.launch_to_the_page(events)
            took.append(seconds)
            self.assert_ends_and_leaves_nothing(events, session)
        # One pause of the machine does not make it.
        self.assertLess(statistics.median(took), USABLE_SECONDS, took)

    def test_by_api_to_the_page_and_back_to_nothing(self):
        events = self.site.follow("alice")
        session, _ = self.launch_to_the_page(events)
        self.assert_live_reload(session)
        self.assert_events_for_people(events, session)
        self.assert_ends_and_leaves_nothing(events, session)

    def assert_events_for_people(self, events, session):
        """What happened, in order, each with a time that the API's event stream has."""
        self.assertEqual(events.states(session["id"]),
                         ["queued", "submitting", "pending", "starting", "running"])
        texts = events.texts(session["id"])
        places = []
        for wanted in (r"^queued|turn", r"^pending", r"^starting on c\d$",
                       r"^waiting for hpc-proxy on c\d$", r"^tunnel up$"):
            found = [at for at, text in enumerate(texts) if re.search(wanted, text)]
            self.assertTrue(found, f"no '{wanted}' in {texts}")
            places.append(found[0])
        self.assertEqual(places, sorted(places), texts)
        times = [one.at for one in events.of(session["id"])]
        self.assertEqual(times, sorted(times))
        now = self.site.now(session)
        self.assertRegex(now["node"], r"^c\d$")
        self.assertIsNotNone(now["started_at"])
        self.assertIsNotNone(now["ends_at"])

    def assert_ends_and_leaves_nothing(self, events, session):
        others = [job.id for job in self.site.jobs() if job.id != session["job_id"]]
        self.assertTrue(others, "the short one runs")
        home = self.site.site.home("alice")
        self.assertTrue((home / directory_of(session)).is_dir())
        self.assertEqual((home / directory_of(session)).stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.site.end(session), 202)
        events.wait(lambda one: one.state == "ended" and one.data["id"] == session["id"],
                    "it has ended")
        wait_until(lambda: not self.site.leftovers("alice"), "nothing is left", 30)
        self.assertEqual([job.id for job in self.site.jobs()], others)
        status, _, body = self.serve.get(self.site.path_of(session), "alice")
        self.assertEqual(status, 410, body)

    def test_two_sessions_have_two_jobs(self):
        self.addCleanup(self.end_all, "bob")
        first, second = (self.site.launch("bob") for _ in range(2))
        self.assertEqual((first["slot"], second["slot"]), (1, 2))
        first, second = self.site.wait(first), self.site.wait(second)
        self.assertNotEqual(first["job_id"], second["job_id"])
        self.assertEqual({job.id for job in self.site.jobs("bob")},
                         {first["job_id"], second["job_id"]})
        for session in (first, second):
            wait_until(lambda: self.page(session), "its page", 40)
        self.site.end(first)
        self.site.wait(first, "ended")
        wait_until(lambda: [job.id for job in self.site.jobs("bob")] == [second["job_id"]],
                   "the other one's job goes on")
        self.assertEqual(self.site.now(second)["state"], "running")
        self.assertTrue(self.page(second))

    def test_what_ends_while_it_waits_was_never_submitted(self):
        self.addCleanup(self.end_all, "carol")
        self.site.hold_nodes()
        self.addCleanup(self.site.release_nodes)
        sbatch = self.site.command("sbatch")
        first = self.site.launch("carol")
        self.site.wait(first, "pending")
        before = len(sbatch.calls())
        second = self.site.launch("carol")
        self.assertEqual((second["state"], second["queue_position"]), ("queued", 1))
        status, _, body = self.serve.get("/api/v1/queue", "carol")
        self.assertEqual([one["id"] for one in json.loads(body)["sessions"]], [second["id"]])
        self.assert_waiting_page(first, "is pending")
        self.assert_waiting_page(second, "is queued (1st)")
        self.assertEqual(self.site.end(second), 202)
        self.assertEqual(self.site.wait(second, "ended")["job_id"], None)
        self.assertEqual(len(sbatch.calls()), before)
        # And one that SLURM has, but has not started.
        self.assertEqual([job.state for job in self.site.jobs("carol")], ["PENDING"])
        self.site.end(first)
        self.site.wait(first, "ended")
        self.assertEqual(self.site.leftovers("carol"), [])

    # ---------------------------------------------------------------------- by command
    def verb(self, *words):
        return [os.environ.get("HPC_MANAGER", ROOT / "build/dev/manager/hpc-manager"), *words,
                "--socket", self.serve.directory / "run/socket"]

    def run_verb(self, *words):
        return subprocess.run(list(map(str, self.verb(*words))), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)

    def test_by_command(self):
        self.addCleanup(self.end_all, "carol")
        done = self.run_verb("sessions", "start", "--user", "carol", "--cluster", "main", "--ide",
                             "plain", "--time", "10", "--cpus", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        session = json.loads(self.serve.get("/api/v1/sessions", "carol")[2])["sessions"][0]
        self.assertEqual(done.stdout, session["url"] + "\n")
        self.assertEqual(session["state"], "running")
        steps = [line.split("  ", 1)[1] for line in done.stderr.splitlines()]
        for wanted in ("pending", "starting on c", "waiting for hpc-proxy on c", "running on c"):
            self.assertTrue(any(wanted in step for step in steps), (wanted, steps))
        self.assertTrue(wait_until(lambda: self.page(session), "its page", 40))
        log = self.run_verb("sessions", "logs", session["id"])
        self.assertEqual(log.returncode, 0, log.stderr)
        self.assertIn("carol begins\n", log.stdout)
        follower = subprocess.Popen(
            list(map(str, self.verb("sessions", "logs", session["id"], "--follow"))),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(lambda: follower.poll() is not None or follower.kill())
        wait_until(lambda: "begins" in follower.stdout.readline(), "the log")
        done = self.run_verb("sessions", "stop", session["id"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(follower.wait(30), 0, "a log ends with its session")

    def test_ctrl_c_leaves_the_session_as_it_is(self):
        self.addCleanup(self.end_all, "bob")
        self.site.hold_nodes()
        self.addCleanup(self.site.release_nodes)
        process = subprocess.Popen(
            list(map(str, self.verb("sessions", "start", "--user", "bob", "--cluster", "main",
                                    "--ide", "plain"))),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.site.jobs("bob"), "its job", 30)
        process.send_signal(signal.SIGINT)
        output, said = process.communicate(timeout=20)
        self.assertEqual((process.returncode, output), (FAILURE, ""))
        self.assertIn("stays as it is", said)
        self.site.release_nodes()
        session = json.loads(self.serve.get("/api/v1/sessions", "bob")[2])["sessions"][0]
        self.site.wait(session, "running")

    def test_what_slurm_refuses_is_said_in_its_words(self):
        done = self.run_verb("sessions", "start", "--user", "carol", "--cluster", "main", "--ide",
                             "plain", "--partition", "nowhere")
        self.assertEqual((done.returncode, done.stdout), (FAILURE, ""), done.stderr)
        self.assertIn("invalid partition specified: nowhere", done.stderr)
        done = self.run_verb("sessions", "start", "--user", "carol", "--cluster", "main", "--ide",
                             "nothing")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("plain", done.stderr, "which templates there are")
        wait_until(lambda: not self.site.leftovers("carol"), "nothing is left")

    # ---------------------------------------------------------------------- time
    def extend(self, session, minutes):
        status, _, body = self.serve.request(
            "POST", f"/api/v1/sessions/{session['id']}/extend", session["user"],
            body={"minutes": minutes})
        return status, json.loads(body)

    def test_more_time_is_for_slurms_operators_to_give(self):
        session = self.site.wait(self.short)
        before = session["ends_at"]
        status, problem = self.extend(session, 5)
        self.assertEqual(status, 403, problem)
        self.assertIn("Access/permission denied", problem["detail"])
        self.assertEqual(self.site.now(session)["ends_at"], before)
        done = self.run_verb("sessions", "extend", session["id"], "--minutes", "5")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertIn("Access/permission denied", done.stderr)

    def test_z_the_last_minute_is_told(self):
        event = self.short_events.wait(
            lambda one: one.type == "expiring" and one.data["minutes"] == 1, "the last minute", 150)
        self.assertEqual(event.data["id"], self.short["id"])
        session = self.site.now(self.short)
        self.assertEqual(event.data["ends_at"], session["ends_at"])
        told = [one.data["minutes"] for one in self.short_events.of() if one.type == "expiring"]
        self.assertEqual(told, [2, 1], "of the notices that its start is behind one is given")


if __name__ == "__main__":
    unittest.main()
