"""A real Chromium for tests: open a page, wait for what it shows, collect what went wrong.

    browser = Browser(home)                     # runs driver.js with playwright
    page = browser.open("http://127.0.0.1:...")
    page.wait_for_text("hello")
    page.wait_for_socket("/ws")
    self.assertEqual(page.faults(), [])
"""

import atexit
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness

HERE = pathlib.Path(__file__).resolve().parent
APPS_SCRIPT = HERE.parent / "apps.sh"
CHROMIUM = "/usr/bin/chromium"
# A page takes milliseconds; the first one after its app has started may make it compile a lot.
PATIENCE_SECONDS = 40
# Single edits are missed by watchers that still start, so files are edited once in this time.
EDIT_EVERY_SECONDS = 3


def skip(reason):
    """Ends this test program as skipped, with the reason in its output."""
    print("skipped:", reason, flush=True)
    # Not sys.exit: unittest would catch SystemExit in setUpClass and call it an error.
    os._exit(77)


def apps_directory(name):
    """Where tests/support/apps.sh installs the applications of that list; skips without them."""
    done = subprocess.run([APPS_SCRIPT, "directory", name], check=True, capture_output=True,
                          text=True)
    path = pathlib.Path(done.stdout.strip())
    if not (path / ".installed").is_file():
        skip(f"{path} is missing; run packaging/install-deps.sh test, for label heavy: heavy")
    return path


def link_tree(source, target, uid=None):
    """A copy of the tree that takes no space where hard links do; `uid` owns its directories."""
    def link(one, other):
        try:
            os.link(one, other, follow_symlinks=False)
        except OSError:
            shutil.copy2(one, other, follow_symlinks=False)
    shutil.copytree(source, target, symlinks=True, copy_function=link)
    if harness.IS_ROOT and uid is not None:
        for folder, _, _ in os.walk(target):
            os.chown(folder, uid, uid)


def may(uid, how, path):
    """Whether the user may read ("-r") or run ("-x") the file."""
    test = harness.as_user(uid, ["test", how, str(path)])
    return subprocess.run(test, check=False).returncode == 0


@functools.cache
def node_program():
    """The Node.js of the tests: this machine's when it is new enough. A copy of it when a closed
    directory keeps the users of the tests from it."""
    done = subprocess.run([APPS_SCRIPT, "node"], check=True, capture_output=True, text=True)
    program = done.stdout.strip()
    if not may(harness.USER_UID, "-x", program):
        copies = tempfile.mkdtemp(prefix="hpc-node-")
        atexit.register(shutil.rmtree, copies, True)
        os.chmod(copies, 0o755)
        program = shutil.copy(program, copies)
    return program


def readable_for(uid, path, base):
    """`path`, or a copy of it below `base` when a closed directory keeps the user from it."""
    if may(uid, "-r", path / "package.json"):
        return path
    copy = pathlib.Path(base) / path.name
    if not copy.exists():
        link_tree(path, copy)
    return copy


class Page:
    """One page with cookies, storage and service workers of its own."""

    def __init__(self, browser, number):
        self._browser, self._number = browser, number

    def _ask(self, what, **more):
        return self._browser.ask({"do": what, "page": self._number, **more})

    def call(self, method, *arguments):
        """A method of playwright's Page, as in call("keyboard.type", "hello")."""
        return self._ask("call", method=method, args=arguments)

    def goto(self, url):
        """Opens the URL; the status of the answer. Returns when everything it needs is loaded."""
        return self.call("goto", url, {"timeout": PATIENCE_SECONDS * 1000})

    def evaluate(self, expression):
        return self.call("evaluate", expression)

    @property
    def url(self):
        return self.call("url")

    def text(self):
        return self.call("innerText", "body")

    def wait_for(self, expression, seconds=PATIENCE_SECONDS):
        """Until the JavaScript expression is true in the page."""
        # A page that reloads takes the expression with it; playwright asks the new one.
        self.call("waitForFunction", expression, None, {"timeout": seconds * 1000})

    def wait_for_selector(self, selector, seconds=PATIENCE_SECONDS):
        """Until an element is visible; works on pages whose policy forbids expressions too."""
        self.call("waitForSelector", selector, {"timeout": seconds * 1000})

    def wait_for_text(self, text, seconds=PATIENCE_SECONDS):
        self.wait_for_selector(f"text={text}", seconds)

    def wait_for_socket(self, contains, received=0):
        """Until a WebSocket with that in its URL is open and has received so many messages."""
        return self._ask("socket", contains=contains, received=received,
                         timeout=PATIENCE_SECONDS * 1000)

    def edit_until_text(self, edit, text):
        """Calls edit() until the page shows the text: a watcher may miss the first one."""
        for _ in range(PATIENCE_SECONDS // EDIT_EVERY_SECONDS):
            edit()
            try:
                return self.wait_for_text(text, EDIT_EVERY_SECONDS)
            except BrowserError as error:
                last = error
        raise AssertionError(f"the edit was not seen: {last}\n{self.seen()}")

    def seen(self):
        """What went over the network: answers, failures, complaints, sockets."""
        return self._ask("seen")

    def cookies(self):
        """All cookies of the page's profile by name, also those that no script can read."""
        return {cookie["name"]: cookie for cookie in self._ask("cookies")}

    def faults(self, allowed=()):
        """What a developer would see in red; of that what contains none of the words allowed."""
        # The browser's own question, not one of the page.
        allowed = [*allowed, "/favicon.ico"]
        seen = self.seen()
        red = [f"{answer['status']} {answer['url']}"
               for answer in seen["answers"] if answer["status"] >= 400]
        # A reload gives up what was still on its way.
        red += [f"{failure['why']} {failure['url']}"
                for failure in seen["failures"] if failure["why"] != "net::ERR_ABORTED"]
        red += [f"WebSocket {socket['status']} {socket.get('error', '')} {socket['url']}"
                for socket in seen["sockets"] if socket["status"] != 101]
        red += seen["complaints"]
        return [line for line in red if not any(word in line for word in allowed)]


class BrowserError(AssertionError):
    """What the browser said when it could not do as it was asked."""


class Browser:
    """A running Chromium of the user `uid`. close() must be called."""

    def __init__(self, home, uid=harness.USER_UID):
        if not os.access(CHROMIUM, os.X_OK):
            skip("no /usr/bin/chromium (package chromium); run packaging/install-deps.sh test")
        home = pathlib.Path(home)
        modules = readable_for(uid, apps_directory("browser"), home.parent)
        shutil.copy(HERE / "driver.js", home)
        self._log = open(home / "browser.log", "w+", encoding="utf-8")
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home),
                       "HPC_CHROMIUM": CHROMIUM,
                       "HPC_PLAYWRIGHT": str(modules / "node_modules/playwright-core")}
        self._process = subprocess.Popen(
            harness.as_user(uid, [node_program(), str(home / "driver.js")]), cwd=home,
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            text=True, bufsize=1)
        self.version = self._answer()

    def ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise BrowserError(f"the browser ended:\n{self._log.read()}")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer.get("value")

    def open(self, url=None, **options):
        """A page in a profile of its own; `options` of playwright's newContext."""
        page = Page(self, self.ask({"do": "open", "options": options}))
        if url:
            page.goto(url)
        return page

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            print("the browser does not end; killed", file=sys.stderr)
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
