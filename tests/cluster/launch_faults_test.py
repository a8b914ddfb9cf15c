"""What can go wrong with sessions on SLURM, on a real site: the controller is away, commands hang or
print rubbish, nodes go, jobs are requeued, cancelled or run out of time, the manager is killed at the
worst moment. Each time: no session is lost, no job is there twice, and the API tells what is so.

The controller is away for 20 s, not 60: at a poll each second that is ten failed ticks as well."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from launch_site import LaunchSite  # noqa: E402
from serve_site import ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402

AWAY_SECONDS = 60
# sbatch is ended on the login node after 45 s (kSbatchSecondsMax).
SBATCH_SECONDS = 45
LIVE = ("queued", "submitting", "pending", "starting", "running", "reconnecting")


class LaunchFaultsTest(ShowsServeLog, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = LaunchSite("--poll-min", "1", users=3, nodes=2, cpus=8)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve

    def setUp(self):
        self.addCleanup(self.site.cancel_all)
        for name in ("sbatch", "squeue", "scontrol", "scancel"):
            self.addCleanup(self.site.command(name).mode, "run")
        self.sbatch, self.squeue = self.site.command("sbatch"), self.site.command("squeue")

    # ------------------------------------------------------------------------------ helpers
    def launch(self, user="alice", state="running", **more):
        session = self.site.launch(user, "plain", **more)
        self.addCleanup(self.end, session)
        return self.site.wait(session, state) if state else session

    def end(self, session):
        if self.site.now(session)["state"] != "ended":
            self.site.end(session)
            self.site.wait(session, "ended", 90)

    def jobs_of(self, session):
        """All that SLURM remembers (60 s past their end) by the session's own name."""
        name = f"hpc-plain-{session['id'][:16]}"
        return self.site.site.run("login", "squeue", "-h", "-t", "all", "-n", name, "-o",
                                  "%i").split()

    def assert_one_job(self, session):
        self.assertEqual(self.jobs_of(session), [self.site.now(session)["job_id"]])

    def assert_works(self, session):
        """A request reaches the session's own hpc-proxy."""
        path = self.site.path_of(session, "/ports")
        status, _, body = self.serve.get(path, session["user"],
                                         headers={"Accept": "application/json"})
        self.assertEqual(status, 200, body)

    def told(self, events, session, *words):
        """Waits until the user has been told something that holds all of these words."""
        def said():
            texts = [*events.texts(session["id"]), self.site.now(session)["reason"] or ""]
            return next((one for one in texts if all(word in one for word in words)), None)

        return wait_until(said, f"the user is told {words}: {events.texts(session['id'])}", 60,
                          every=0.1)

    def assert_stays(self, session, states, seconds):
        """For so long the session is in one of these states, each with a reason but running."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            now = self.site.now(session)
            self.assertIn(now["state"], states, now)
            if now["state"] != "running":
                self.assertTrue(now["reason"] or now["queue_position"], now)
            time.sleep(0.2)

    # ------------------------------------------------------------------------------ SLURM
    def test_the_controller_is_away(self):
        running = self.launch("alice")
        self.site.kill_slurmctld()
        self.away = True
        self.addCleanup(self.controller_is_back)
        waiting = self.launch("bob", state=None)
        events = self.site.follow("bob")
        self.addCleanup(self.controller_is_back)  # before that one's end
        self.assert_stays(running, ("running",), AWAY_SECONDS)
        self.assert_works(running)
        self.assertIn(self.site.now(waiting)["state"], ("queued", "submitting"))
        self.told(events, waiting, "SLURM could not take the job", "Unable to contact")
        self.controller_is_back()
        self.site.wait(waiting, "running", 90)
        self.assertEqual(self.site.now(running)["state"], "running")
        for session in (running, waiting):
            self.assert_one_job(session)
            self.assert_works(session)

    def controller_is_back(self):
        if self.away:
            self.site.start_slurmctld()
        self.away = False

    def test_squeue_prints_rubbish(self):
        self.site.hold_nodes()
        self.addCleanup(self.site.release_nodes)
        pending = self.launch("bob", state="pending")
        self.site.release_nodes()
        running = self.launch("alice")
        self.site.wait(pending, "running")
        self.squeue.mode("rubbish")
        # scontrol is asked before anything is believed, and says that they run.
        before = len(self.squeue.calls())
        self.squeue.wait_for_calls(before + 3, seconds=60)
        self.assert_stays(running, ("running",), 1)
        self.assert_stays(pending, ("running",), 1)
        self.assert_works(running)
        self.squeue.mode("run")
        for session in (running, pending):
            self.assert_works(session)
            self.assert_one_job(session)

    def test_sbatch_is_slow(self):
        self.sbatch.mode("hang-then-run")
        before = len(self.sbatch.calls())
        session = self.launch(state=None)
        self.sbatch.wait_for_calls(before + 1)
        self.assertEqual(self.site.now(session)["state"], "submitting")
        self.sbatch.mode("run")
        self.site.wait(session, "running")
        self.assertEqual(len(self.sbatch.calls()), before + 1)
        self.assert_one_job(session)

    def test_sbatch_hangs(self):
        self.sbatch.mode("hang-then-run")
        before = len(self.sbatch.calls())
        session = self.launch(state=None)
        events = self.site.follow("alice")
        self.sbatch.wait_for_calls(before + 1)
        self.assert_stays(session, ("submitting",), SBATCH_SECONDS - 5)
        self.told(events, session, "SLURM could not take the job", "did not end in time")
        self.assert_stays(session, ("submitting",), 1)
        self.sbatch.mode("run")
        self.site.wait(session, "running", 120)
        self.assert_one_job(session)
        self.assert_works(session)

    # ------------------------------------------------------------------------------ jobs
    def test_a_job_is_requeued_to_the_other_node(self):
        session = self.launch()
        events = self.site.follow("alice", session["id"])
        self.site.scontrol("update", f"nodename={session['node']}", "state=drain", "reason=test")
        self.addCleanup(self.site.release_nodes)
        self.site.scontrol("requeue", session["job_id"])
        self.moves(events, session)

    def test_a_node_is_powered_off(self):
        session = self.launch()
        events = self.site.follow("alice", session["id"])
        self.site.power_off(session["node"])
        self.addCleanup(self.site.power_on, session["node"])
        self.moves(events, session)

    def moves(self, events, session):
        """To the other node: the same session, job and URL."""
        events.wait(lambda event: event.state == "reconnecting", "it is known to be away", 90)
        self.assert_stays(session, ("reconnecting", "pending", "starting", "running"), 1)
        events.wait(lambda event: event.state == "running"
                    and event.data.get("node") not in (None, session["node"]),
                    "it runs elsewhere", 120)
        now = self.site.now(session)
        for name in ("id", "key", "job_id", "url"):
            self.assertEqual(now[name], session[name])
        self.assertNotEqual(now["node"], session["node"])
        self.assert_works(session)
        self.assert_one_job(session)

    def test_a_job_reaches_its_time_limit(self):
        session = self.launch(time="1")
        ended = self.site.wait(session, "ended", 180)
        self.assertIn("TIMEOUT", ended["reason"])
        self.assert_one_job(session)

    def test_a_job_is_cancelled_from_outside(self):
        self.site.hold_nodes()
        self.addCleanup(self.site.release_nodes)
        pending = self.launch("bob", state="pending")
        self.site.site.run("login", "scancel", pending["job_id"])
        self.assertIn("CANCELLED", self.site.wait(pending, "ended")["reason"])
        self.site.release_nodes()
        running = self.launch("alice")
        self.site.site.run("login", "scancel", running["job_id"])
        self.assertIn("CANCELLED", self.site.wait(running, "ended")["reason"])
        self.assert_one_job(running)

    # ------------------------------------------------------------------------------ the manager
    def test_the_manager_is_killed_between_sbatch_and_its_answer(self):
        self.sbatch.mode("run-then-hang")
        before = len(self.sbatch.calls())
        ran = len([call for call in self.sbatch.calls() if call.ran])
        session = self.launch(state=None)
        self.sbatch.wait_for_calls(ran + 1, ran=True)
        self.site.kill_manager()
        self.sbatch.mode("run")
        self.serve.start()
        self.site.wait(session, "running", 90)
        self.assertEqual(len(self.sbatch.calls()), before + 1, "it was found, not submitted again")
        self.assert_one_job(session)
        self.assert_works(session)

    def test_the_manager_is_killed_while_sbatch_has_yet_to_run(self):
        self.sbatch.mode("hang-then-run")
        before = len(self.sbatch.calls())
        session = self.launch(state=None)
        self.sbatch.wait_for_calls(before + 1)
        self.site.kill_and_start_manager()
        self.assert_stays(session, ("submitting",), 5)
        self.sbatch.mode("run")
        self.site.wait(session, "running", 120)
        self.assert_one_job(session)
        self.assert_works(session)

    def test_the_manager_is_killed_while_a_job_waits(self):
        self.site.hold_nodes()
        self.addCleanup(self.site.release_nodes)
        session = self.launch(state="pending")
        self.site.kill_manager()
        self.site.release_nodes()
        job = session["job_id"]
        wait_until(lambda: [one.state for one in self.site.jobs() if one.id == job] == ["RUNNING"],
                   "the job runs meanwhile", 40, every=0.1)
        self.serve.start()
        self.site.wait(session, "running")
        self.assert_one_job(session)


if __name__ == "__main__":
    unittest.main()
