"""A SLURM site for tests: starts and drives tests/support/site.sh.

site.sh says what a site is. Here it becomes an object with a lifetime:

    site = Site(uplink=True)      # skips the test where no site can run
    site.run("alice@login", "sinfo")
    site.close()
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SUPPORT = pathlib.Path(__file__).resolve().parent
ROOT = SUPPORT.parent.parent
SKIP = 77  # ctest: SKIP_RETURN_CODE

# ctest sets it; by hand the default preset's is meant.
os.environ.setdefault("HPC_WAN_TOOL", str(ROOT / "build/dev/tests/support/wan"))


def skip(reason):
    """Ends this test program as skipped, with the reason in its output."""
    print("skipped:", reason, flush=True)
    # Not sys.exit: unittest would catch SystemExit in setUpClass and call it an error.
    os._exit(SKIP)


def our_program(name):
    """The path of hpc-proxy or hpc-manager as CMake built it; skips when it is not there."""
    variable = name.upper().replace("-PROXY", "_PROXY").replace("-MANAGER", "_MANAGER")
    path = pathlib.Path(os.environ.get(variable) or ROOT / "build/dev" / {
        "hpc-proxy": "node-proxy/hpc-proxy", "hpc-manager": "manager/hpc-manager"}[name])
    if not path.is_file():
        skip(f"{path} is not built")
    return path


def _own_node():
    """The Node.js of the tests where it is not one that every user of this machine can run."""
    done = subprocess.run([SUPPORT / "apps.sh", "node"], check=True, capture_output=True, text=True)
    program = pathlib.Path(done.stdout.strip())
    return [program] if program.is_file() and not program.is_relative_to("/usr") else []


class Site:
    """One running site. close() must be called; the tests do it in addClassCleanup."""

    def __init__(self, *options, programs=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hpc-site-"))
        (self.directory / "bin").mkdir()
        for program in (*programs, *_own_node()):
            shutil.copy(program, self.directory / "bin")
        apps = ROOT / "build/apps"
        binds = ["--bind", f"{apps}=apps"] if apps.is_dir() else []
        binds += ["--bind", f"{ROOT / 'slurm-scripts'}=scripts"]
        try:
            done = self._call("up", "--owner", os.getpid(), *binds, *options, check=False)
            if done.returncode == SKIP:
                shutil.rmtree(self.directory)
                skip(done.stderr.strip())
            if done.returncode != 0:
                raise AssertionError(f"site.sh up: {done.stderr}")
        except BaseException:
            self.close()
            raise

    def _call(self, verb, *arguments, check=True, **more):
        command = [str(SUPPORT / "site.sh"), verb, str(self.directory), *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
        return done

    def __getattr__(self, verb):
        """site.kill(node), site.off(node), site.start(node), site.cut(node), site.heal(node),
        site.join(directory of another site)."""
        if verb not in ("kill", "off", "start", "cut", "heal", "join"):
            raise AttributeError(verb)
        return lambda argument: self._call(verb, argument)

    @property
    def address(self):
        """The login node's address; with --uplink this machine reaches it."""
        return self._call("address").stdout.strip()

    def run(self, where, *command, check=True):
        """Runs command on [USER@]NODE; returns its standard output, stripped."""
        return self._call("exec", where, *command, check=check).stdout.strip()

    def home(self, user):
        return self.directory / "home" / user

    def key(self, user):
        return self.directory / "keys" / user

    @property
    def known_hosts(self):
        return self.directory / "known_hosts"

    def submit(self, user, script, *options):
        """Submits a job script (text) from the user's home; returns the job's id."""
        path = self.home(user) / f"job-{time.monotonic_ns()}.sbatch"
        path.write_text(script)
        path.chmod(0o644)
        return self.run(f"{user}@login", "sbatch", "--parsable", *options, path.name)

    def job_state(self, user, job):
        """State and node of a job, as in "RUNNING c1"; "" when SLURM no longer knows it."""
        return self.run(f"{user}@login", "squeue", "-h", "-j", job, "-o", "%T %N", check=False)

    def logs(self):
        """The tails of all logs of the site and of its jobs, for a failed test's output."""
        text = []
        for path in [*self.directory.glob("log/*"), *self.directory.glob("home/*/*.out")]:
            text.append(f"== {path}\n" + "\n".join(path.read_text(errors="replace")
                                                     .splitlines()[-20:]))
        return "\n".join(text)

    def close(self):
        """Ends the site and checks that nothing of it is left on this machine."""
        self._call("down")
        left = self._call("leftovers", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        if left.returncode != 0:
            print(left.stdout, file=sys.stderr)
            raise AssertionError("the site left something behind")
