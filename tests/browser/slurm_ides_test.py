"""The job templates with the real code-server and the real Jupyter, in jobs of a real SLURM site,
used in a real browser: by hand through `connect`, and as sessions of `serve`. Label heavy."""

import json
import os
import pathlib
import shutil
import socket
import sys
import time

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import browser  # noqa: E402
import harness  # noqa: E402
import ide_pages  # noqa: E402
from serve_site import Serve, ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402
from whole_path import WholePath  # noqa: E402

USER = "alice"
CODE_SERVER = """#!/bin/sh
exec node /mnt/code-server/node_modules/code-server/out/node/entry.js "$@"
"""
# As its user could have it: no question about the directory that is opened.
SETTINGS = {"security.workspace.trust.enabled": False}


class SlurmIdesTest(ShowsServeLog, apps.BrowserTestCase):
    # hpc-manager connect lets in processes of its own user only.
    uid = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = browser.apps_directory("code-server")
        cls.path = WholePath("--bind", f"{directory}=code-server")
        cls.addClassCleanup(cls.path.close)
        cls.site = cls.path.site
        program = cls.site.directory / "bin/code-server"
        program.write_text(CODE_SERVER)
        program.chmod(0o755)
        cls.home = cls.site.home(USER)
        for project in ("live", "jupyter"):
            shutil.copytree(apps.PROJECTS / project, cls.home / project)
            for path in (cls.home / project).iterdir():
                shutil.copy(path, cls.home)
        settings = cls.home / ".local/share/code-server/User/settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS))
        cls.site.run("login", "chown", "-R", f"{USER}:", f"/mnt/home/{USER}")
        cls.serve = Serve({"main": cls.site.address}, {USER: cls.site.key(USER)},
                          [cls.site.known_hosts])
        cls.addClassCleanup(cls.serve.close)
        cls.serve.start()

    def setUp(self):
        super().setUp()
        self.home = self.site.home(USER)
        # code-server opens the directory of the last time, which was another test's.
        (self.home / ".local/share/code-server/coder.json").unlink(missing_ok=True)
        self.addCleanup(self.end_jobs)

    def logs(self):
        return "\n".join([super().logs(), *(
            f"== {path}\n{path.read_text(errors='replace')[-3000:]}" for path in
            [*self.home.glob(".hpc-proxy/sessions/*/job.log"), *self.home.glob("*.out")])])

    def end_jobs(self):
        self.site.run(f"{USER}@login", "scancel", "-u", USER)
        wait_until(lambda: self.site.run(f"{USER}@login", "squeue", "--me", "-h") == "",
                   "the end of the jobs", 40)

    def need_jupyter(self):
        if not shutil.which("jupyter-notebook"):
            self.skipTest("no jupyter-notebook; run packaging/install-deps.sh heavy")

    # ------------------------------------------------------------------------ starting
    def submit_by_hand(self, template, *words):
        job = self.site.run(f"{USER}@login", "env", "-C", "/mnt/scripts", "sbatch", "--parsable",
                            f"--output=/mnt/home/{USER}/%x-%j.out", template, *words)
        wait_until(lambda: self.path.record(USER), "the job's record", 30)
        return job

    def socket_of_job(self):
        """The IDE's socket as this machine sees it; the record names it from the start on."""
        target = self.path.record(USER)["app"]["target"].removeprefix("unix:")
        return target, self.site.directory / target.removeprefix("/mnt/")

    def wait_until_it_accepts(self, path):
        """Until somebody accepts connections at that Unix socket."""
        wait_until(path.exists, f"the socket {path}", 60)
        # Its path has up to 107 bytes in the site, and more out here.
        directory = os.open(path.parent, os.O_PATH)
        self.addCleanup(os.close, directory)

        def accepts():
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(f"/proc/self/fd/{directory}/{path.name}") == 0
        wait_until(accepts, f"the socket {path}", 60)

    def session(self, ide):
        """A session whose job serve starts, by its API; returns it when it runs."""
        began = time.monotonic()
        session = self.serve.create(USER, ide=ide, attach=False)
        self.addCleanup(self.end_session, session)
        self.serve.wait_for_state(USER, session["id"], seconds=60)
        print(f"{ide}: asked for to running: {time.monotonic() - began:.2f} s", flush=True)
        return session

    def end_session(self, session):
        """Its end cancels its job, and takes its directory along."""
        path = f"/api/v1/sessions/{session['id']}"
        self.serve.request("DELETE", path, USER)
        self.serve.wait_for_state(USER, session["id"], "ended", seconds=60)
        self.assertEqual(self.site.run(f"{USER}@login", "squeue", "--me", "-h", "-t", "R"), "")
        self.assertFalse((self.home / ".hpc-proxy/sessions" / session["id"]).exists())

    def signed_in(self, url):
        """A page that has logged in at that URL, and its faults so far: the login form is a 401."""
        page = self.browser.open()
        self.assertEqual(page.goto(url), 401)
        before = page.faults()
        page.call("fill", "input[name=token]", self.serve.token(USER))
        page.call("click", "button")
        page.call("waitForURL", url)
        return page, before

    # ------------------------------------------------------------------------ looking
    def listeners(self):
        """Programs of the user that listen on TCP, on both nodes."""
        uid = (self.home / ".ssh").stat().st_uid
        lines = []
        for node in ("c1", "c2"):
            lines += self.site.run(node, "ss", "-Hltnpe").splitlines()
        # hpc-proxy has one port in both families.
        found = {(line.split('users:(("', 1)[1].split('"', 1)[0],
                  line.split()[3].rsplit(":", 1)[1]) for line in lines
                 if f"uid:{uid} " in f"{line} " and "users:" in line}
        return sorted(name for name, _ in found)

    def refused_to_bob(self, path):
        node = self.path.record(USER)["host"]
        done = self.site._call("exec", f"bob@{node}", "curl", "-sS", "--unix-socket", path,
                               "http://localhost/", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)

    # ------------------------------------------------------------------------ tests
    def test_code_server_by_hand(self):
        self.submit_by_hand("vscode.sbatch", f"/mnt/home/{USER}/live")
        inside, outside = self.socket_of_job()
        self.wait_until_it_accepts(outside)
        manager = self.path.connect(USER)
        page = self.browser.open(f"{manager.url}/app/")
        ide_pages.check_workbench(self, page, self.home / "live/made-by-hand")
        self.refused_to_bob(inside)
        self.assertEqual(self.listeners(), ["hpc-proxy"])

    def test_code_server_comes_back_to_the_directory_of_the_last_time(self):
        settings = self.home / ".local/share/code-server/coder.json"
        settings.write_text(json.dumps({"query": {"folder": f"/mnt/home/{USER}/jupyter"}}))
        self.site.run("login", "chown", f"{USER}:",
                      f"/mnt/{settings.relative_to(self.site.directory)}")
        # Unless one is named.
        self.submit_by_hand("vscode.sbatch", f"/mnt/home/{USER}/live")
        self.wait_until_it_accepts(self.socket_of_job()[1])
        manager = self.path.connect(USER)
        page = self.browser.open(f"{manager.url}/app/")
        page.wait_for_selector(".explorer-folders-view >> text=index.html")
        self.end_jobs()
        settings.write_text(json.dumps({"query": {"folder": f"/mnt/home/{USER}/jupyter"}}))
        self.session("vscode")
        self.wait_until_it_accepts(self.socket_of_job()[1])
        page, _ = self.signed_in(self.serve.url + "/")
        page.goto(self.serve.url + f"/user/{USER}/main/vscode/")
        page.wait_for_selector(".explorer-folders-view >> text=page.ipynb")

    def private_by_setup(self, mode):
        """Ports of its own for every job of the user."""
        setup = self.home / ".hpc-proxy/setup.sh"
        setup.parent.mkdir(mode=0o700, exist_ok=True)
        setup.write_text(f"HPC_PROXY_PRIVATE={mode}\n")
        self.site.run("login", "chown", "-R", f"{USER}:", f"/mnt/home/{USER}/.hpc-proxy")
        self.addCleanup(setup.unlink)

    def check_code_server_in(self, mode):
        self.private_by_setup(mode)
        self.submit_by_hand("vscode.sbatch", f"/mnt/home/{USER}/live")
        self.assertEqual(self.path.record(USER)["private"]["mode"], mode)
        inside, outside = self.socket_of_job()
        self.wait_until_it_accepts(outside)
        manager = self.path.connect(USER)
        page = self.browser.open(f"{manager.url}/app/")
        ide_pages.check_workbench(self, page, self.home / f"live/made-in-{mode}")
        self.refused_to_bob(inside)
        self.assertEqual(self.listeners(), ["hpc-proxy"])

    def test_code_server_with_addresses_of_its_own(self):
        self.check_code_server_in("loopback")

    def test_code_server_in_a_network_namespace(self):
        self.check_code_server_in("netns")

    def check_jupyter_in(self, mode):
        self.need_jupyter()
        self.private_by_setup(mode)
        self.submit_by_hand("jupyter.sbatch", f"/mnt/home/{USER}/jupyter")
        self.assertEqual(self.path.record(USER)["private"]["mode"], mode)
        manager = self.path.connect(USER)
        page = self.open_when_ready(f"{manager.url}/absapp/notebooks/page.ipynb")
        ide_pages.check_notebook(self, page)

    def test_jupyter_with_addresses_of_its_own(self):
        self.check_jupyter_in("loopback")

    def test_jupyter_in_a_network_namespace(self):
        self.check_jupyter_in("netns")

    def test_jupyter_by_hand(self):
        self.need_jupyter()
        self.submit_by_hand("jupyter.sbatch", f"/mnt/home/{USER}/jupyter")
        manager = self.path.connect(USER)
        address = f"{manager.url}/absapp/notebooks/page.ipynb"
        page = self.open_when_ready(address)
        # No kernel runs yet that could listen: the notebook starts one.
        ide_pages.check_notebook(self, page)
        # One port is of ipykernel, for its child processes, with a secret of the kernel's.
        self.assertEqual(self.listeners(), ["hpc-proxy", "python3"])
        self.refused_to_bob(self.socket_of_job()[0])

    def open_when_ready(self, address):
        page = self.browser.open()
        wait_until(lambda: page.goto(address) == 200, f"{address}", 60, every=0.2)
        return self.browser.open(address)

    def test_code_server_session(self):
        self.session("vscode")
        inside, outside = self.socket_of_job()
        page, before = self.signed_in(self.serve.url + "/")
        self.wait_until_it_accepts(outside)
        began = time.monotonic()
        address = f"/user/{USER}/main/vscode/"
        wait_until(lambda: self.serve.get(address, USER)[0] in (200, 302), "its page", every=0.01)
        served = time.monotonic() - began
        page.goto(self.serve.url + address)
        shown = time.monotonic() - began
        page.wait_for_selector(".explorer-folders-view >> text=index.html")
        took = time.monotonic() - began
        print(f"from code-server's socket accepting: its page is served after {served:.2f} s, "
              f"loaded in the browser after {shown:.2f} s, with its files in view after "
              f"{took:.2f} s", flush=True)
        ide_pages.check_workbench(self, page, self.home / "made-by-session", before)
        self.refused_to_bob(inside)
        self.assertEqual(self.listeners(), ["hpc-proxy"])

    def test_jupyter_session(self):
        self.need_jupyter()
        self.session("jupyter")
        path = f"/user/{USER}/main/jupyter/notebooks/page.ipynb"
        wait_until(lambda: self.serve.get(path, USER)[0] == 200, "the notebook's page", 60)
        ide_pages.check_notebook(self, *self.signed_in(self.serve.url + path))


if __name__ == "__main__":
    harness.main()
