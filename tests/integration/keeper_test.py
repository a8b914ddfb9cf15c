"""The keeper: what COMMAND gets, its exit code, signals, and that nothing is left of it."""

import os
import pathlib
import resource
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import harness  # noqa: E402
from keeper_case import KeeperTestCase, status  # noqa: E402
from waiting import wait_until  # noqa: E402

# Ignores SIGTERM, in a session of its own, no child of anything but the keeper.
DAEMON = ("import os,signal\n"
          "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
          "if os.fork(): os._exit(0)\n"
          "os.setsid()\n"
          "if os.fork(): os._exit(0)\n"
          "open('daemon','w').close()\n"
          "signal.pause()\n")
# Says each signal that it gets, and once that it is there. No print(): a signal may come inside of
# one.
LISTENER = ("import os,signal,sys\n"
            "def got(number, _): os.write(1, b'%s\\n' % signal.Signals(number).name.encode())\n"
            "for name in 'HUP INT QUIT TERM USR1 USR2 WINCH'.split():\n"
            "    signal.signal(getattr(signal, 'SIG' + name), got)\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()\n")
PYTHON = "/usr/bin/python3"
# What comes to hpc-proxy and keeper within this time was sent once (DoubledSignals).
SAME_SIGNAL_SECONDS = 0.1


class ExitTest(KeeperTestCase):
    def test_exit_code_is_that_of_the_command(self):
        for code in (0, 1, 7, 126, 255):
            self.assertEqual(self.run_keeper("sh", "-c", f"exit {code}").returncode, code)

    def test_signal_that_ended_the_command_is_shown_as_a_shell_does(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            done = self.run_keeper("sh", "-c", f"ulimit -c 0; kill -{int(number)} $$")
            self.assertEqual(done.returncode, 128 + number)

    def test_program_that_is_not_there(self):
        done = self.run_keeper("no-such-program", "--port", "5500")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr, "hpc-proxy: no-such-program: not found in PATH; load its "
                         "module, or give its path\n")
        done = self.run_keeper("./not/there")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr, "hpc-proxy: ./not/there: there is no such file\n")

    def test_program_that_cannot_be_run(self):
        done = self.run_keeper("/etc/passwd")
        self.assertEqual(done.returncode, 126)
        self.assertEqual(done.stderr,
                         "hpc-proxy: /etc/passwd: cannot be run: Permission denied\n")
        script = self.base / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = self.run_keeper(str(script))
        self.assertEqual(done.returncode, 126)
        self.assertIn("the interpreter that", done.stderr)
        self.assertIn(str(script), done.stderr)

    def test_path_is_searched(self):
        (self.home / "first").mkdir()
        (self.home / "second").mkdir()
        for folder, mode in (("first", 0o644), ("second", 0o755)):
            program = self.home / folder / "hpc-keeper-sample"
            program.write_text("#!/bin/sh\nexit 9\n")
            program.chmod(mode)
        path = f"{self.home}/first:{self.home}/second:{os.environ['PATH']}"
        done = self.run_keeper("hpc-keeper-sample", env=self.environment(PATH=path))
        self.assertEqual(done.returncode, 9)

    def test_command_line_that_is_too_long_is_said(self):
        self.assertEqual(self.run_keeper("sh", "-c", "exit ${#1}", "sh", "a" * 100).returncode, 100)
        long = "a" * 120_000
        self.assertEqual(self.run_keeper("sh", "-c", "[ ${#1} = 120000 ]", "sh", long).returncode, 0)
        done = self.run_keeper("true", long, long)
        self.assertEqual(done.returncode, 1)
        self.assertIn("at most 163840", done.stderr)
        self.assert_nothing_left()


