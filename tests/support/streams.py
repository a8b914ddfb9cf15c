"""Gigabytes through a program while its memory and the age of small events are watched.

Wraps the programs stream_app and stream_client (tests/support/*.cc):

    start([tool("stream_client", directory), port, prefix, "chunked", total, EVENT_EVERY_MS])
    watch = Watch({"hpc-proxy": pid})     # watch.look() until the client has ended
    check(test, "chunked", total, what_it_printed, watch, {"hpc-proxy": kib})
"""

import atexit
import contextlib
import json
import os
import pathlib
import shutil

import harness

# Often enough for a thousand events in some seconds, and no load of their own.
EVENT_EVERY_MS = 5
# First byte of an event at the client, after the app sent it.
EVENT_AGE_MS_MAX = 50
# A machine that wakes an idle thread later than this is busy with something else.
QUIET_LATE_MS_MAX = 10
MIB_KIB = 1024


def go_first(pid=None):
    """What else this machine does is not what is measured: this program and what it starts go
    before it, or the session of the process `pid`. Needs root; without it figures are worse."""
    # Where the kernel shares out time by session first, being nice counts only inside of one.
    session = pathlib.Path(f"/proc/{pid or os.getpid()}/autogroup")
    with contextlib.suppress(OSError):
        if pid is None:
            os.nice(-10)
        niceness = session_niceness(session.read_text())
        if niceness is None:
            return
        if pid is None:
            atexit.register(session.write_text, niceness)
        session.write_text("-10")


def session_niceness(text):
    """The last word of /proc/PID/autogroup, or None: a process outside of any session's group has
    the file, with nothing in it."""
    words = text.split()
    return words[-1] if words else None


def total_bytes(default):
    """How much to stream: HPC_SOAK_BYTES makes it a quick look."""
    return int(os.environ.get("HPC_SOAK_BYTES") or default)


def tool(name, directory):
    """A copy of the program in `directory`: the build may be closed to other users."""
    built = pathlib.Path(os.environ.get("HPC_BUILD_DIR", "build/dev")) / "tests/support" / name
    copied = pathlib.Path(directory) / name
    shutil.copy(built, copied)
    copied.chmod(0o755)
    return copied


def start_app(test):
    """stream_app as the user of the harness's test; returns its port."""
    _, log = test.popen([tool("stream_app", test.base)])
    line = harness.wait_until(lambda: log.read_text().partition("\n")[1] and log.read_text(),
                              "stream_app listens")
    return int(line.split()[1])


def memory_kib(pid):
    """(resident now, largest so far) of a process."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    figures = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(figures["VmRSS"]), int(figures["VmHWM"])


class Watch:
    """Samples the resident memory of processes: {name: pid}."""

    def __init__(self, pids):
        self._pids = pids
        self.samples = 0
        self.highest_kib = dict.fromkeys(pids, 0)
        self.peak_kib = dict.fromkeys(pids, 0)

    def look(self):
        self.samples += 1
        for name, pid in self._pids.items():
            now, self.peak_kib[name] = memory_kib(pid)
            self.highest_kib[name] = max(self.highest_kib[name], now)


def check(test, kind, total, output, watch, limits_kib):
    """Holds the figures of one stream against the requirements, after printing them."""
    figures = json.loads(output)
    rate = figures["bytes"] / 1e6 / figures["seconds"]
    memory = ", ".join(f"{name} {watch.highest_kib[name]} KiB resident at most in "
                       f"{watch.samples} samples, peak {watch.peak_kib[name]} KiB"
                       for name in limits_kib)
    print(f"{kind}: {figures['bytes'] / 1e9:.1f} GB in {figures['seconds']:.1f} s "
          f"({rate:.0f} MB/s); {memory}; {figures['events']} events, age in ms: "
          f"median {figures['median_ms']:.2f}, p99 {figures['p99_ms']:.2f}, "
          f"max {figures['max_ms']:.2f}; the machine adds up to {figures['late_ms']:.2f} by itself",
          flush=True)
    test.assertEqual(figures["bytes"], total)
    test.assertGreater(figures["events"], 0)
    # One pause of a machine that does something else as well makes a few events late, not one in
    # a hundred; on a quiet one no event is.
    age = "max_ms" if figures["late_ms"] < QUIET_LATE_MS_MAX else "p99_ms"
    test.assertLess(figures[age], EVENT_AGE_MS_MAX, f"{age} of the events' ages")
    if os.environ.get("HPC_SANITIZED"):
        return  # most of the memory is the sanitizer's
    for name, limit in limits_kib.items():
        # The kernel counts both in batches, so either may be the larger.
        highest = max(watch.peak_kib[name], watch.highest_kib[name])
        test.assertLess(highest, limit, f"memory of {name}, KiB")


class EveryKind:
    """One test for each kind of stream, for a test case that has soak(kind)."""

    def test_server_sent_events(self):
        self.soak("sse")

    def test_chunked_download(self):
        self.soak("chunked")

    def test_web_socket_frames(self):
        self.soak("websocket")

    def test_upload(self):
        self.soak("upload")
