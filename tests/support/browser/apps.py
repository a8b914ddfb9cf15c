"""The applications that the browser tests open: each one a project of projects/, started on a
free port as a developer would, in a directory where the test edits its files.

    class MyTest(apps.BrowserTestCase):
        def test_it(self):
            app = self.start_app("vite")
            page = self.browser.open(self.start().url(app.port))
"""

import itertools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import browser
import harness

PROJECTS = pathlib.Path(__file__).resolve().parent / "projects"
# R and code-server take seconds, on a machine that compiles at the same time many.
START_SECONDS = 90
END_SECONDS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def npm(package, program):
    return lambda modules, *arguments: [
        browser.node_program(), f"{modules}/node_modules/{package}/{program}", *arguments]


VITE = npm("vite", "bin/vite.js")


def vite(modules, port, *options):
    return VITE(modules, "--port", port, "--strictPort", "--host", "127.0.0.1", *options)


def project_server(modules, port, *options):
    """A server.js of the project itself."""
    return [browser.node_program(), "server.js", port, *options]


# Per project the list of tests/support/apps.sh that it needs, and its command line.
COMMANDS = {
    "live": ("live", lambda modules, port, *options: npm("live-server", "live-server.js")(
        modules, "--host=127.0.0.1", f"--port={port}", "--no-browser", *options, ".")),
    "vite": ("browser", vite),
    "webpack": ("browser", lambda modules, port, *options: npm("webpack", "bin/webpack.js")(
        modules, "serve", "--host", "127.0.0.1", "--port", port, "--no-open", *options)),
    "browsersync": ("browser", lambda modules, port, *options: npm(
        "browser-sync", "dist/bin.js")(
            modules, "start", "--server", ".", "--port", port, "--host", "127.0.0.1", "--listen",
            "127.0.0.1", "--no-open", "--no-ui", "--no-online", "--no-notify", "--files", "*",
            *options)),
    "socketio": ("browser", project_server),
    "ws": ("browser", project_server),
    "vite5": ("heavy", vite),
    "next": ("heavy", lambda modules, port, *options: npm("next", "dist/bin/next")(
        modules, "dev", "-p", port, "-H", "127.0.0.1", *options)),
    "code-server": ("code-server", lambda modules, port, *options: npm(
        "code-server", "out/node/entry.js")(
            modules, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry",
            "--disable-update-check", "--disable-workspace-trust", *options, ".")),
    "shiny": (None, lambda _, port: ["Rscript", "app.R", port]),
    "jupyter": (None, lambda _, port, *options: [
        "/usr/bin/jupyter-notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--NotebookApp.port_retries=0", "--NotebookApp.token=",
        "--NotebookApp.password=", *options]),
}
# Projects that share the files of another.
FILES = {"vite5": "vite", "code-server": "live", "browsersync": "live"}
# Projects that import modules. To others none are shown: vite would write beside them.
IMPORTS = ("socketio", "webpack", "ws")


class App:
    """A running application: its port, and the directory of its files."""

    def __init__(self, port, directory):
        self.port, self.directory = port, directory

    def editor(self, name):
        """Returns what makes the file say "second version". Every call makes a new text of it:
        some watchers look at nothing else."""
        path = self.directory / name
        text = path.read_text()
        assert "first version" in text, path
        count = itertools.count(1)
        return lambda: path.write_text(
            text.replace("first version", f"second version, edit {next(count)}"))


class BrowserTestCase(harness.TestCase):
    """A browser for all tests of the class. Each test has a home of its own for its apps."""

    uid = harness.USER_UID

    @classmethod
    def setUpClass(cls):
        cls.class_base = pathlib.Path(tempfile.mkdtemp(prefix="hpc-browser-test."))
        cls.addClassCleanup(shutil.rmtree, cls.class_base, True)
        cls.class_base.chmod(0o755)
        home = cls.class_base / "browser"
        home.mkdir()
        cls._own(home)
        cls.browser = browser.Browser(home, cls.uid)
        cls.addClassCleanup(cls.browser.close)

    @classmethod
    def _own(cls, path):
        """Gives the tree to the user of the test."""
        if harness.IS_ROOT and cls.uid is not None:
            subprocess.run(["chown", "-RhP", f"{cls.uid}:{cls.uid}", path], check=True)

    def modules(self, name):
        """The directory with the node_modules of that list."""
        return name and browser.readable_for(self.uid, browser.apps_directory(name),
                                             self.class_base)

    def project(self, name, modules, own_modules):
        """A copy of the project's files, with its modules where Node.js looks for them."""
        directory = self.home / name
        shutil.copytree(PROJECTS / FILES.get(name, name), directory)
        self._own(directory)
        if own_modules:
            browser.link_tree(modules / "node_modules", directory / "node_modules", self.uid)
        elif name in IMPORTS:
            (directory / "node_modules").symlink_to(modules / "node_modules")
        return directory

    def start_app(self, name, *options, port=None, own_modules=False, ready=None,
                  **variables):
        """Starts the app; returns when it listens, or when ready() says so. {port} in an option
        is its port."""
        needs, command = COMMANDS[name]
        modules = self.modules(needs)
        app = App(port or free_port(), self.project(name, modules, own_modules))
        words = command(modules, app.port,
                        *(option.replace("{port}", str(app.port)) for option in options))
        process, log = self.popen(
            ["env", "-C", app.directory, *words], self.uid, variables={
                "NO_UPDATE_NOTIFIER": "1", "NEXT_TELEMETRY_DISABLED": "1", **variables},
            start_new_session=True)
        self.addCleanup(self._end_group, process)
        harness.wait_until(lambda: process.poll() is not None or
                           (ready() if ready else listens(app.port)),
                           f"{name} on port {app.port}", START_SECONDS)
        self.assertIsNone(process.poll(), f"{name} ended:\n{log.read_text()}")
        return app

    def start_proxy(self, *arguments, **options):
        return self.start(*arguments, uid=self.uid, **options)

    def check_hot_update(self, page, edit, allowed=()):
        """An edit is seen in the page that is open already, which keeps its state."""
        page.wait_for_text("first version")
        page.evaluate("window.kept = 'kept'")
        page.edit_until_text(edit, "second version")
        self.assertEqual(page.evaluate("window.kept"), "kept")
        self.assertEqual(page.faults(allowed), [])

    def check_reload(self, page, edit, allowed=()):
        """An edit makes the page load anew."""
        page.wait_for_text("first version")
        page.edit_until_text(edit, "second version")
        page.wait_for("getComputedStyle(document.querySelector('h1')).color == 'rgb(0, 128, 0)'")
        self.assertEqual(page.faults(allowed), [])

    @staticmethod
    def _end_group(process):
        """Ends the app and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(END_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
