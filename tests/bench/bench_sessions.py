"""Many idle tunnels: `hpc-manager serve` with a session for each, beside one `ssh -N -L` for each,
to the same sshd on a site of its own (tests/support/site.sh)."""

import os
import pathlib
import statistics
import sys
import tempfile
import time

import bench_peers
from bench_figures import OURS, Aim, Row
from bench_path import CIPHER
from bench_processes import (PROXY_CORE, ROOT, CannotRun, Processes, our_program, private_kib,
                             wait_until)

sys.path.insert(0, str(ROOT / "tests/support"))

USERS = 20
TIMED = 100  # tunnels whose start is timed
UP_SECONDS = 120
# As many ssh at a time as the site's sshd lets in without dropping any (MaxStartups 100:30:200).
STARTS_AT_ONCE = 90


def sessions_of(each):
    """A running ManySessions: so many hpc-proxies of each user, and serve without sessions."""
    if os.geteuid() != 0:
        raise CannotRun("a site in namespaces needs root")
    os.environ["HPC_MANAGER"] = our_program("manager/hpc-manager")
    os.environ["HPC_PROXY"] = our_program("node-proxy/hpc-proxy")
    os.environ["HPC_WAN_TOOL"] = our_program("tests/support/wan")
    os.environ["HPC_BUILD_DIR"] = str(pathlib.Path(our_program("node-proxy/hpc-proxy")).parents[1])
    import many_sessions  # it asks for the programs above

    class Sessions(many_sessions.ManySessions):
        def _note_logins(self):
            """Logins take what they take; the tests slow them down."""

    count = str(USERS * each)
    try:
        return Sessions(each, "--max-sessions", count, "--max-sessions-per-user", str(each),
                        "--max-launching", count, "--max-launching-per-user", str(each),
                        users=USERS)
    except SystemExit as skipped:
        raise CannotRun("this machine runs no site; stdout says why") from skipped


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


def idle_tunnels(quick):
    bench_peers.require("ssh", "openssh-client")
    each = TIMED // USERS if quick else 500 // USERS
    many = sessions_of(each)
    try:
        with tempfile.TemporaryDirectory(prefix="hpc-bench-") as directory, \
                Processes(directory) as processes:
            forwards, peer_seconds = start_forwards(processes, many, TIMED)
            peer_kib = [private_kib(process.pid) for process in forwards]
        os.sched_setaffinity(many.serve.process.pid, {PROXY_CORE})
        jobs = [(user, job) for user in many.users for job in many.jobs(user)]
        first = [pair for number, pair in enumerate(jobs) if number % each < TIMED // USERS]
        before = private_kib(many.serve.process.pid)
        our_seconds = create(many, first)
        create(many, [pair for pair in jobs if pair not in first])
        grown = private_kib(many.serve.process.pid) - before
    finally:
        many.close()
    return [Row("idle_tunnels", f"{len(jobs)} idle tunnels of {USERS} users", "KiB each",
                {OURS: [grown / len(jobs)], "ssh -L": [statistics.median(peer_kib)]},
                aims=(Aim(0.15),)),
            Row("idle_tunnels", f"{TIMED} tunnels of {USERS} users until all are up", "s",
                {OURS: [our_seconds], "ssh -L": [peer_seconds]}, aims=(Aim(0.5),))]


BENCHES = {"idle_tunnels": idle_tunnels}
