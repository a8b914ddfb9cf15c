#!/usr/bin/python3
"""hpc-proxy.sh and plain.sbatch without SLURM: which hpc-proxy they start, and what they pass on.
hpc-proxy is played by tests/support/fake_run.py; tests/cluster has the real one."""

import os
import pathlib
import shutil
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import harness  # noqa: E402
from waiting import wait_until  # noqa: E402

SCRIPT = '. "$HPC_PROXY_SCRIPTS/hpc-proxy.sh" || exit\nhpc_run "$@"\n'
DAEMON = "--daemon\nenv\n"
# Says that it runs, and at SIGTERM that it has saved.
PATIENT = ('trap "echo saved >>$HOME/said; exit 7" TERM; echo runs >>"$HOME/said"; '
           'tail -f /dev/null & wait; wait')


class JobScriptsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "tests/support/fake_run.py", self.program)
        self.scripts = self.base / "scripts"
        shutil.copytree(ROOT / "slurm-scripts", self.scripts)
        for path in (self.scripts, *self.scripts.iterdir()):
            path.chmod(0o755)

    def job(self, *words, script=SCRIPT, **variables):
        """bash with the script, as SLURM's batch shell has it: (process, log)."""
        path = self.base / "job"
        path.write_text(script)
        path.chmod(0o755)
        variables = {"PATH": f"{self.base}:/usr/bin:/bin", "HPC_PROXY_SCRIPTS": str(self.scripts),
                     "SLURM_JOB_ID": "77", **variables}
        process, log = self.popen(["bash", path, *words], variables=variables,
                                  start_new_session=True)
        self.addCleanup(self.end_group, process.pid)
        return process, log

    @staticmethod
    def end_group(group):
        """Whatever the script has left; here nobody is there to end that."""
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def ended(self, *words, **options):
        """(exit status, what it wrote)."""
        process, log = self.job(*words, **options)
        return process.wait(harness.PATIENCE_SECONDS), log.read_text()

    def said(self):
        path = self.home / "said"
        return path.read_text() if path.exists() else ""

    def wait_for(self, text):
        wait_until(lambda: text in self.said(), text)

    def setup(self, text):
        directory = self.home / ".hpc-proxy"
        directory.mkdir()
        (directory / "setup.sh").write_text(text)
        if harness.IS_ROOT:
            os.chown(directory, harness.USER_UID, harness.USER_UID)

    # ------------------------------------------------------------------------ which way
    def test_ports_are_everybodys_unless_asked_for(self):
        for variables in ({}, {"HPC_PROXY_PRIVATE": "off"}, {"HPC_PROXY_PRIVATE": ""}):
            with self.subTest(variables):
                (self.home / "said").unlink(missing_ok=True)
                self.assertEqual(self.ended("sh", "-c", "echo $HPC_PROXY_PORT", **variables),
                                 (0, "41234\n"))
                self.assertEqual(self.said(), DAEMON)

    def test_each_mode_is_that_of_run(self):
        for mode in ("loopback", "netns", "auto"):
            with self.subTest(mode):
                (self.home / "said").unlink(missing_ok=True)
                status, text = self.ended("sh", "-c", "echo $VSCODE_PROXY_URI $HPC_PROXY_PORT",
                                          HPC_PROXY_PRIVATE=mode, HPC_PROXY_PORT="1",
                                          HPC_PROXY_URL_TEMPLATE="https://h/user/a/c/i/port/{port}/")
                # The port is what `run` says to its command, never an older one.
                self.assertEqual((status, text), (0, "https://h/user/a/c/i/port/{{port}}/\n"))
                self.assertEqual(self.said(), f"run --private {mode} --ready-fd N\n")

    def test_other_words_are_refused(self):
        status, text = self.ended("true", HPC_PROXY_PRIVATE="yes")
        self.assertEqual(status, 1)
        self.assertIn("HPC_PROXY_PRIVATE is 'yes'; it can be off, loopback, netns or auto", text)
        self.assertEqual(self.said(), "")

    def test_old_hpc_proxy_is_no_way_to_share_ports_after_all(self):
        status, text = self.ended("sh", "-c", "echo started", HPC_PROXY_PRIVATE="loopback",
                                  FAKE_OLD="1")
        self.assertEqual(status, 1)
        self.assertIn("too old for that; install a newer one, or set HPC_PROXY_PRIVATE=off", text)
        self.assertNotIn("started", text)
        self.assertEqual(self.said(), "")

    def test_site_has_a_default_of_its_own(self):
        script = self.scripts / "hpc-proxy.sh"
        text = script.read_text()
        self.assertIn('\n: "${hpc_private_default:=off}"\n', text)
        script.write_text(text.replace("hpc_private_default:=off", "hpc_private_default:=auto"))
        self.assertEqual(self.ended("true")[0], 0)
        self.assertEqual(self.said(), "run --private auto --ready-fd N\n")
        (self.home / "said").unlink()
        self.setup("HPC_PROXY_PRIVATE=netns\n")
        self.assertEqual(self.ended("true")[0], 0)
        self.assertEqual(self.said(), "run --private netns --ready-fd N\n")

    def test_template_has_a_default_of_its_own(self):
        script = "hpc_private_default=loopback\n" + SCRIPT
        self.assertEqual(self.ended("true", script=script)[0], 0)
        self.assertEqual(self.said(), "run --private loopback --ready-fd N\n")
        (self.home / "said").unlink()
        self.assertEqual(self.ended("true", script=script, HPC_PROXY_PRIVATE="off")[0], 0)
        self.assertEqual(self.said(), DAEMON)

    def test_setup_can_leave_the_last_word_to_the_job(self):
        self.setup("HPC_PROXY_PRIVATE=${HPC_PROXY_PRIVATE:-netns}\n")
        self.assertEqual(self.ended("true", HPC_PROXY_PRIVATE="off")[0], 0)
        self.assertEqual(self.said(), DAEMON)

    def test_ide_is_named_as_without(self):
        script = "hpc_ide=absapp\n" + SCRIPT
        ide = ("import os, socket; s = socket.socket(socket.AF_UNIX); "
               "s.bind(os.environ['HPC_IDE_SOCKET'])")
        exported = script.replace("hpc_run", "export HPC_IDE_SOCKET\nhpc_run")
        status, text = self.ended("python3", "-c", ide, script=exported,
                                  HPC_PROXY_PRIVATE="loopback")
        self.assertEqual(status, 0, text)
        self.assertEqual(self.said(), "run --private loopback --ready-fd N --app "
                                      f"unix:{self.home}/.hpc-proxy/sessions/job-77/ide.sock "
                                      "--keep-prefix\n")
        self.assertIn("python3 listens; it is at http://127.0.0.1:9000/absapp/\n", text)
        self.assertFalse((self.home / ".hpc-proxy/sessions/job-77").exists())

    def test_plain_with_nothing_to_run_keeps_the_nodes_ports(self):
        script = (self.scripts / "plain.sbatch").read_text()
        process, log = self.job(script=script, HPC_PROXY_PRIVATE="loopback", HPC_SESSION_ID="1")
        wait_until(lambda: "not ports of its own" in log.read_text(), "the words")
        self.assertEqual(self.said(), DAEMON)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 128 + signal.SIGTERM)

    def test_plain_runs_its_command_inside(self):
        script = (self.scripts / "plain.sbatch").read_text()
        self.assertEqual(self.ended("echo", "a  b", "", script=script,
                                    HPC_PROXY_PRIVATE="loopback"), (0, "a  b \n"))
        self.assertEqual(self.said(), "run --private loopback --ready-fd N\n")

    def test_job_submitted_from_a_run_has_no_ports_of_that(self):
        show = 'printf "%s\\n" "$LD_PRELOAD" "${HPC_PROXY_RUN-no}" "${HPC_PORTS_ADDRESS-no}"'
        run = {"HPC_PORTS_ADDRESS": "127.64.1.4", "HPC_PORTS_SHARED": "80"}
        for name, preload, shown in (
                ("76-c1-9", "/gone/libhpc_ports.so:libm.so.6 libdl.so.2",
                 "libm.so.6:libdl.so.2\nno\nno\n"),
                ("76-c1-9", "/gone/libhpc_ports.so", "\nno\nno\n"),
                ("c1-9", "", "\nno\nno\n"),
                # It is this job's.
                ("77-c1-9", "libm.so.6", "libm.so.6\n77-c1-9\n127.64.1.4\n")):
            with self.subTest(name=name, preload=preload):
                _, text = self.ended("bash", "-c", show, HPC_PROXY_RUN=name, LD_PRELOAD=preload,
                                     **run)
                # The loader complains of a library that is gone.
                lines = [line for line in text.splitlines(True) if "ld.so" not in line]
                self.assertEqual("".join(lines), shown)

    # ------------------------------------------------------------------------ what is passed on
    def test_exit_status_is_the_commands(self):
        for code in (0, 2, 3):
            status, text = self.ended("sh", "-c", f"exit {code}", HPC_PROXY_PRIVATE="loopback")
            self.assertEqual(status, code)
            self.assertEqual("sh ended with status" in text, code != 0, text)

    def test_hpc_proxy_that_cannot_start_ends_the_job(self):
        status, text = self.ended("sh", "-c", "echo started", HPC_PROXY_PRIVATE="netns",
                                  FAKE_BROKEN="1")
        self.assertEqual(status, 1)
        self.assertNotIn("started", text)

    def test_term_reaches_the_command_and_is_waited_for(self):
        process, _ = self.job("sh", "-c", PATIENT, HPC_PROXY_PRIVATE="loopback")
        self.wait_for("runs\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 7)
        self.assertIn("saved\n", self.said())

    def test_walltime_warning_goes_to_hpc_proxy(self):
        process, log = self.job("sh", "-c", PATIENT, HPC_PROXY_PRIVATE="loopback")
        self.wait_for("runs\n")
        wait_until(lambda: not self.descriptors(process), "the end of the wait for hpc-proxy")
        process.send_signal(signal.SIGUSR1)
        self.wait_for("USR1\n")
        self.assertIn("reaches its time limit soon", log.read_text())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 7)

    def test_early_warning_waits_until_hpc_proxy_listens(self):
        process, log = self.job("sh", "-c", PATIENT, HPC_PROXY_PRIVATE="loopback", FAKE_SLOW="1")
        self.wait_for("run ")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "reaches its time limit soon" in log.read_text(), "the words")
        self.assertNotIn("USR1", self.said())
        (self.home / "go").touch()
        self.wait_for("USR1\n")
        self.wait_for("runs\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 7)

    def descriptors(self, process):
        """Pipes that the shell has open."""
        links = []
        for path in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                links.append(os.readlink(path))
            except FileNotFoundError:
                pass
        return [link for link in links if link.startswith("pipe:")]

    def test_the_command_inherits_no_descriptor(self):
        _, text = self.ended("ls", "/proc/self/fd", HPC_PROXY_PRIVATE="loopback")
        # 3 is the directory that ls reads.
        self.assertEqual(text.split(), ["0", "1", "2", "3"])


if __name__ == "__main__":
    harness.main()
