"""`hpc-manager serve` on a real SLURM site, which starts jobs there, and everything that can go
wrong with it:

    test -> hpc-manager serve (this machine, www-data) -> sshd on login -> sbatch -> hpc-proxy on c1

    site = LaunchSite("--poll-min", "1", users=5, nodes=2, cpus=32)    # options of serve; cluster "main"
    session = site.launch("alice", "plain", time="2")   # POST /api/v1/sessions, without "attach"
    events = site.follow("alice")                       # all of hers; follow(user, session_id): one
    events.wait(lambda event: event.state == "running", "it runs")   # the event, or it fails
    events.states(session["id"]), events.texts(session["id"])        # in order, for people
    site.wait(session, "running")                       # the session, by asking again and again
    site.jobs(), site.jobs("alice")                     # what root's squeue shows: Job(...)
    site.path_of(session, "/port/5500/")                # "/user/alice/main/plain/port/5500/"
    site.leftovers("alice")                             # jobs, directories and records; [] when clean
    site.close()

SLURM's commands on the login node, as users run them (root's, and those inside jobs, are real):

    sbatch = site.command("sbatch")     # or squeue, scontrol, scancel, sacct
    sbatch.mode("hang-then-run")        # see MODES; "run" ends all of them
    sbatch.calls()                      # [Call(at, user, arguments, stdin, environ, ran)], in order
    sbatch.wait_for_calls(2)

Parts of the site:

    site.cancel_all()
    site.hold_nodes(); site.release_nodes()     # jobs wait for as long as the nodes are held
    site.kill_slurmctld(); site.start_slurmctld()
    site.power_off("c1"); site.power_on("c1")   # returns when the node is idle again
    site.kill_manager(); site.kill_and_start_manager()
    site.allocated_at(job)                      # when slurmctld gave it a node (unix time, ms exact)
    site.write_home("alice", ".hpc-proxy/plain.sh", text)

`site.serve` is the Serve of serve_site.py, `site.site` the Site of slurm_site.py, `site.users` all
users. A test case that has its Serve as `serve` can use ShowsServeLog.
"""

import collections
import datetime
import http.client
import json
import os
import pathlib
import re
import signal
import time

from many_sessions import Client
from serve_site import Serve
from waiting import wait_until
from whole_path import WholePath

COMMANDS = ("sbatch", "squeue", "scontrol", "scancel", "sacct")
MODES = {
    "run": "as SLURM's own",
    "record": "notes stdin and environment, too, then runs",
    "fail": "prints mode()'s text on stderr, exit 1",
    "rubbish": "prints bytes that are no answer, exit 0",
    "hang": "says nothing until the mode is another one, then exit 1; does nothing",
    "hang-then-run": "the same, but then it runs after all",
    "run-then-hang": "runs at once; its answer comes when the mode is another one",
}
Job = collections.namedtuple("Job", "id name user state node reason")
Call = collections.namedtuple("Call", "at user arguments stdin environ ran")
# No event stream is silent for longer: a comment comes every 15 s.
SILENCE_SECONDS = 20
NO_CONTROLLER = "Unable to contact slurm controller (connect failure)"


class Command:
    """One of SLURM's commands on the login node, by way of slurm_wrapper.sh."""

    def __init__(self, directory, name):
        self._directory, self._name = directory, name

    def mode(self, word, text=""):
        """From the next call on; those that hang go on when it is another one."""
        assert word in MODES, word
        path = self._directory / f"{self._name}.mode"
        new = path.with_suffix(".new")
        new.write_text(f"{word} {text}\n")
        new.rename(path)

    def calls(self):
        def at(path):
            return float(path.name[len(self._name) + 1:].rsplit(".", 2)[0])

        def content(path):
            return path.read_bytes() if path.exists() else None

        calls = []
        for path in sorted(self._directory.glob(f"{self._name}.*.argv"), key=at):
            user, *arguments = path.read_bytes().decode(errors="replace").split("\0")[:-1]
            calls.append(Call(at(path), user, arguments, content(path.with_suffix(".stdin")),
                              content(path.with_suffix(".environ")),
                              path.with_suffix(".ran").exists()))
        return calls

    def wait_for_calls(self, count, ran=False, seconds=30):
        """Until there are so many; with `ran` those whose "run-then-hang" has run."""
        def enough():
            calls = [call for call in self.calls() if call.ran or not ran]
            return calls if len(calls) >= count else None

        return wait_until(enough, f"{count} calls of {self._name}", seconds, every=0.02)


class FollowedEvent:
    """`state` and `text` are None for an event of another type."""

    def __init__(self, number, kind, data):
        self.number, self.type, self.data = number, kind, data
        self.at = time.time()
        self.session = data.get("id")
        self.state = data.get("state") if kind == "state" else None
        self.text = data.get("text")

    def __repr__(self):
        what = f"{self.state}: {self.data.get('reason')}" if self.state else self.data
        return f"{self.number} {self.type} {what}"


