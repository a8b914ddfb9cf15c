"""A program on a terminal of its own (a pty), as a person sits before it.

    with terminal.Terminal(["bash", "--norc", "-i"]) as screen:
        screen.expect("$ ")
        screen.type("sleep 100\\n")
        screen.type(terminal.CTRL_Z)
        screen.expect("Stopped")
"""

import os
import pty
import select
import signal
import time

from waiting import PATIENCE_SECONDS, wait_until

CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_Z = "\x1a"
CTRL_BACKSLASH = "\x1c"


class Terminal:
    def __init__(self, command, environment=None):
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], command, environment or os.environ)
            finally:
                os._exit(127)
        self.text = ""
        self._seen = 0
        self._status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hangs up, and ends the program if that did not."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            wait_until(self._reaped, "a killed program is gone")

    def type(self, text):
        os.write(self._fd, text.encode())

    def expect(self, *texts):
        """Waits until they have come, in this order, behind what was expected before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        for text in texts:
            while (at := self.text.find(text, self._seen)) < 0:
                assert self._read(deadline), f"no {text!r} on the screen:\n{self.text}"
            self._seen = at + len(text)

    def exit_code(self):
        """Waits for the end; 128 + the signal for a program that one has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(deadline):
            pass
        wait_until(self._reaped, f"the program ends; on its screen:\n{self.text}")
        code = os.waitstatus_to_exitcode(self._status)
        return code if code >= 0 else 128 - code

    def foreground(self):
        """The process group that has the terminal."""
        return os.tcgetpgrp(self._fd)

    def _reaped(self):
        pid, self._status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.pid = 0
        return pid

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._fd], [], [], left)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # nobody has the other end open any more
            return False
        self.text += data.decode(errors="replace")
        return bool(data)