class InheritedTest(KeeperTestCase):
    def test_environment_is_ours_and_the_settings(self):
        done = self.run_keeper("env", options=("--set", "ADDED=a=b", "--set", "CHANGED=new"),
                               env=self.environment(CHANGED="old", KEPT="kept"))
        lines = done.stdout.splitlines()
        for line in ("ADDED=a=b", "CHANGED=new", "KEPT=kept"):
            self.assertEqual(lines.count(line), 1, line)
        self.assertNotIn("CHANGED=old", lines)

    def test_limit_of_descriptors_is_the_callers(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        done = self.run_keeper(
            "sh", "-c", "ulimit -Sn; ulimit -Hn",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (333, hard)))
        self.assertEqual(done.stdout.split(), ["333", str(hard)])

    def test_signals_are_ignored_and_blocked_as_the_caller_did(self):
        def unusual():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGCHLD, signal.SIGUSR1])

        done = self.run_keeper("sh", "-c", "exit 5", preexec_fn=unusual)
        self.assertEqual(done.returncode, 5, "SIGCHLD was ignored, and nothing was lost by that")
        # No shell: that has ideas of its own about SIGCHLD.
        done = self.run_keeper("grep", "Sig", "/proc/self/status", preexec_fn=unusual)
        masks = dict(line.split(":\t") for line in done.stdout.splitlines())
        self.assertEqual(set_of(masks["SigIgn"]), {signal.SIGCHLD, signal.SIGHUP})
        self.assertEqual(set_of(masks["SigBlk"]), {signal.SIGCHLD, signal.SIGUSR1})

    def test_signals_are_default_when_they_were(self):
        done = self.run_keeper("grep", "Sig", "/proc/self/status", restore_signals=True)
        masks = dict(line.split(":\t") for line in done.stdout.splitlines())
        self.assertEqual(set_of(masks["SigIgn"]), set())
        self.assertEqual(set_of(masks["SigBlk"]), set())

    def test_descriptors_of_the_caller_reach_the_command_only(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        run = self.start_keeper("sh", "-c", f"echo through the pipe >&{writing}; "
                                "ls /proc/self/fd | tr '\\n' ' '; echo; exec sleep 1000",
                                pass_fds=(writing,))
        os.close(writing)
        self.assertEqual(os.read(reading, 100), b"through the pipe\n")
        # ls has its own on /proc/self/fd; --ready-fd, which is closed on exec, is not there.
        self.assertEqual([int(fd) for fd in run.line().split()][:3], [0, 1, 2])
        # The channel and the signals, which the command does not have.
        links = [os.readlink(link) for link in pathlib.Path(f"/proc/{run.keeper}/fd").iterdir()]
        self.assertEqual(len(links), 5, links)
        self.assertNotIn(f"pipe:[{os.fstat(reading).st_ino}]", links)
        names = {link.split(":")[0] for link in links}
        self.assertIn("socket", names)
        os.kill(run.proxy, signal.SIGTERM)
        self.assertEqual(run.wait(), 143)

    def test_many_descriptors(self):
        many = [os.open("/dev/null", os.O_RDONLY) for _ in range(500)]
        for fd in many:
            self.addCleanup(os.close, fd)
        done = self.run_keeper("sh", "-c", "ls /proc/self/fd | wc -l", pass_fds=tuple(many))
        self.assertEqual(int(done.stdout), 504)

    def test_closed_standard_descriptors(self):
        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)

        for command, code in (("readlink /proc/self/fd/2 >&2; exit 6", 6), ("echo lost", 0)):
            done = self.run_keeper("sh", "-c", command, capture_output=False, stdin=None,
                                   preexec_fn=close_all)
            self.assertEqual(done.returncode, code)
        script = ("import os\nlinks = [os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2)]\n"
                  "open('links', 'w').write(' '.join(links))")
        self.run_keeper(PYTHON, "-c", script, capture_output=False, stdin=None,
                        preexec_fn=close_all)
        self.assertEqual((self.home / "links").read_text(), "/dev/null /dev/null /dev/null")

    def test_keeper_is_what_it_is_called(self):
        run = self.start_keeper("sleep", "1000")
        self.assertEqual(status(run.keeper, "Name"), "hpc-keeper")
        self.assertEqual(status(run.keeper, "PPid"), str(run.proxy))
        command = self.pid_of("sleep", "1000")
        self.assertEqual(status(command, "PPid"), str(run.keeper))
        self.assertEqual(os.getpgid(command), os.getpgid(run.proxy))
        self.assertEqual(os.getpgid(run.keeper), os.getpgid(run.proxy))
        os.kill(run.proxy, signal.SIGTERM)
        run.wait()


class SignalTest(KeeperTestCase):
    def listener(self):
        run = self.start_keeper(PYTHON, "-c", LISTENER)
        self.assertEqual(run.line(), "ready")
        return run

    def test_each_that_is_sent_to_hpc_proxy_or_keeper_is_passed_on(self):
        for who in ("proxy", "keeper"):
            run = self.listener()
            for name in ("HUP", "INT", "QUIT", "TERM", "USR2"):
                os.kill(getattr(run, who), getattr(signal, "SIG" + name))
                self.assertEqual(run.line(), "SIG" + name)

    def test_walltime_warning_is_for_hpc_proxy(self):
        run = self.listener()
        os.kill(run.keeper, signal.SIGUSR1)
        os.kill(run.keeper, signal.SIGHUP)
        self.assertEqual(run.line(), "SIGHUP", "and no SIGUSR1 before it")

    def test_one_to_both_is_passed_on_once(self):
        for first, second, mark in (("proxy", "keeper", signal.SIGUSR2),
                                    ("keeper", "proxy", signal.SIGTERM)):
            wait_until(lambda: self.was_one_sending(first, second, mark), "two that were one")

    def was_one_sending(self, first, second, mark):
        """None when this machine was too slow: then two signals were two sendings."""
        run = self.listener()
        began = time.monotonic()
        os.kill(getattr(run, first), signal.SIGINT)
        # COMMAND has it: two that it did not see yet would be one for it.
        self.assertEqual(run.line(), "SIGINT")
        os.kill(getattr(run, second), signal.SIGINT)
        # Of two that wait the one of the lower number comes first, so this one is the last.
        os.kill(getattr(run, second), mark)
        lines = list(iter(run.line, mark.name))
        if time.monotonic() - began >= SAME_SIGNAL_SECONDS:
            return None
        self.assertEqual(lines, [])
        return True

    def test_command_does_not_get_back_what_it_sends_to_all(self):
        run = self.start_keeper(PYTHON, "-c", LISTENER.replace(
            "while True", "import os\nos.kill(0, signal.SIGTERM)\nwhile True"))
        self.assertEqual([run.line(), run.line()], ["ready", "SIGTERM"])
        os.kill(run.proxy, signal.SIGHUP)
        self.assertEqual(run.line(), "SIGHUP", "and no second SIGTERM before it")

    def test_command_that_ends_by_it_ends_all(self):
        run = self.start_keeper("sleep", "1000")
        self.pid_of("sleep", "1000")
        os.kill(run.proxy, signal.SIGINT)
        self.assertEqual(run.wait(), 130)
        self.assert_nothing_left()