class EventFollower(Client):
    """Events as they come, from the first one that is kept; resumes after a loss of the manager."""

    def __init__(self, serve, user, session=None):
        super().__init__()
        self._serve, self._user = serve, user
        self._path = f"/api/v1/sessions/{session}/events" if session else "/api/v1/events"
        self._last = 0
        self.events, self.gaps, self.over = [], 0, False
        self.start()

    def once(self):
        connection = self._serve.connect(SILENCE_SECONDS)
        try:
            connection.request("GET", self._path, headers={
                "X-HPC-Manager-Token": self._serve.token(self._user),
                "Last-Event-ID": str(self._last)})
            answer = connection.getresponse()
            if answer.status == 204:
                self.over = True
                return self.end()
            if answer.status != 200:
                raise EOFError(answer.status)
            self.opened += 1
            self._read(answer)
        except http.client.HTTPException as error:
            raise EOFError from error
        finally:
            connection.close()

    def _read(self, lines):
        fields = {}
        for line in lines:
            if self._ended.is_set():
                return
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            if name:
                fields[name] = value
                continue
            if fields.get("event") == "gap":
                self.gaps += 1
            elif "id" in fields:
                self._last = int(fields["id"])
                self.events.append(FollowedEvent(self._last, fields["event"],
                                                 json.loads(fields["data"])))
            fields = {}

    def wait(self, matches, what, seconds=40):
        """The first event for which matches(event) holds, of those that were and that come."""
        try:
            return wait_until(lambda: next(filter(matches, list(self.events)), None), what,
                              seconds, every=0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}; events: {self.events}") from error

    def of(self, session=None):
        return [one for one in list(self.events) if session in (None, one.session)]

    def states(self, session=None):
        """Each state once in a row: ["queued", "submitting", ...]."""
        states = []
        for event in self.of(session):
            if event.state and states[-1:] != [event.state]:
                states.append(event.state)
        return states

    def texts(self, session=None):
        """What a person reads: lines of progress, and reasons of states."""
        return [event.text or event.data.get("reason") or event.state
                for event in self.of(session) if event.text or event.state]


