"""Programs of a benchmark: started on a processor of their own, watched, and ended by their pid."""

import contextlib
import os
import pathlib
import resource
import select
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 20
MIB = 1024 * 1024
FILES_WANTED = 20000


class CannotRun(Exception):
    """This machine cannot run the benchmark; the text says why, for its row."""


def cores():
    """(of the load and the app, of what is measured); the same one where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


LOAD_CORE, PROXY_CORE = cores()


def build_directory():
    return pathlib.Path(os.environ.get("HPC_BUILD_DIR") or ROOT / "build/release")


def our_program(path):
    program = build_directory() / path
    if not program.is_file():
        raise CannotRun(f"{program} is not built")
    return str(program)


def many_files():
    """Thousands of connections at once, for this process and its children."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # root may have more than it was given
        most = max(most, FILES_WANTED)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def processor_seconds(*pids):
    """Of all threads of these processes so far, also of threads that have ended."""
    # The clock of another process, CPUCLOCK_SCHED of clock_getcpuclockid(3): nanoseconds, where
    # /proc/PID/stat has ticks of 10 ms.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def children(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(word) for word in words]


def private_kib(pid):
    """Memory that would be free without this process."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.01)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    """Starts programs; ends them all at the end of the `with`. `directory`: for their files."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._started):
            self.end(process)

    def start(self, command, core=LOAD_CORE, **options):
        """What it says on stderr is in a log. `core`: where it and its children run."""
        log = self.directory / f"{len(self._started)}-{pathlib.Path(command[0]).name}.log"
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        with open(log, "wb") as stderr:
            process = subprocess.Popen([str(word) for word in command], stderr=stderr,
                                       preexec_fn=lambda: os.sched_setaffinity(0, {core}),
                                       **options)
        process.log = log
        self._started.append(process)
        return process

    def start_listening(self, command, port, core=LOAD_CORE, **options):
        """The same, and waits until the port takes connections."""
        process = self.start(command, core, **options)
        wait_until(lambda: listens(port) or process.poll() is not None, f"{command[0]} listens")
        if process.poll() is not None:
            raise AssertionError(f"{command[0]} ended:\n{process.log.read_text()[-2000:]}")
        return process

    def end(self, process):
        if process.stdout:
            process.stdout.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    for child in children(process.pid):
                        os.kill(child, 9)
                process.kill()
                process.wait()
        if process in self._started:
            self._started.remove(process)

    def start_app(self):
        """bench_app on the core of the load; its port."""
        process = self.start([our_program("tests/bench/bench_app")], stdout=subprocess.PIPE)
        return int(first_line(process).split()[1])


def first_line(process, seconds=60):
    """The first line that the process prints on stdout."""
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline().decode() if ready else ""
    if not line:
        raise AssertionError(f"{process.args[0]} printed nothing:\n"
                             f"{process.log.read_text()[-2000:]}")
    return line


def run_load(command, seconds=120):
    """Runs a program of the load to its end; what it printed."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=seconds, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}))
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: exit {done.returncode}\n{done.stdout[-500:]}"
                             f"{done.stderr[-500:]}")
    return done.stdout


def say(*words):
    print(*words, file=sys.stderr, flush=True)
