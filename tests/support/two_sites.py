"""Two SLURM sites side by side, as the clusters of one institute: own networks, own nodes, own
files and own keys, but people of the same names.

    sites = TwoSites(users=5)             # on both: 5 users and a compute node for each
    sites.start_pages()                   # 10 jobs, each with hpc-proxy and a page on port 5500
    sites.page("alice", "red")            # what alice's page there says, and nobody else's
    sites.close()

This machine reaches both login nodes, and so does the node web of the site red.
"""

import concurrent.futures
import os
import pathlib
import shutil
import tempfile

from slurm_site import ROOT, skip
from waiting import wait_until
from whole_path import WholePath

NAMES = ("red", "blue")
# As demo and users start it; the same port for everybody, as everybody reads the same manual.
LIVE_SERVER = "live-server --host=127.0.0.1 --port={port} --no-browser site"

PAGE_JOB = """#!/bin/bash
#SBATCH --requeue
#SBATCH --output=%x-%j.out
export HPC_PROXY_SCRIPTS=/mnt/scripts
exec bash /mnt/scripts/plain.sbatch {command}
"""


class TwoSites:
    """close() must be called; the tests do it in addClassCleanup."""

    def __init__(self, users=5, options=()):
        self._paths = {}
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hpc-two-sites-"))
        # A manager of another uid must reach its keys.
        self.directory.chmod(0o755)
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                starts = {name: pool.submit(WholePath, "--users", str(users), "--nodes",
                                            str(users), *options) for name in NAMES}
                for name, start in starts.items():
                    self._paths[name] = start.result()
            self.users = sorted(path.name for path in (self.site("red").directory / "home").iterdir())
            self.site("red").join(self.site("blue").directory)
            self._write_known_hosts()
            self._take_red_keys_on_blue()
        except BaseException:
            self.close()
            raise

    def site(self, name):
        return self._paths[name].site

    def path(self, name):
        """The site's WholePath: connect(), record(), start_app()."""
        return self._paths[name]

    @property
    def known_hosts(self):
        """One file for the login nodes of both, by their addresses."""
        return self.directory / "known_hosts"

    def _write_known_hosts(self):
        lines = []
        for name in NAMES:
            key = self.site(name).known_hosts.read_text().split(" ", 1)[1]
            lines.append(f"{self.site(name).address} {key}")
        self.known_hosts.write_text("".join(lines))

    def _take_red_keys_on_blue(self):
        """Everybody may use his key of red on blue, too; blue's own keys are good on blue only."""
        for user in self.users:
            authorized = self.site("blue").home(user) / ".ssh/authorized_keys"
            with authorized.open("a") as file:
                file.write((self.site("red").directory / "keys" / f"{user}.pub").read_text())

    def clusters(self):
        """Arguments of `hpc-manager serve` that name both sites."""
        return [word for name in NAMES
                for word in ("--cluster", f"{name}={self.site(name).address}")]

    def identity_pattern(self, uid):
        """Copies of keys that are good on both sites, as a manager of that uid must have them."""
        keys = self.directory / f"keys.{uid}"
        keys.mkdir(mode=0o700)
        os.chown(keys, uid, uid)
        for user in self.users:
            shutil.copy(self.site("red").key(user), keys / user)
            (keys / user).chmod(0o600)
            os.chown(keys / user, uid, uid)
        return f"{keys}/%u"

    def node_of(self, user):
        """Everybody has a node of his own: two cannot listen on one port of one node."""
        return f"c{self.users.index(user) + 1}"

    @staticmethod
    def text_of(user, name):
        """What only this user's page on this site holds."""
        return f"page of {user} on {name}"

    def start_pages(self, port=5500, users=None, command=LIVE_SERVER):
        """A job for each user on each site, all at once; {(user, site): job id} when the pages
        are there. `command` runs in the user's home and serves the directory site."""
        if command == LIVE_SERVER and not (ROOT / "build/apps/node_modules/live-server").is_dir():
            skip("Live Server is missing; run packaging/install-deps.sh test")
        pairs = [(user, name) for name in NAMES for user in users or self.users]
        script = PAGE_JOB.format(command=command.format(port=port))
        jobs = {}
        for user, name in pairs:
            site = self.site(name)
            page = site.home(user) / "site/index.html"
            page.parent.mkdir(exist_ok=True)
            page.write_text("<!DOCTYPE html>\n<html><body>"
                            f"<h1>{self.text_of(user, name)}</h1></body></html>\n")
            jobs[user, name] = site.submit(user, script, "-w", self.node_of(user))
        try:
            for (user, name), job in jobs.items():
                self._paths[name].wait_for_app(user, job, self.node_of(user), port)
                wait_until(lambda: self.text_of(user, name) in self.page(user, name, port),
                           f"the page of {user} on {name}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error
        return jobs

    def page(self, user, name, port=5500):
        """What listens on that port of the user's node, asked there; "" when nothing does."""
        return self.site(name).run(f"{user}@{self.node_of(user)}", "curl", "-s", "--max-time", "10",
                                   f"http://127.0.0.1:{port}/", check=False)

    def logs(self):
        return "\n".join(self.site(name).logs() for name in NAMES)

    def close(self):
        # One that fails must not keep the other.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ends = [pool.submit(path.close) for path in self._paths.values()]
        shutil.rmtree(self.directory, ignore_errors=True)
        for end in ends:
            end.result()