class LaunchSite:
    """close() must be called. `options`: of serve; `site_options`: of site.sh."""

    def __init__(self, *options, users=3, nodes=2, cpus=8, site_options=()):
        self._followers = []
        self.serve = None
        self.path = WholePath("--users", str(users), "--nodes", str(nodes), "--cpus", str(cpus),
                              *site_options)
        try:
            self.site = self.path.site
            self.nodes = [f"c{number + 1}" for number in range(nodes)]
            self.users = sorted(home.name for home in (self.site.directory / "home").iterdir())
            self._wrap_commands()
            self.serve = Serve({"main": self.site.address},
                               {user: self.site.key(user) for user in self.users},
                               [self.site.known_hosts], *options)
            self.serve.start()
        except BaseException:
            self.close()
            raise

    def close(self):
        for follower in self._followers:
            follower.end()
        if self.serve:
            self.serve.close()
        self.path.close()

    # ---------------------------------------------------------------------- sessions
    def launch(self, user, ide="plain", **more):
        """The session, which starts a job of its own."""
        return self.serve.create(user, ide=ide, attach=False, **more)

    def end(self, session):
        """DELETE; the status."""
        path = f"/api/v1/sessions/{session['id']}"
        return self.serve.request("DELETE", path, session["user"])[0]

    def now(self, session):
        """The session as it is."""
        return self.serve.session(session["user"], session["id"])

    def wait(self, session, state="running", seconds=60):
        """The session, once it is in that state."""
        self.serve.wait_for_state(session["user"], session["id"], state, seconds)
        return self.now(session)

    def follow(self, user, session=None):
        follower = EventFollower(self.serve, user, session)
        self._followers.append(follower)
        return follower

    @staticmethod
    def path_of(session, rest="/"):
        ide = session["ide"] if session["slot"] == 1 else f"{session['ide']}~{session['slot']}"
        return f"/user/{session['user']}/{session['cluster']}/{ide}{rest}"

    def log(self, session):
        """(status, text) of its job's log."""
        status, _, body = self.serve.get(f"/api/v1/sessions/{session['id']}/log", session["user"])
        return status, body.decode(errors="replace")

    def kill_manager(self):
        self.serve.stop(signal.SIGKILL)

    def kill_and_start_manager(self):
        self.kill_manager()
        self.serve.start()

    # ---------------------------------------------------------------------- homes
    def write_home(self, user, name, text, mode=0o644):
        """A file below the user's home, his own; directories on the way are his alone."""
        home = self.site.home(user)
        owner, path = home.stat().st_uid, home / name
        for directory in reversed(path.relative_to(home).parents[:-1]):
            if not (home / directory).is_dir():
                (home / directory).mkdir(mode=0o700)
                os.chown(home / directory, owner, owner)
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, owner, owner)
        return path

    def leftovers(self, user=None):
        """Jobs, directories of sessions and records that are still there, by their names."""
        left = [f"job {job.id} of {job.user}: {job.state}" for job in self.jobs(user)]
        for one in [user] if user else self.users:
            found = [*self.site.home(one).glob(".hpc-proxy/sessions/*"),
                     *self.site.home(one).glob(".hpc-proxy/jobs/*")]
            left += [str(path.relative_to(self.site.directory / "home")) for path in found]
        return left

    # ---------------------------------------------------------------------- SLURM
    def _wrap_commands(self):
        self._calls = self.site.directory / "calls"
        self._calls.mkdir()
        self._calls.chmod(0o1777)
        for name in COMMANDS:
            self.command(name).mode("run")
            (self.site.directory / "bin" / name).symlink_to("/mnt/tests/slurm_wrapper.sh")

    def command(self, name):
        return Command(self._calls, name)

    def jobs(self, user=None):
        """What squeue shows to root: pending, running and completing jobs."""
        whose = ["-u", user] if user else []
        lines = self.site.run("login", "squeue", "-h", "-o", "%i|%j|%u|%T|%N|%r", *whose)
        return [Job(*line.split("|", 5)) for line in lines.splitlines()]

    def wait_for_no_jobs(self, seconds=60):
        wait_until(lambda: not self.jobs(), "no job is left", seconds, every=0.1)

    def cancel_all(self):
        """From outside, as an administrator does; returns when nothing is left."""
        jobs = [job.id for job in self.jobs()]
        if jobs:
            self.site.run("login", "scancel", *jobs)
        self.wait_for_no_jobs()

    def scontrol(self, *words, check=True):
        """As root."""
        return self.site.run("login", "scontrol", *words, check=check)

    def hold_nodes(self):
        """No job begins from now on; those that run go on."""
        self.scontrol("update", f"nodename={','.join(self.nodes)}", "state=drain", "reason=test")

    def release_nodes(self):
        """Nothing where they are not held."""
        for node in self.nodes:
            if "drain" in self.site.run("login", "sinfo", "-h", "-n", node, "-o", "%T"):
                self.scontrol("update", f"nodename={node}", "state=resume")

    def _slurmctld(self):
        return self.site.run("login", "pgrep", "-x", "slurmctld", check=False).split()

    def kill_slurmctld(self):
        """As a crash, with at least one job; jobs go on, and commands are refused. First it is
        waited for what it last did to be on its disk, which takes it up to 5 s: else it would have
        forgotten it, and would end the jobs that it believes not to have begun. That its backfill
        has begun a job is no reason for it to write, so that each job gets a change that is one."""
        state = self.site.directory / "slurm/state/job_state"
        changed = time.time()
        for job in self.jobs():
            self.scontrol("update", f"jobid={job.id}", "admincomment=saved")
        wait_until(lambda: state.exists() and state.stat().st_mtime > changed,
                   "slurmctld has saved its state", 30, every=0.05)
        self.site.run("login", "kill", "-KILL", *self._slurmctld())
        wait_until(lambda: not self._slurmctld(), "slurmctld has gone")

    def start_slurmctld(self):
        """Returns when it answers."""
        self.site.run("login", "sh", "-c", "slurmctld -i </dev/null >/dev/null 2>&1")
        wait_until(lambda: "is UP" in self.scontrol("ping", check=False), "slurmctld answers", 40)

    def power_off(self, node):
        self.site.off(node)

    def power_on(self, node, seconds=60):
        self.site.start(node)
        state = ["sinfo", "-h", "-n", node, "-o", "%T"]
        wait_until(lambda: self.site.run("login", *state) in ("idle", "mixed", "allocated"),
                   f"{node} is back", seconds, every=0.1)

    def allocated_at(self, job):
        """When slurmctld gave the job a node last, by its log."""
        found = self._times_of(rf".*(?:Allocate|Started) JobId={job} ")
        return found[-1] if found else None

    def _times_of(self, pattern):
        """Of slurmctld's log lines that begin so."""
        log = (self.site.directory / "log/slurmctld").read_text(errors="replace")
        return [datetime.datetime.fromisoformat(text).timestamp()
                for text in re.findall(rf"^\[([^]]+)\] {pattern}", log, re.MULTILINE)]

    def logs(self):
        """For a failed test's output."""
        jobs = [f"== {path}\n{path.read_text(errors='replace')[-2000:]}" for path in
                self.site.directory.glob("home/*/.hpc-proxy/sessions/*/job.log")]
        return "\n".join([self.site.logs(), *jobs, self.serve.said()[-6000:]])


def directory_of(session):
    """Of the session, below its user's home."""
    return pathlib.Path(".hpc-proxy/sessions") / session["id"]
