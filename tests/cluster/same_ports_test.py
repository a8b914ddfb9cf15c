"""Users of one node with the same ports at the same moment, each in `hpc-proxy run`: every page and
every WebSocket is one's own, and nothing is left of it afterwards."""

import concurrent.futures
import json
import pathlib
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from ports_site import FILES_PORT, LIVE_PORT, NODE, VITE_PORT, PortsSite  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import WebSocket, WebSocketError  # noqa: E402

MODES = ("loopback", "netns")
USERS = 20
# Live Server sees a change within 0.3 s, vite within 0.1 s; so long nobody else may hear of it.
SILENCE_SECONDS = 2
# Watchers that still start miss single edits.
EDIT_EVERY_SECONDS = 2
HEAR_SECONDS = 40
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "websocket"}


def messages(socket, seconds=SILENCE_SECONDS):
    """What comes until nothing has come for so long."""
    heard = []
    try:
        while True:
            heard.append(socket.receive(seconds))
    except TimeoutError:
        return heard


def hear(socket, edit, matches):
    """Edits again and again until a message comes that matches."""
    done = threading.Event()

    def edit_until_done():
        while not done.is_set():
            edit()
            done.wait(EDIT_EVERY_SECONDS)
    editor = threading.Thread(target=edit_until_done)
    editor.start()
    try:
        while not matches(message := socket.receive(HEAR_SECONDS)):
            pass
        return message
    finally:
        done.set()
        editor.join()


