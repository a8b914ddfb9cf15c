"""Users of one node whose applications have the same ports, on a real SLURM site:

    site = PortsSite(users=2)
    apps = site.start_apps("alice", "loopback")     # a job on c1 with Live Server, http.server, vite
    site.open_the_gate()                            # at this moment all of them begin to listen
    apps.url("/port/5500/")                         # through a hpc-manager connect of hers
    apps.end(); site.leftovers(["alice"])           # what is there of her on c1; [] when clean
    site.close()
"""

import json
import pathlib
import shutil
import sys

from waiting import wait_until
from whole_path import Manager, WholePath, get

SUPPORT = pathlib.Path(__file__).resolve().parent
sys.path.append(str(SUPPORT / "browser"))
from browser import apps_directory  # noqa: E402

PROJECTS = SUPPORT / "browser/projects"
NODE = "c1"
LIVE_PORT, FILES_PORT, VITE_PORT = 5500, 8080, 5173
PORTS = (LIVE_PORT, FILES_PORT, VITE_PORT)
CLAIM_PORT = 27464  # node-proxy/run/private_addresses.cc
# Node.js needs seconds for six applications that start at once on two processors.
START_SECONDS = 90

# As their documentation says to start them, on the ports that everybody has.
APPS = """#!/bin/bash
cd || exit
until [ -e /tmp/gate ]; do sleep 0.05; done
(cd live && exec live-server --port={live} --no-browser .) &
(cd files && exec python3 -m http.server {files}) &
(cd vite && exec node /mnt/apps-browser/node_modules/vite/bin/vite.js) &
wait
""".format(live=LIVE_PORT, files=FILES_PORT)

JOB = """#!/bin/bash
#SBATCH --time=00:10:00
exec {command}
"""

# Says on which of a block's sockets somebody is. Connections that have ended (TIME_WAIT) are nobody;
# a claim is not shared with anybody who asks that way.
CLAIMED = """
import socket, sys
ports = [int(port) for port in sys.argv[1].split(",")]
for address, port in [(one, port) for one in sys.argv[2:] for port in ports]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, port != ports[0])
        try:
            probe.bind((address, port))
        except OSError as error:
            print(f"{address} port {port}: {error}")
"""


class Apps:
    """A user's job, his applications in it, and a hpc-manager that is connected to it."""

    def __init__(self, site, user, job):
        self.site, self.user, self.job = site, user, job
        self.manager = None

    @property
    def record(self):
        return self.site.record(self.user, self.job)

    def connect(self, *options):
        """For a browser, and whoever asks as one; before, only hpc-proxy listens."""
        wait_until(lambda: self.record, f"the record of {self.user}'s job", START_SECONDS)
        self.manager = Manager(self.site.site, self.user, "--job", self.job, *options)

    def url(self, path):
        return self.manager.url + path

    def get(self, path, **options):
        status, body = get(self.url(path), **options)
        return status, body.decode(errors="replace")

    def wait_until_they_listen(self):
        for port in PORTS:
            wait_until(lambda: self.get(f"/port/{port}/")[0] == 200,
                       f"{self.user}'s application on {port}", START_SECONDS, every=0.2)

    def edit(self, name, text):
        """Another text in that file of hers, in the place of the old one."""
        path = self.site.home(self.user) / name
        path.write_text(text)

    def end(self):
        """A second time it does nothing."""
        if self.manager:
            self.manager.stop()
            self.manager = None
        self.site.cancel(self.user, self.job)


class PortsSite:
    """close() must be called."""

    def __init__(self, users=2, cpus=8):
        modules = apps_directory("browser")
        apps_directory("live")
        self.path = WholePath("--users", str(users), "--nodes", "1", "--cpus", str(cpus),
                              "--bind", f"{modules}=apps-browser")
        self.site = self.path.site
        self.users = sorted(home.name for home in (self.site.directory / "home").iterdir())

    def close(self):
        self.path.close()

    def home(self, user):
        return self.site.home(user)

    def records(self, user):
        return sorted(self.home(user).glob(".hpc-proxy/jobs/*.json"))

    def record(self, user, job):
        """That of his job; None when there is none."""
        found = [json.loads(path.read_text()) for path in self.records(user)]
        return next((one for one in found if one["job_id"] == job), None)

    # ---------------------------------------------------------------------- the gate
    @property
    def _gate(self):
        return self.site.directory / f"nodes/{NODE}/tmp/gate"

    def open_the_gate(self):
        self._gate.touch()

    def close_the_gate(self):
        self._gate.unlink(missing_ok=True)

    # ---------------------------------------------------------------------- jobs
    def write_projects(self, user):
        """His own pages: each says his name."""
        home = self.home(user)
        for name in ("live", "vite"):
            shutil.rmtree(home / name, ignore_errors=True)
            shutil.copytree(PROJECTS / name, home / name)
        (home / "files").mkdir(exist_ok=True)
        (home / "files/index.html").write_text(f"page of {user}\n")
        for name in ("live/index.html", "vite/index.html", "vite/message.js"):
            text = (home / name).read_text()
            (home / name).write_text(text.replace("first version", f"first version of {user}")
                                     .replace("<title>page", f"<title>page of {user}"))
        (home / "apps.sh").write_text(APPS)
        self.site.run("login", "chown", "-R", f"{user}:", f"/mnt/home/{user}")

    def submit(self, user, command, *options):
        """A batch script that runs it on the node; the job's id."""
        return self.site.submit(user, JOB.format(command=command), "-w", NODE,
                                f"--output=/mnt/home/{user}/%j.out", *options)

    def start_apps(self, user, mode):
        self.write_projects(user)
        return Apps(self, user, self.submit(user, f"hpc-proxy run --private {mode} -- bash apps.sh"))

    def output(self, user, job):
        path = self.home(user) / f"{job}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def cancel(self, user, *jobs):
        """Returns when SLURM has nothing of them left."""
        self.site.run(f"{user}@login", "scancel", *jobs)
        wait_until(lambda: self.site.run("login", "squeue", "-h", "-j", ",".join(jobs),
                                         check=False) == "", "the end of the jobs", 60)

    # ---------------------------------------------------------------------- what is left
    def processes(self, user):
        """Of the user on the node, by /proc; "PID COMMAND LINE" each."""
        return self.site.run(NODE, "pgrep", "-a", "-u", user, check=False).splitlines()

    def namespaces(self):
        """Network namespaces of the node's processes."""
        lines = self.site.run(NODE, "sh", "-c", "readlink /proc/[0-9]*/ns/net | sort -u")
        return lines.splitlines()

    def leftovers(self, user, addresses=()):
        """What runs in the name of the user and what his hpc-proxy has made, by their names."""
        left = self.processes(user)
        home = self.home(user) / ".hpc-proxy"
        left += [str(path.relative_to(home)) for path in home.rglob("*")
                 if path not in (home / "jobs", home / "run")]
        if addresses:
            first, rest = addresses[0].rsplit(".", 1)
            block = [f"{first}.{int(rest) + at}" for at in range(4)]
            ports = ",".join(map(str, (CLAIM_PORT, *PORTS)))
            left += self.site.run(f"{user}@{NODE}", "/usr/bin/python3", "-c", CLAIMED, ports,
                                  *block).splitlines()
        return left