class NothingLeftTest(KeeperTestCase):
    def setUp(self):
        super().setUp()
        self.run_dir = self.home / "run"
        self.run_dir.mkdir(mode=0o700)
        (self.run_dir / "libsample.so").write_text("sample")
        for path in (self.run_dir, self.run_dir / "libsample.so"):
            os.chown(path, harness.USER_UID if harness.IS_ROOT else -1, -1)
        self.options = ("--run-dir", self.run_dir)

    def with_daemon(self, then, *more):
        """A COMMAND that has left a daemon."""
        run = self.start_keeper("sh", "-c", f"{PYTHON} -c \"$0\"; {then}", DAEMON,
                                options=(*self.options, *more))
        wait_until((self.home / "daemon").exists, "the daemon is there")
        return run

    def test_daemon_of_the_command_ends_with_it(self):
        run = self.with_daemon("exit 3")
        self.assertEqual(run.wait(), 3)
        self.assert_nothing_left()
        self.assertFalse(self.run_dir.exists())

    def test_what_is_left_may_tidy_up(self):
        tidy = "trap 'echo tidy >tidied; exit' TERM; echo >there; while :; do read _; done <pipe"
        os.mkfifo(self.home / "pipe", 0o666)
        writing = os.open(self.home / "pipe", os.O_RDWR)
        self.addCleanup(os.close, writing)
        done = self.run_keeper(
            "sh", "-c", f"sh -c \"$0\" & until [ -e there ]; do :; done; exit 4", tidy)
        self.assertEqual(done.returncode, 4)
        self.assertEqual((self.home / "tidied").read_text(), "tidy\n")
        self.assert_nothing_left()

    def test_stopped_processes_end_too(self):
        done = self.run_keeper("sh", "-c", "sleep 1000 & kill -STOP $!; exit 4")
        self.assertEqual(done.returncode, 4)
        self.assert_nothing_left()

    def test_process_that_runs_away_by_forking_is_caught(self):
        runaway = DAEMON.replace("signal.pause()", "while True:\n if os.fork(): os._exit(0)")
        done = self.run_keeper(PYTHON, "-c", runaway)
        self.assertEqual(done.returncode, 0)
        self.assert_nothing_left()

    def test_end_asks_first_and_kills_then(self):
        command = ("trap 'echo asked >asked' TERM; echo >there; "
                   "while :; do sleep 1000 & wait $!; done")
        run = self.start_keeper("sh", "-c", command, options=("--end-after", "300"))
        self.assertEqual(run.wait(), 137)
        self.assertEqual((self.home / "asked").read_text(), "asked\n")
        self.assert_nothing_left()

    def test_killed_hpc_proxy(self):
        run = self.with_daemon("sleep 1000")
        os.kill(run.proxy, signal.SIGKILL)
        self.wait_until_nothing_is_left()
        self.assertFalse(self.run_dir.exists())

    def test_killed_keeper(self):
        run = self.with_daemon("sleep 1000")
        os.kill(run.keeper, signal.SIGKILL)
        self.assertEqual(run.wait(), 137)
        self.assert_nothing_left()
        self.assertFalse(self.run_dir.exists())

    def test_killed_command(self):
        run = self.with_daemon("exec sleep 1000")
        os.kill(self.pid_of("sleep", "1000"), signal.SIGKILL)
        self.assertEqual(run.wait(), 137)
        self.assert_nothing_left()

    def test_both_killed_at_once(self):
        run = self.start_keeper("sleep", "1000")
        self.pid_of("sleep", "1000")
        # Stopped, neither sees the other's end.
        for pid in (run.proxy, run.keeper):
            os.kill(pid, signal.SIGSTOP)
        for pid in (run.proxy, run.keeper):
            os.kill(pid, signal.SIGKILL)
        self.wait_until_nothing_is_left()

    def test_stopped_hpc_proxy_that_is_killed(self):
        run = self.with_daemon("sleep 1000")
        os.kill(run.proxy, signal.SIGSTOP)
        os.kill(run.proxy, signal.SIGKILL)
        self.wait_until_nothing_is_left()


def set_of(mask):
    bits = int(mask, 16)
    return {number for number in range(1, 32) if bits >> (number - 1) & 1}


if __name__ == "__main__":
    harness.main()
