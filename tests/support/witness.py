"""Whether this machine let a process of our priority run, and write, when it wanted to.

    witness = Witness(directory)       # starts a process on each processor
    witness.longest_pause_ms()         # the longest since the last call, in ms
    witness.close()

Each process wants to run every few milliseconds and notes by how much it came too late. A machine
that pauses (its own host is busy, it was asleep) or that runs what goes before us is seen here; a
program of ours that blocks is not, as long as it does not keep every processor busy. Each also
appends a few bytes to a file in `directory`, as a log does, so that a pausing disk is seen, too.
"""

import os
import select
import subprocess
import sys
import tempfile
import time

PERIOD_SECONDS = 0.005
LINE = b"as long as a line of a log is, which says who asked for what and when, and how it went\n"


class Witness:
    """close() must be called. Its processes have the priority of whoever starts it."""

    def __init__(self, directory):
        self._processes = [
            subprocess.Popen([sys.executable, __file__, str(processor), str(directory)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            for processor in sorted(os.sched_getaffinity(0))]
        self.longest_pause_ms()  # all run, and Python has loaded what it needs

    def longest_pause_ms(self):
        for process in self._processes:
            process.stdin.write("\n")
            process.stdin.flush()
        return max(float(process.stdout.readline()) for process in self._processes)

    def close(self):
        for process in self._processes:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()


def watch(processor, file):
    os.sched_setaffinity(0, {processor})
    longest = 0
    while True:
        began = time.monotonic()
        asked, _, _ = select.select([sys.stdin], [], [], PERIOD_SECONDS)
        file.write(LINE)
        longest = max(longest, time.monotonic() - began - PERIOD_SECONDS)
        if not asked:
            continue
        if not sys.stdin.readline():
            return
        print(f"{longest * 1000:.3f}", flush=True)
        longest = 0


if __name__ == "__main__":
    with tempfile.TemporaryFile(dir=sys.argv[2], buffering=0) as beside_the_log:
        watch(int(sys.argv[1]), beside_the_log)
