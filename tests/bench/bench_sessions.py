"""Many sessions: `hpc-manager serve` with 1 to 500 of them, beside one `ssh -N -L` for each, to the
same sshd on a site of its own (tests/support/site.sh)."""

import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import bench_growth
import bench_path
import bench_peers
from bench_figures import OURS, Aim, Row, by_turns
from bench_path import CIPHER
from bench_plot import Chart
from bench_processes import (PROXY_CORE, ROOT, CannotRun, Processes, our_program, private_kib,
                             processor_seconds, wait_until)

sys.path.insert(0, str(ROOT / "tests/support"))

USERS = 20
TIMED = 100  # tunnels whose start is timed
SIZES, SIZES_QUICK = (1, 10, 100, 500), (1, 10, 100)
UP_SECONDS = 120
# As many ssh at a time as the site's sshd lets in without dropping any (MaxStartups 100:30:200).
STARTS_AT_ONCE = 90
# As long as it takes until each SSH connection has asked whether its server is still there.
IDLE_SECONDS, IDLE_SECONDS_QUICK = 16, 3
CONNECTIONS = 32

CHARTS = (
    Chart("sessions-idle", "Processor time of hpc-manager serve, idle",
          "sessions", "ms a minute", dotted=True),
    Chart("sessions-processor", "Processor time of a 1 KiB GET through hpc-manager serve",
          "sessions, asked by turns", "µs a request"),
    Chart("sessions-memory", "Memory that idle sessions add",
          "sessions", "private memory, KiB", dotted=True),
)


def sessions_of(each):
    """A ManySessions: so many hpc-proxies of each user, and serve without sessions."""
    if os.geteuid() != 0:
        raise CannotRun("a site in namespaces needs root")
    os.environ["HPC_MANAGER"] = our_program("manager/hpc-manager")
    os.environ["HPC_PROXY"] = our_program("node-proxy/hpc-proxy")
    os.environ["HPC_WAN_TOOL"] = our_program("tests/support/wan")
    os.environ["HPC_BUILD_DIR"] = str(pathlib.Path(our_program("node-proxy/hpc-proxy")).parents[1])
    import many_sessions  # it asks for the programs above
    import serve_site

    count = str(USERS * each)
    options = ("--max-sessions", count, "--max-sessions-per-user", str(each),
               "--max-launching", count, "--max-launching-per-user", str(each))

    class Sessions(many_sessions.ManySessions):
        def _note_logins(self):
            """Logins take what they take; the tests slow them down."""

        def start_apps(self):
            """bench_app of each user instead of the tests' app."""
            shutil.copy(our_program("tests/bench/bench_app"), self.site.directory / "support")
            for user in self.users:
                self.site.run(f"{user}@login", "sh", "-c", "setsid /mnt/support/bench_app "
                              "</dev/null >bench_app.log 2>&1 &")
                said = self.site.home(user) / "bench_app.log"
                wait_until(lambda said=said: said.exists() and said.read_text().endswith("\n"),
                           f"the app of {user}")
                self.app_ports[user] = int(said.read_text().split()[1])

        def start_anew(self):
            """A serve that knows nothing, on the core of what is measured."""
            self.serve.close()
            self.sessions = []
            self.serve = serve_site.Serve({"main": self.site.address},
                                          {user: self.site.key(user) for user in self.users},
                                          [self.site.known_hosts], *options)
            with bench_path.on_core(PROXY_CORE):
                self.serve.start()
            for user in self.users:
                self.serve.token(user)
            # What ends the connections of the one before is not this one's work.
            users = ",".join(self.users)
            wait_until(lambda: not self.site.run("login", "sh", "-c",
                                                 f"pgrep -x -u {users} sshd || true").split(),
                       "the last connections have ended", UP_SECONDS)

    try:
        many = Sessions(each, *options, users=USERS)
    except SystemExit as skipped:
        raise CannotRun("this machine runs no site; stdout says why") from skipped
    try:
        many.start_apps()
    except BaseException:
        many.close()
        raise
    return many


def create(many, jobs):
    """Sessions for these (user, job); seconds until all run."""
    begin = time.monotonic()
    many.sessions += [many.serve.create(user, job=job) for user, job in jobs]
    many.wait_until_running(UP_SECONDS)
    return time.monotonic() - begin


def start_forwards(processes, many, count):
    """So many `ssh -N -L`: (processes, seconds until all forward)."""
    begin, started, sockets = time.monotonic(), [], []
    for number in range(count):
        user = many.users[number % len(many.users)]
        sockets.append(processes.directory / f"{number}.sock")
        wait_until(lambda: sum(not path.exists() for path in sockets) <= STARTS_AT_ONCE,
                   "room for one more login", UP_SECONDS)
        started.append(processes.start(
            ["ssh", "-N", "-F", "/dev/null", "-c", CIPHER, "-i", many.site.key(user),
             "-o", f"UserKnownHostsFile={many.site.known_hosts}", "-o", "BatchMode=yes",
             "-L", f"{sockets[-1]}:127.0.0.1:{many.app_ports[user]}",
             f"{user}@{many.site.address}"], PROXY_CORE))
    wait_until(lambda: all(path.exists() for path in sockets), "all forwards", UP_SECONDS)
    return started, time.monotonic() - begin


