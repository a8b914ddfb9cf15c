"""A page of many small assets over a long line, as Chromium loads it for the first time."""

import fcntl
import json
import os
import select
import subprocess
import time

import bench_tunnel
from bench_figures import Aim, Row, measure, of_figure
from bench_processes import LOAD_CORE, PROXY_CORE, CannotRun

CHROMIUM = "/usr/bin/chromium"
ASSETS = 200
PATIENCE_SECONDS = 60

# What the page itself knows of its way here: milliseconds from the start of the navigation.
TIMING = """(() => {
  const assets = performance.getEntriesByType('resource').filter(
      (one) => one.name.includes('/asset/') && one.responseStatus === 200);
  return JSON.stringify({ms: performance.getEntriesByType('navigation')[0].loadEventStart,
                         assets: assets.length});
})()"""


class Chromium:
    """A browser by its debugging protocol, over two pipes: a JSON text and a zero byte each."""

    def __init__(self, process, to, from_):
        self._process, self._to, self._from = process, to, from_
        self._got, self._number = b"", 0

    def _message(self, deadline):
        while b"\0" not in self._got:
            ready, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self._from, 65536) if ready else b""
            if not piece:
                raise AssertionError("Chromium ended" if ready else "Chromium does not answer")
            self._got += piece
        text, self._got = self._got.split(b"\0", 1)
        return json.loads(text)

    def _wait(self, is_it):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = self._message(deadline)
            if "error" in message:
                raise AssertionError(f"Chromium: {message['error']}")
            if is_it(message):
                return message

    def _call(self, method, session=None, **parameters):
        self._number += 1
        number, where = self._number, {"sessionId": session} if session else {}
        text = json.dumps({"id": number, "method": method, "params": parameters, **where})
        os.write(self._to, text.encode() + b"\0")
        return self._wait(lambda message: message.get("id") == number)["result"]

    def load(self, url):
        """Opens it in a profile of its own, without cache or connection: what TIMING says."""
        profile = self._call("Target.createBrowserContext")["browserContextId"]
        page = self._call("Target.createTarget", url="about:blank", browserContextId=profile)
        session = self._call("Target.attachToTarget", targetId=page["targetId"],
                             flatten=True)["sessionId"]
        self._call("Page.enable", session)
        answer = self._call("Page.navigate", session, url=url)
        if answer.get("errorText"):
            raise AssertionError(f"{url}: {answer['errorText']}")
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")
        said = self._call("Runtime.evaluate", session, expression=TIMING)["result"]["value"]
        self._call("Target.disposeBrowserContext", browserContextId=profile)
        return json.loads(said)

    def close(self):
        os.close(self._to)
        os.close(self._from)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_chromium(home):
    if not os.access(CHROMIUM, os.X_OK):
        raise CannotRun(f"{CHROMIUM} is missing (package chromium)")
    theirs_in, to = os.pipe()
    from_, theirs_out = os.pipe()

    def place():
        # The proxies have little to do here, and one core alone is what the page would wait for.
        os.sched_setaffinity(0, {LOAD_CORE, PROXY_CORE})
        # It reads from 3 and writes to 4. Neither may be in the way of the other's new number.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in (theirs_in, theirs_out)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    with open(home / "chromium.log", "wb") as log:
        # Without its sandbox, which takes a user that is not root: it sees only our page.
        process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             f"--user-data-dir={home}/profile", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, preexec_fn=place,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)})
    os.close(theirs_in)
    os.close(theirs_out)
    return Chromium(process, to, from_)


def load_round(browser):
    def one_round(path):
        said = browser.load(path.url(f"/page/{ASSETS}"))
        if said["assets"] != ASSETS:
            raise AssertionError(f"{path.name}: {said['assets']} assets instead of {ASSETS}")
        return {"ms": said["ms"]}
    return one_round


def page(quick):
    with bench_tunnel.paths(bench_tunnel.ROUND_TRIP_MS) as (processes, running):
        with running.near.entered():
            browser = start_chromium(processes.directory)
        try:
            found = measure(running.both, 2 if quick else 11, load_round(browser))
        finally:
            browser.close()
    return [Row(f"path_{bench_tunnel.ROUND_TRIP_MS}ms",
                f"page of {ASSETS} small assets, Chromium without a cache, until loaded", "ms",
                of_figure(found, "ms"), aims=(Aim(0.95),))]


BENCHES = {"page": page}
