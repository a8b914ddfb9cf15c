"""The job templates on a real SLURM site: as hpc-manager submits them, and by hand. The IDEs are
played by tests/support/fake_ide.py; tests/browser has the real ones."""

import json
import os
import pathlib
import shutil
import stat
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))
from job_scripts import session_script  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402
from slurm_site import Site, our_program  # noqa: E402
from waiting import wait_until  # noqa: E402

ORIGIN = "https://hpc.example.org"
IDES = ("code-server", "jupyter-lab", "rserver")


class JobTemplatesTest(ShowsLogs, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site(programs=[our_program("hpc-proxy")])
        cls.addClassCleanup(cls.site.close)
        for name in IDES:
            shutil.copy(SUPPORT / "fake_ide.py", cls.site.directory / "bin" / name)
            (cls.site.directory / "bin" / name).chmod(0o755)

    def setUp(self):
        self.jobs = []
        self.addCleanup(self.cancel)

    def logs(self):
        return "\n".join([self.site.logs(), *(
            f"== {path}\n{path.read_text(errors='replace')}" for path in
            self.site.home("alice").glob("**/*.[lo][ou][gt]"))])

    # ------------------------------------------------------------------------ submitting
    def cancel(self):
        for user, job in self.jobs:
            self.site.run(f"{user}@login", "scancel", job)
            self.wait_for_end(user, job)
        for path in self.site.home("alice").glob("*.out"):
            path.unlink()
        for name in ("saved", ".hpc-proxy/setup.sh", ".hpc-proxy/plain.sh"):
            (self.site.home("alice") / name).unlink(missing_ok=True)

    def wait_for_end(self, user, job):
        wait_until(lambda: self.site.run(f"{user}@login", "squeue", "-h", "-j", job, "-t",
                                         "PD,R,CG", "-o", "%T", check=False) == "",
                   f"the end of job {job}", 30)

    def submit_session(self, ide, *options, user="alice", home=None):
        """As hpc-manager does it: the composed script on sbatch's stdin, from an SSH session with
        hardly any environment, the log in the session's directory."""
        session, script = session_script(ide, f"{ORIGIN}/user/{user}/main/{ide}/port/{{port}}/")
        (self.site.home(user) / f"{session}.sbatch").write_text(script)
        home = home or f"/mnt/home/{user}"
        directory = f"{home}/.hpc-proxy/sessions/{session}"
        command = (f'umask 077; mkdir -p "{directory}"; sbatch --parsable --open-mode=append '
                   f'--output="{directory}/job.log" -w c1 "$@" <"$HOME/{session}.sbatch"')
        job = self.site.run(f"{user}@login", "env", "-i", "PATH=/mnt/bin:/usr/bin:/bin",
                            f"HOME=/mnt/home/{user}", "sh", "-c", command, "sh", *options)
        self.jobs.append((user, job))
        directory = self.site.directory / directory.removeprefix("/mnt/")
        return job, directory

    def submit_by_hand(self, template, *words, user="alice", options=()):
        """From the directory of the scripts, as their README says."""
        job = self.site.run(f"{user}@login", "env", "-C", "/mnt/scripts", "sbatch", "--parsable",
                            f"--output=/mnt/home/{user}/%x-%j.out", "-w", "c1", *options, template,
                            *words)
        self.jobs.append((user, job))
        return job

    def record(self, job, user="alice"):
        """That of `run` has a longer name."""
        jobs = self.site.home(user) / ".hpc-proxy/jobs"
        for path in [*jobs.glob(f"{job}.json"), *jobs.glob(f"{job}-*.json")]:
            return json.loads(path.read_text())
        return None

    def wait_for_record(self, job, user="alice"):
        return wait_until(lambda: self.record(job, user), f"the record of job {job}", 30)

    def ask(self, job, path, user="alice", asker=None, check=True):
        """The body of a page of the job's hpc-proxy, asked for on its node."""
        port = self.wait_for_record(job, user)["port"]
        return self.site.run(f"{asker or user}@c1", "curl", "-sS", "--max-time", "10", "--fail",
                             f"http://127.0.0.1:{port}{path}", check=check)

    def page(self, job, path):
        text = wait_until(lambda: self.ask(job, path, check=False), f"the IDE of job {job}", 30)
        return json.loads(text)

    def status(self, job):
        return json.loads(self.ask(job, "/status"))

    def state(self, job, user="alice"):
        return self.site.job_state(user, job)

    # ------------------------------------------------------------------------ looking
    def mode(self, path):
        """Mode and owner, as the cluster sees them."""
        text = self.site.run("c1", "stat", "-c", "%a %U", path)
        return text

    def listeners(self, user):
        """TCP ports on which processes of the user listen on c1."""
        uid = os.stat(self.site.home(user)).st_uid
        lines = self.site.run("c1", "ss", "-Hltne").splitlines()
        return sorted({int(line.split()[3].rsplit(":", 1)[1]) for line in lines
                       if f"uid:{uid} " in f"{line} "})

    def refused_to_bob(self, *command):
        done = self.site._call("exec", "bob@c1", *command, check=False)
        self.assertNotEqual(done.returncode, 0, f"bob could: {command}: {done.stdout}")
        return done.stderr

    def check_closed(self, job, socket):
        """The socket is alice's alone, and there is no other way to the IDE."""
        self.assertEqual(self.mode(socket)[-5:], "alice")
        self.assertRegex(self.mode(str(pathlib.PurePath(socket).parent)), r"^[0-9]?700 alice$")
        # It would answer, so it is not the path that is wrong.
        self.site.run("alice@c1", "curl", "-sS", "--fail", "--unix-socket", socket,
                      "http://localhost/")
        self.refused_to_bob("curl", "-sS", "--unix-socket", socket, "http://localhost/")
        self.refused_to_bob("ls", str(pathlib.PurePath(socket).parent))
        self.refused_to_bob("curl", "-sS", "--fail",
                            f"http://127.0.0.1:{self.record(job)['port']}/app/")
        self.assertEqual(self.listeners("alice"), [self.record(job)["port"]])

    def warn(self, job):
        """What SLURM does before the limit: USR1 to the batch shell alone."""
        self.site.run("alice@login", "scancel", "--batch", "--signal=USR1", job)
        wait_until(lambda: self.status(job)["walltime_warning"], "the warning in /status")

    def check_session_of_ide(self, ide, program, route, *options, private=None):
        job, directory = self.submit_session(ide, *options)
        page = self.page(job, f"/{route}/some/page")
        self.assertEqual(page["program"], program)
        self.assertEqual(page["HPC_PROXY_URL_TEMPLATE"],
                         f"{ORIGIN}/user/alice/main/{ide}/port/{{port}}/")
        self.assertEqual(page["VSCODE_PROXY_URI"],
                         f"{ORIGIN}/user/alice/main/{ide}/port/{{{{port}}}}/")
        self.assertEqual(page["HPC_SESSION_ID"], directory.name)
        self.assertEqual(page["HPC_SESSION_DIR"],
                         f"/mnt/home/alice/.hpc-proxy/sessions/{directory.name}")
        self.assertEqual(self.record(job).get("private", {}).get("mode"), private)
        app = self.record(job)["app"]
        self.assertEqual(app["keep_prefix"], route == "absapp")
        self.assertEqual(self.status(job)["url_template"], page["HPC_PROXY_URL_TEMPLATE"])
        self.check_closed(job, app["target"].removeprefix("unix:"))
        self.assertIn(f"{program} listens; it is at {ORIGIN}/user/alice/main/{ide}/\n",
                      (directory / "job.log").read_text())
        self.warn(job)
        self.assertEqual(self.page(job, f"/{route}/")["pid"], page["pid"])
        self.assertEqual(self.state(job), "RUNNING c1")
        self.site.run("alice@login", "scancel", job)
        self.wait_for_end("alice", job)
        self.assertEqual((self.site.home("alice") / "saved").read_text(), f"{program}\n")
        self.assertIsNone(self.record(job))
        # The log is the manager's to remove.
        self.assertTrue((directory / "job.log").exists())
        return page

    # ------------------------------------------------------------------------ sessions
    def test_vscode(self):
        page = self.check_session_of_ide("vscode", "code-server", "app")
        self.assertEqual(page["path"], "/some/page")
        self.assertIn("--config", page["words"])
        self.assertEqual(page["words"][-1], "/mnt/home/alice")

    def test_jupyter(self):
        page = self.check_session_of_ide("jupyter", "jupyter-lab", "absapp")
        self.assertIn("--ServerApp.base_url=/user/alice/main/jupyter/", page["words"])
        self.assertIn("--KernelManager.transport=ipc", page["words"])
        self.assertEqual(page["path"], "/absapp/some/page")

    def test_rstudio(self):
        page = self.check_session_of_ide("rstudio", "rserver", "app")
        self.assertIn("--www-root-path=/user/alice/main/rstudio", page["words"])
        self.assertNotIn("--www-port", " ".join(page["words"]))

    def test_ide_with_ports_of_its_own(self):
        for mode in ("loopback", "netns"):
            with self.subTest(mode):
                (self.site.home("alice") / "saved").unlink(missing_ok=True)
                page = self.check_session_of_ide("vscode", "code-server", "app",
                                                 f"--export=ALL,HPC_PROXY_PRIVATE={mode}",
                                                 private=mode)
                self.assertRegex(page["HPC_PROXY_RUN"], r"^\d+-c1-\d+$")
                self.assertRegex(page["HPC_PROXY_PORT"], r"^\d+$")

    def test_rstudio_without_sockets_is_not_started_on_a_port(self):
        job, directory = self.submit_session("rstudio", "--export=ALL,OLD_RSERVER=1")
        self.wait_for_end("alice", job)
        text = (directory / "job.log").read_text()
        self.assertIn("cannot listen on a Unix socket", text)
        self.assertIn("not started on a TCP port", text)
        self.assertIsNone(self.record(job))

    def test_plain_keeps_serving_until_the_time_is_over(self):
        job, directory = self.submit_session("plain", "--time=1")
        self.assertIsNone(self.wait_for_record(job)["app"])
        self.assertEqual(self.mode(f"/mnt/home/alice/.hpc-proxy/sessions/{directory.name}"),
                         "700 alice")
        # SLURM itself warns: the limit is a minute away from the start.
        wait_until(lambda: self.status(job)["walltime_warning"], "SLURM's warning", 60)
        self.assertEqual(self.state(job), "RUNNING c1")
        self.assertIn("reaches its time limit soon", (directory / "job.log").read_text())
        self.assertIn("no ~/.hpc-proxy/plain.sh", (directory / "job.log").read_text())

    def write(self, name, text, mode=0o755):
        path = self.site.home("alice") / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(mode)
        self.site.run("login", "chown", "-R", "alice:", str(path.parent).replace(
            str(self.site.directory), "/mnt"))

    def test_plain_runs_what_the_user_wrote(self):
        self.write(".hpc-proxy/plain.sh", "#!/bin/sh\necho mine: $HPC_PROXY_URL_TEMPLATE\n"
                                          "exit 3\n")
        job, directory = self.submit_session("plain")
        self.wait_for_end("alice", job)
        text = (directory / "job.log").read_text()
        self.assertIn(f"mine: {ORIGIN}/user/alice/main/plain/port/{{port}}/\n", text)
        self.assertIn("plain.sh ended with status 3", text)

    def test_plain_with_ports_of_its_own(self):
        """What the user wrote runs inside, and SLURM's warning, which comes at once, is not lost."""
        self.write(".hpc-proxy/plain.sh", "#!/bin/sh\necho run: $HPC_PROXY_RUN\n"
                                          "exec python3 -m http.server -d /etc/slurm 5500\n")
        self.write(".hpc-proxy/setup.sh", "HPC_PROXY_PRIVATE=loopback\n", 0o644)
        job, directory = self.submit_session("plain", "--time=1")
        record = self.wait_for_record(job)
        self.assertEqual(record["private"]["mode"], "loopback")
        page = wait_until(lambda: self.ask(job, "/port/5500/slurm.conf", check=False),
                          "the application", 30)
        self.assertIn("ClusterName", page)
        wait_until(lambda: self.status(job)["walltime_warning"], "SLURM's warning", 60)
        self.assertEqual(self.state(job), "RUNNING c1")
        self.assertIn(f"run: {job}-c1-{record['pid']}\n", (directory / "job.log").read_text())

    def test_setup_is_read_first(self):
        self.write(".hpc-proxy/setup.sh", "export SETUP=done\n", 0o644)
        job, _ = self.submit_session("vscode")
        self.assertEqual(self.page(job, "/app/")["SETUP"], "done")

    def test_missing_programs_are_named(self):
        for variables, words in (
                ("PATH=/usr/bin:/bin", "hpc-proxy is not in PATH on c1; load its module"),
                ("PATH=/mnt/home/alice/only:/usr/bin:/bin", "code-server is not in PATH on c1")):
            with self.subTest(words):
                only = self.site.home("alice") / "only"
                only.mkdir(exist_ok=True)
                shutil.copy(our_program("hpc-proxy"), only)
                job, directory = self.submit_session("vscode", f"--export=ALL,{variables}")
                self.wait_for_end("alice", job)
                self.assertIn(words, (directory / "job.log").read_text())
                self.assertIsNone(self.record(job))

    def test_home_with_a_long_path(self):
        """The socket is in a directory of its own below /tmp, which ends with the job."""
        home = "/mnt/home/alice/" + "a" * 60
        self.site.run("alice@login", "mkdir", home)
        job, _ = self.submit_session("vscode", f"--export=ALL,HOME={home}", home=home)
        record = self.site.directory / home.removeprefix("/mnt/") / f".hpc-proxy/jobs/{job}.json"
        wait_until(record.exists, "the record", 30)
        socket = json.loads(record.read_text())["app"]["target"].removeprefix("unix:")
        directory = str(pathlib.PurePath(socket).parent)
        self.assertRegex(socket, r"^/tmp/hpc-[A-Za-z0-9]{10}/ide\.sock$")
        wait_until(lambda: self.site.run("c1", "ls", directory, check=False) == "ide.sock",
                   "the socket")
        self.assertEqual(self.mode(directory), "700 alice")
        self.refused_to_bob("curl", "-sS", "--unix-socket", socket, "http://localhost/")
        self.site.run("alice@login", "scancel", job)
        self.wait_for_end("alice", job)
        wait_until(lambda: self.site.run("c1", "ls", directory, check=False) == "" and
                   self.site.run("c1", "sh", "-c", f"test -e {directory} || echo gone") == "gone",
                   "the end of the directory")

    # ------------------------------------------------------------------------ the job's comment
    def comment(self, job):
        return self.site.run("alice@login", "squeue", "-h", "-j", job, "-o", "%k")

    def test_comment_says_where_hpc_proxy_listens(self):
        job, _ = self.submit_session("plain")
        port = self.wait_for_record(job)["port"]
        wait_until(lambda: self.comment(job) == f"hpc1 c1:{port}", "the job's comment")

    def test_comment_of_a_user_stays(self):
        for text in ("mine: hpc1 c1:1", "two\nlines"):
            with self.subTest(text):
                job, _ = self.submit_session(
                    "plain", f"--comment={text}", "--export=ALL,HPC_PROXY_VERBOSE=1")
                self.wait_for_record(job)
                log = self.site.home("alice") / f".hpc-proxy/{job}.log"
                wait_until(lambda: log.exists() and "comment of somebody else's" in log.read_text(),
                           "the line of the log")
                self.assertEqual(self.comment(job), text)

    # ------------------------------------------------------------------------ by hand
    def test_ide_by_hand(self):
        for template, route in (("vscode.sbatch", "app"), ("jupyter.sbatch", "absapp"),
                                ("rstudio.sbatch", "app")):
            with self.subTest(template):
                job = self.submit_by_hand(template)
                page = self.page(job, f"/{route}/x")
                self.assertEqual(page["path"], "/absapp/x" if route == "absapp" else "/x")
                self.assertEqual(page["HPC_PROXY_URL_TEMPLATE"], "/port/{port}/")
                socket = self.record(job)["app"]["target"].removeprefix("unix:")
                self.check_closed(job, socket)
                text = next(self.site.home("alice").glob(f"*-{job}.out")).read_text()
                self.assertIn(f"it is at http://127.0.0.1:9000/{route}/\n", text)
                self.site.run("alice@login", "scancel", job)
                self.wait_for_end("alice", job)
                # The job's own directory ends with it.
                directory = self.site.home("alice") / f".hpc-proxy/sessions/job-{job}"
                wait_until(lambda: not directory.exists(), "the end of its directory")

    def test_job_from_a_sessions_terminal_is_no_part_of_it(self):
        outer, directory = self.submit_session("vscode")
        page = self.page(outer, "/app/")
        variables = ",".join(f"{name}={page[name]}" for name in (
            "HPC_SESSION_ID", "HPC_SESSION_DIR", "HPC_PROXY_URL_TEMPLATE"))
        inner = self.submit_by_hand("vscode.sbatch",
                                    options=[f"--export=ALL,{variables},HPC_SESSION_JOB={outer}"])
        seen = self.page(inner, "/app/")
        self.assertIsNone(seen["HPC_SESSION_ID"])
        self.assertEqual(seen["HPC_SESSION_DIR"],
                         f"/mnt/home/alice/.hpc-proxy/sessions/job-{inner}")
        self.assertEqual(seen["HPC_PROXY_URL_TEMPLATE"], "/port/{port}/")
        # The first one still answers on the socket that it had.
        self.assertEqual(self.page(outer, "/app/")["pid"], page["pid"])
        self.assertTrue(stat.S_ISSOCK(os.lstat(directory / "ide.sock").st_mode))

    def test_plain_by_hand_needs_a_command(self):
        job = self.submit_by_hand("plain.sbatch")
        self.wait_for_end("alice", job)
        self.assertIn("usage: sbatch plain.sbatch COMMAND",
                      (self.site.home("alice") / f"hpc-proxy-{job}.out").read_text())


if __name__ == "__main__":
    unittest.main()