def up_rounds(many, jobs, rounds):
    """{name: [seconds until TIMED tunnels are up]}, and the KiB of one ssh."""
    each = len(jobs) // USERS
    first = [pair for number, pair in enumerate(jobs) if number % each < TIMED // USERS]
    seconds, kib = {OURS: [], "ssh -L": []}, []
    for name in by_turns(("ssh -L", OURS), rounds):
        many.start_anew()
        if name == OURS:
            seconds[OURS].append(create(many, first))
            continue
        with tempfile.TemporaryDirectory(prefix="hpc-bench-") as directory, \
                Processes(directory) as processes:
            forwards, took = start_forwards(processes, many, TIMED)
            seconds["ssh -L"].append(took)
            kib += [private_kib(process.pid) for process in forwards]
    return seconds, statistics.median(kib)


class ServeAsProxy:
    """serve, as bench_growth.requests() asks for it; each request of a file says what it needs."""

    def __init__(self, serve):
        self._pid, self.port, self.fields = serve.process.pid, serve.port, ()

    def seconds(self):
        return processor_seconds(self._pid)


def request_us(many, processes, amount):
    """Processor µs of one request: by turns of all sessions, each for its user's app."""
    proxy, targets = ServeAsProxy(many.serve), processes.directory / "targets"
    targets.write_text("".join(
        f"{many.app_path(session, 'bytes/1024')}\t"
        f"X-HPC-Manager-Token: {many.serve.token(session['user'])}\n"
        for session in many.sessions))
    # The first ones open channels, more than one for a session that is asked often.
    with bench_growth.requests(processes, proxy, f"@{targets}", CONNECTIONS,
                               max(500, 2 * len(many.sessions))) as make:
        make()
    with bench_growth.requests(processes, proxy, f"@{targets}", CONNECTIONS, amount) as make:
        return make()


def grow(many, jobs, quick):
    """{figure: {sessions: [value of each round]}} as the sessions become more."""
    many.start_anew()
    found = {"idle": {}, "us": {}, "kib": {}}
    pid, seconds = many.serve.process.pid, IDLE_SECONDS_QUICK if quick else IDLE_SECONDS
    empty_kib = private_kib(pid)
    with tempfile.TemporaryDirectory(prefix="hpc-bench-") as directory, \
            Processes(directory) as processes:
        for size in SIZES_QUICK if quick else SIZES:
            create(many, jobs[len(many.sessions):size])
            many.sessions = list(many.now().values())
            found["kib"][size] = [private_kib(pid) - empty_kib]
            before = processor_seconds(pid)
            time.sleep(seconds)
            found["idle"][size] = [(processor_seconds(pid) - before) * 60_000 / seconds]
            found["us"][size] = [request_us(many, processes, 500 if quick else 3_000)
                                 for _ in range(1 if quick else 3)]
    return found


def growth_rows(found, ssh_kib):
    rows = []
    for figure, what, unit, chart in (
            ("idle", "{}, idle, processor", "ms a minute", CHARTS[0]),
            ("us", "1 KiB GET, {} by turns", "processor µs a request", CHARTS[1]),
            ("kib", "memory that {} add", "KiB", CHARTS[2])):
        for size, values in found[figure].items():
            said = f"{size} session{'s' * (size > 1)}"
            peer = {"ssh -L": [ssh_kib * size]} if figure == "kib" else {}
            rows.append(Row("growth_sessions", what.format(said), unit, {OURS: values, **peer},
                            point=(chart.name, size)))
    few, many = sorted(found["us"])[-2:]
    for figure, what, each in (("idle", "idle processor time of a session", True),
                               ("us", "processor time of a request", False),
                               ("kib", "memory of a session", True)):
        values = {size: {OURS: [one / (size if each else 1) for one in found[figure][size]]}
                  for size in (few, many)}
        rows.append(bench_growth.growth_row("growth_sessions", what, few, many, values[few],
                                            values[many]))
    return rows


def sessions(quick):
    bench_peers.require("ssh", "openssh-client")
    many = sessions_of((TIMED if quick else SIZES[-1]) // USERS)
    try:
        jobs = [(user, job) for user in many.users for job in many.jobs(user)]
        seconds, ssh_kib = up_rounds(many, jobs, 1 if quick else 3)
        found = grow(many, jobs, quick)
    finally:
        many.close()
    most = max(found["kib"])
    return [Row("idle_tunnels", f"{most} idle tunnels of {USERS} users", "KiB each",
                {OURS: [found["kib"][most][0] / most], "ssh -L": [ssh_kib]}, aims=(Aim(0.15),)),
            Row("idle_tunnels", f"{TIMED} tunnels of {USERS} users until all are up", "s",
                seconds, aims=(Aim(0.5),)),
            *growth_rows(found, ssh_kib)]


BENCHES = {"sessions": sessions}