class SamePortsTest(ShowsLogs, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = PortsSite(users=USERS, cpus=64)
        cls.addClassCleanup(cls.site.close)

    def setUp(self):
        self.jobs = []
        self.site.close_the_gate()
        self.addCleanup(self.end_jobs)

    def logs(self):
        return self.site.site.logs()

    def end_jobs(self):
        for user, job in self.jobs:
            self.site.cancel(user, job)

    def submit(self, user, command, *options):
        job = self.site.submit(user, command, *options)
        self.jobs.append((user, job))
        return job

    # ------------------------------------------------------------------------ two users, three apps
    def start_both(self, mode):
        both = []
        for user in ("alice", "bob"):
            apps = self.site.start_apps(user, mode)
            self.addCleanup(apps.end)
            both.append(apps)
        for apps in both:
            apps.connect()
        self.site.open_the_gate()
        for apps in both:
            apps.wait_until_they_listen()
        return both

    def check_pages(self, both):
        for apps in both * 10:
            for path in (f"/port/{LIVE_PORT}/", f"/port/{FILES_PORT}/", f"/port/{VITE_PORT}/",
                         f"/port/{VITE_PORT}/message.js"):
                status, body = apps.get(path)
                self.assertEqual(status, 200, body)
                self.assertIn(f"of {apps.user}", body, path)
        for apps in both:
            listed = json.loads(apps.get("/ports", headers={"Accept": "application/json"})[1])
            ports = {entry["port"] for entry in listed["ports"]}
            self.assertLessEqual({LIVE_PORT, FILES_PORT, VITE_PORT}, ports)

    def check_each_hears_the_own(self, both, open_socket, file, matches):
        sockets = [open_socket(apps) for apps in both]
        try:
            for mine, theirs in ((0, 1), (1, 0)):
                path = self.site.home(both[mine].user) / file
                text = path.read_text()
                hear(sockets[mine], lambda: path.write_text(f"{text}\n// {time.time_ns()}\n"),
                     matches)
                self.assertEqual(list(filter(matches, messages(sockets[theirs]))), [])
                messages(sockets[mine])  # of the last edits, so that they are not taken for others
        finally:
            for socket in sockets:
                socket.close()

    def live_socket(self, apps):
        return WebSocket(apps.url(f"/port/{LIVE_PORT}//ws"), headers=SAME_ORIGIN)

    def vite_socket(self, apps):
        """Whoever opens it must have read the token in a script of that very vite."""
        token = re.search(r'wsToken = "([^"]+)"', apps.get(f"/port/{VITE_PORT}/@vite/client")[1])[1]
        apps.get(f"/port/{VITE_PORT}/main.js")
        protocol = {"Sec-WebSocket-Protocol": "vite-hmr", **SAME_ORIGIN}
        for other in self.both:
            if other is not apps:
                with self.assertRaises(WebSocketError):
                    WebSocket(other.url(f"/port/{VITE_PORT}/?token={token}"), headers=protocol)
        return WebSocket(apps.url(f"/port/{VITE_PORT}/?token={token}"), headers=protocol)

    def check_mode(self, mode):
        namespaces = self.site.namespaces()
        self.both = self.start_both(mode)
        for apps in self.both:
            self.assertEqual(apps.record["private"]["mode"], mode)
        own = 2 if mode == "netns" else 0
        self.assertEqual(len(self.site.namespaces()), len(namespaces) + own)
        self.check_pages(self.both)
        self.check_each_hears_the_own(self.both, self.live_socket, "live/index.html",
                                      lambda message: message == "reload")
        self.check_each_hears_the_own(self.both, self.vite_socket, "vite/message.js",
                                      lambda message: '"type":"update"' in message)
        alice, bob = self.both
        addresses = {apps.user: apps.record["private"]["addresses"] for apps in self.both}
        # One's end is not the other's.
        alice.end()
        self.check_nothing_left("alice", addresses["alice"])
        self.assertIn("of bob", bob.get(f"/port/{LIVE_PORT}/")[1])
        bob.end()
        self.check_nothing_left("bob", addresses["bob"])
        self.assertEqual(self.site.namespaces(), namespaces)

    def check_nothing_left(self, user, addresses=()):
        try:
            wait_until(lambda: not self.site.leftovers(user, addresses), "nothing is left")
        except AssertionError as error:
            raise AssertionError(f"{user}: {self.site.leftovers(user, addresses)}") from error

    def test_loopback(self):
        self.check_mode("loopback")

    def test_netns(self):
        self.check_mode("netns")

    # ------------------------------------------------------------------------ twenty users
    def check_twenty(self, mode):
        command = (f"hpc-proxy run --private {mode} -- "
                   f"/usr/bin/python3 /mnt/tests/named_app.py {LIVE_PORT} /tmp/gate")
        jobs = {user: self.submit(user, command) for user in self.site.users}
        self.assertEqual(len(jobs), USERS)
        for user in jobs:
            wait_until(lambda: self.site.records(user), f"the record of {user}", 90)
        ports = {user: json.loads(self.site.records(user)[0].read_text())["port"] for user in jobs}
        self.site.open_the_gate()
        with concurrent.futures.ThreadPoolExecutor(USERS) as pool:
            answers = dict(zip(jobs, pool.map(
                lambda user: json.loads(self.site.site.run(
                    f"{user}@{NODE}", "/usr/bin/python3", "/mnt/tests/named_app.py", "ask",
                    ports[user])), jobs)))
        right = [user for user, answer in answers.items()
                 if set(answer["pages"]) == {user} and
                 answer["messages"] == [user, f"hello of {user}"]]
        wrong = [(user, said) for user, answer in answers.items()
                 for said in (*answer["pages"], answer["messages"][0])
                 if said != user and said in jobs]
        print(f"{mode}: {len(right)} of {USERS} users see their own {LIVE_PORT}, "
              f"{len(wrong)} answers are another's", flush=True)
        self.assertEqual(wrong, [])
        self.assertEqual(len(right), USERS, answers)
        self.site.site.run("login", "scancel", *jobs.values())
        for user in jobs:
            self.check_nothing_left(user)

    def test_twenty_users_loopback(self):
        self.check_twenty("loopback")

    def test_twenty_users_netns(self):
        self.check_twenty("netns")

    # ------------------------------------------------------------------------ how jobs start and end
    # The command ends at SIGTERM; what it leaves behind does not, and has no parent.
    LEAVES = "bash -c \"(trap '' TERM HUP; setsid tail -f /dev/null &); exec tail -f /dev/null\""
    # Nothing of it ends at SIGTERM.
    STUBBORN = f"bash -c \"trap '' TERM HUP; {LEAVES[9:-1]}\""

    def record_of(self, user, job):
        """Once both programs of the command run."""
        record = wait_until(lambda: self.site.record(user, job), "the record", 30)
        wait_until(lambda: len([line for line in self.site.processes(user)
                                if line.split()[1] == "tail"]) == 2, "the command runs")
        return record

    def test_record_is_called_by_job_host_and_process(self):
        job = self.submit("alice", f"hpc-proxy run -- {self.LEAVES}")
        record = self.record_of("alice", job)
        (path,) = self.site.records("alice")
        self.assertEqual(path.stem, f"{job}-{NODE}-{record['pid']}")
        self.assertEqual((record["job_id"], record["slurm_node"]), (job, NODE))
        self.assertEqual(record["private"]["mode"], "loopback")
        # It is the only one of the job, so it speaks for it.
        comment = ["squeue", "-h", "-j", job, "-o", "%k"]
        wait_until(lambda: self.site.site.run("alice@login", *comment) ==
                   f"hpc1 {NODE}:{record['port']}", "the job's comment")

    def check_ends(self, command, by):
        """In both modes, as the batch script's own and as a step, each a user's: nothing of it all
        is left after by(user, job, record)."""
        lines = [line.format(f"hpc-proxy run --private {mode} -- {command}")
                 for mode in MODES for line in ("{}", "srun {}")]
        jobs = {user: self.submit(user, line) for user, line in zip(self.site.users, lines)}
        records = {user: self.record_of(user, job) for user, job in jobs.items()}
        self.assertEqual([record["private"]["mode"] for record in records.values()],
                         [mode for mode in MODES for _ in range(2)])
        for user, job in jobs.items():
            by(user, job, records[user])
        for user, line in zip(jobs, lines):
            with self.subTest(line):
                self.check_nothing_left(user, records[user]["private"]["addresses"])

    def scancel(self, user, job, _):
        self.site.site.run(f"{user}@login", "scancel", job)

    def test_scancel_leaves_nothing(self):
        self.check_ends(self.LEAVES, self.scancel)

    def test_killed_hpc_proxy_leaves_nothing(self):
        self.check_ends(self.STUBBORN, lambda _, __, record: self.site.site.run(
            NODE, "kill", "-KILL", str(record["pid"])))

    def test_ended_command_leaves_nothing(self):
        self.check_ends(self.LEAVES, lambda user, *_: self.site.site.run(
            NODE, "pkill", "-TERM", "-x", "-u", user, "tail"))

    def test_job_that_slurm_must_kill_leaves_files_for_the_next_start_only(self):
        def next_start(user, job, record):
            self.scancel(user, job, record)
            wait_until(lambda: not self.site.processes(user), "the end of all processes")
            self.assertEqual(self.srun(user, "hpc-proxy", "run", "--", "true").returncode, 0)
        self.check_ends(self.STUBBORN, next_start)

    def test_job_submitted_from_a_run_is_not_moved(self):
        """It goes to another job's node with the environment of this one."""
        inner = self.site.home("alice") / "inner.sh"
        inner.write_text("#!/bin/bash\nexport -p\nexec /usr/bin/python3 -c \"import socket; "
                         "print(socket.create_server(('127.0.0.1', 5500)).getsockname())\"\n")
        self.submit("alice", "hpc-proxy run -- env KEPT=kept sbatch --output=inner.out inner.sh")
        output = self.site.home("alice") / "inner.out"
        wait_until(lambda: output.exists() and "5500)" in output.read_text(), "the inner job", 60)
        text = output.read_text()
        self.assertIn("('127.0.0.1', 5500)\n", text)
        self.assertIn('KEPT="kept"', text)
        for word in ("ld.so", "libhpc_ports", "127.64."):
            self.assertNotIn(word, text)

    def srun(self, user, *command):
        return self.site.site._call("exec", f"{user}@login", "srun", "-w", NODE, *command,
                                    check=False)

    def test_srun_ends_with_the_status_of_the_command(self):
        for mode in MODES:
            for code in (0, 3):
                done = self.srun("alice", "hpc-proxy", "run", "--private", mode, "--",
                                 "sh", "-c", f"echo on $(hostname); exit {code}")
                self.assertEqual((done.returncode, done.stdout), (code, f"on {NODE}\n"),
                                 done.stderr)
        self.check_nothing_left("alice")


if __name__ == "__main__":
    unittest.main()
