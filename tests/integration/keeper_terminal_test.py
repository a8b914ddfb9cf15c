"""The keeper on a terminal: Ctrl-C, Ctrl-\\, Ctrl-Z, fg, bg, and shells inside of shells."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import harness  # noqa: E402
from keeper_case import KeeperTestCase, state  # noqa: E402
from terminal import CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_Z, Terminal  # noqa: E402
from waiting import wait_until  # noqa: E402

PYTHON = "/usr/bin/python3"
# Says each signal that it gets; ends after the third. No print(): a signal may come inside of one.
LISTENER = ("import os,signal,sys\n"
            "seen = []\n"
            "def got(number, _):\n"
            "    os.write(1, b'got %s\\n' % signal.Signals(number).name.encode())\n"
            "    seen.append(number)\n"
            "    if len(seen) == 3: sys.exit(8)\n"
            "for name in ('INT', 'QUIT', 'HUP'): signal.signal(getattr(signal, 'SIG' + name), got)\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()\n")


class KeeperTerminalTest(KeeperTestCase):
    def terminal(self, command):
        screen = Terminal([str(word) for word in command],
                          self.environment(PS1="outer> ", TERM="dumb", HISTFILE="/dev/null"))
        self.addCleanup(screen.close)
        return screen

    def shell(self):
        """A shell with job control, as the tests' user."""
        screen = self.terminal(harness.as_user(harness.USER_UID, ["bash", "--norc", "-i"]))
        screen.expect("outer> ")
        return screen

    def inner(self, screen):
        """Another one, inside of keeper_run inside of it."""
        screen.type(f"PS1='inner> ' {self.driver} -- bash --norc -i\n")
        screen.expect("-i\r\n", "inner> ")

    def run_line(self, *words):
        return " ".join(map(str, (self.driver, "--", *words))) + "\n"

    def group_of(self, *words):
        return os.getpgid(self.pid_of(*words))

    def test_keys_reach_the_command_once(self):
        screen = self.terminal(self.words([PYTHON, "-c", LISTENER]))
        screen.expect("ready")
        for key, name in ((CTRL_C, "SIGINT"), (CTRL_BACKSLASH, "SIGQUIT"), (CTRL_C, "SIGINT")):
            screen.type(key)
            screen.expect("got " + name)
        self.assertEqual(screen.exit_code(), 8)
        self.assertEqual(screen.text.count("got"), 3)

    def test_ctrl_c_ends_a_command_that_lets_it(self):
        screen = self.terminal(self.words(["sh", "-c", "echo ready; exec sleep 1000"]))
        screen.expect("ready")
        screen.type(CTRL_C)
        self.assertEqual(screen.exit_code(), 130)
        self.assert_nothing_left()

    def test_hang_up_ends_all(self):
        screen = self.terminal(self.words(["sh", "-c", "echo ready; exec sleep 1000"]))
        screen.expect("ready")
        pid, screen.pid = screen.pid, 0
        screen.close()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 129)
        self.assert_nothing_left()

    def test_ctrl_z_stops_and_fg_goes_on(self):
        screen = self.shell()
        screen.type(self.run_line("cat"))
        group = self.group_of("cat")
        wait_until(lambda: screen.foreground() == group, "cat has the terminal")
        for word in ("one", "two"):
            screen.type(CTRL_Z)
            screen.expect("Stopped", "outer> ")
            self.assertEqual(state(self.pid_of("cat")), "T")
            screen.type("fg\n")
            screen.expect("-- cat\r\n")
            screen.type(word + "\n")
            screen.expect(f"{word}\r\n{word}\r\n")
        screen.type(CTRL_D)
        screen.expect("outer> ")

    def test_ctrl_z_and_bg_go_on_in_the_background(self):
        screen = self.shell()
        screen.type(self.run_line("sleep", "1000"))
        group = self.group_of("sleep", "1000")
        wait_until(lambda: screen.foreground() == group, "sleep has the terminal")
        screen.type(CTRL_Z)
        screen.expect("Stopped", "outer> ")
        screen.type("bg\n")
        screen.expect("outer> ")
        wait_until(lambda: state(self.pid_of("sleep", "1000")) == "S", "sleep goes on")
        proxy = os.getpgid(self.pid_of("sleep", "1000"))
        wait_until(lambda: state(proxy) == "S", "hpc-proxy goes on")
        self.assertNotEqual(screen.foreground(), group)
        screen.type("kill %1; wait %1; echo code=$?\n")
        screen.expect("code=143\r\n")

    def test_background_takes_no_terminal(self):
        screen = self.shell()
        shell = screen.foreground()
        screen.type(self.run_line("cat").rstrip() + " &\n")
        wait_until(lambda: state(self.pid_of("cat")) == "T", "cat wants to read and is stopped")
        wait_until(lambda: state(self.group_of("cat")) == "T", "hpc-proxy is stopped")
        self.assertEqual(screen.foreground(), shell)
        screen.type("\n")
        screen.expect("Stopped", "outer> ")
        screen.type("fg\n")
        screen.expect("-- cat\r\n")
        screen.type("hello\n")
        screen.expect("hello\r\nhello\r\n")
        screen.type(CTRL_D)
        screen.expect("outer> ")
        screen.type("echo code=$?\n")
        screen.expect("code=0\r\n")

    def test_shell_inside_has_job_control(self):
        screen = self.shell()
        self.inner(screen)
        screen.type(CTRL_C)
        screen.type("\n")  # a shell that has just shown its prompt may not show it again
        screen.expect("inner> ")
        screen.type("sleep 1001\n")
        self.pid_of("sleep 1001")
        wait_until(lambda: screen.foreground() == self.group_of("sleep 1001"), "it has the terminal")
        screen.type(CTRL_C)
        screen.expect("inner> ")
        self.assertNotIn("outer> ", screen.text[len("outer> "):])
        screen.type("sleep 1002\n")
        wait_until(lambda: screen.foreground() == self.group_of("sleep 1002"), "it has the terminal")
        screen.type(CTRL_Z)
        screen.expect("Stopped", "inner> ")
        screen.type("exit 9\n")
        screen.expect("There are stopped jobs", "inner> ")
        screen.type("exit 9\n")
        screen.expect("outer> ")
        screen.type("echo code=$?\n")
        screen.expect("code=9\r\n")

    def test_suspended_shell_gives_the_terminal_back(self):
        screen = self.shell()
        self.inner(screen)
        for _ in range(2):
            screen.type("suspend\n")
            screen.expect("Stopped", "outer> ")
            screen.type("fg\n")
            screen.expect("bash --norc -i\r\n")
            screen.type("\n")
            screen.expect("inner> ")
        screen.type("exit 6\n")
        screen.expect("outer> ")
        screen.type("echo code=$?\n")
        screen.expect("code=6\r\n")

    def test_own_group_that_stops_gets_the_terminal_again(self):
        # Unlike a shell, it does not take care of the terminal itself.
        program = ("import os,signal,sys\nsignal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
                   "os.setpgid(0, 0); os.tcsetpgrp(0, os.getpid())\n"
                   "print('stops', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\n"
                   "print('has it', os.tcgetpgrp(0) == os.getpid(), flush=True)\n"
                   "print('read', sys.stdin.readline(), flush=True)\n")
        script = self.base / "own_group.py"
        script.write_text(program)
        screen = self.shell()
        screen.type(self.run_line(PYTHON, script))
        screen.expect("stops", "Stopped", "outer> ")
        screen.type("fg\n")
        screen.expect("has it True")
        screen.type("word\n")
        screen.expect("read word", "outer> ")

    def test_stopped_job_that_is_killed_ends(self):
        screen = self.shell()
        screen.type(self.run_line("sleep", "1000"))
        group = self.group_of("sleep", "1000")
        wait_until(lambda: screen.foreground() == group, "sleep has the terminal")
        screen.type(CTRL_Z)
        screen.expect("Stopped", "outer> ")
        # Only the command, so that nothing lets hpc-proxy go on but its keeper.
        os.kill(self.pid_of("sleep", "1000"), signal.SIGKILL)
        wait_until(lambda: not state(group), "hpc-proxy has ended")
        screen.type("wait %1; echo code=$?\n")
        screen.expect("code=137\r\n")

    def test_without_a_terminal_hpc_proxy_does_not_stop(self):
        run = self.start_keeper("sleep", "1000")
        command = self.pid_of("sleep", "1000")
        os.kill(command, signal.SIGSTOP)
        wait_until(lambda: state(command) == "T", "it is stopped")
        os.kill(run.proxy, signal.SIGTERM)
        os.kill(command, signal.SIGCONT)
        self.assertEqual(run.wait(), 143)


if __name__ == "__main__":
    harness.main()
