"""What a real browser does at hpc-proxy's own boundaries: the waiting page, service workers of
apps, and pages of other sites."""

import pathlib
import sys
import threading

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import harness  # noqa: E402
from page_scripts import CONNECT, RUN  # noqa: E402

WORKER = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.url.endsWith('/hello')) event.respondWith(new Response('the worker'));
});
"""
REGISTER = """async (options) => {
  try {
    const {scope} = await navigator.serviceWorker.register('worker.js', options);
    return new URL(scope).pathname;
  } catch (error) {
    return error.name;
  }
}"""
CONTROLLED = "navigator.serviceWorker.controller !== null"
SAY_HELLO = "fetch('hello').then((answer) => answer.text())"

# What a page can try against another origin; each says how it went.
READ = """(url) => fetch(url).then((answer) => answer.text(), (error) => error.name)"""
SEND = """(url) => fetch(url, {method: 'POST', mode: 'no-cors', body: 'x', credentials: 'include'})
    .then((answer) => answer.type)"""
EMBED = """(url) => new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.src = url;
  frame.onload = () => resolve('loaded');
  document.body.append(frame);
})"""


def page_server(name):
    """A handler whose page is `name`, and the list of what it was asked."""
    class Handler(harness.EchoHandler):
        asked = []

        def do_GET(self):
            self.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/worker.js":
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript")
                self.send_header("Content-Length", str(len(WORKER)))
                # Wishes for the whole origin.
                self.send_header("Service-Worker-Allowed", "/")
                self.end_headers()
                self.wfile.write(WORKER.encode())
            else:
                self.answer(name.encode(), "text/html")

        do_POST = do_GET

    return Handler


class BoundariesTest(apps.BrowserTestCase):
    def test_waiting_page_goes_on_by_itself(self):
        for scripts in (True, False):
            with self.subTest(scripts=scripts):
                proxy, port = self.start_proxy("--state-dir", self.home / f"s{scripts}"), \
                    apps.free_port()
                page = self.browser.open(javaScriptEnabled=scripts)
                self.assertEqual(page.goto(f"http://127.0.0.1:{proxy.port}/port/{port}/"), 503)
                page.wait_for_text(f"Waiting for port {port}")
                self.start_page_server(port)
                page.wait_for_text("the app is there")
                self.assertEqual(page.url, f"http://127.0.0.1:{proxy.port}/port/{port}/")

    def start_page_server(self, port):
        """An app on exactly that port."""
        with harness.user_sockets():
            server = harness.http.server.ThreadingHTTPServer(
                ("127.0.0.1", port), page_server("the app is there"))
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def test_service_worker_stays_below_its_prefix(self):
        first, second = (self.http_app(page_server(name)) for name in ("first", "second"))
        origin = f"http://127.0.0.1:{self.start_proxy().port}"
        page = self.browser.open(f"{origin}/port/{first}/")
        self.assertEqual(page.call("evaluate", f"({REGISTER})({{scope: '/'}})"), "SecurityError")
        self.assertEqual(page.call("evaluate", f"({REGISTER})()"), f"/port/{first}/")
        page.wait_for(CONTROLLED)
        self.assertEqual(page.evaluate(SAY_HELLO), "the worker")
        page.goto(f"{origin}/port/{second}/")
        self.assertFalse(page.evaluate(CONTROLLED))
        self.assertEqual(page.evaluate(SAY_HELLO), "second")

    def start_foreign_page(self):
        """An app behind hpc-proxy, and a page that another site, on another port, shows."""
        handler = page_server("secret")
        url = f"http://127.0.0.1:{self.start_proxy().port}/port/{self.http_app(handler)}/"
        other = self.http_app(page_server("another site"))
        return handler, url, self.browser.open(f"http://127.0.0.1:{other}/")

    @staticmethod
    def statuses(page, url):
        """Of every answer from that URL."""
        return [answer["status"] for answer in page.seen()["answers"] if answer["url"] == url]

    def test_other_sites_reach_nothing(self):
        handler, url, page = self.start_foreign_page()
        tries = ((READ, "TypeError"), (SEND, "opaque"), (EMBED, "loaded"), (RUN, "refused"),
                 (CONNECT, "refused"))
        for attempt, outcome in tries:
            self.assertEqual(page.evaluate(f"({attempt})('{url}')"), outcome, attempt)
        # The WebSocket's is not among these: a handshake that fails has no answer to be seen.
        self.assertEqual(self.statuses(page, url), [403] * (len(tries) - 1))
        (handshake,) = page.seen()["sockets"]
        self.assertNotEqual(handshake["status"], 101)
        self.assertEqual(handler.asked, [])

    def test_link_on_another_site_opens_the_app(self):
        handler, url, page = self.start_foreign_page()
        page.evaluate(f"location.href = '{url}'")
        page.wait_for_text("secret")
        # The icon may come after it.
        self.assertEqual(handler.asked[0], "GET /")

    def test_form_on_another_site_does_not(self):
        handler, url, page = self.start_foreign_page()
        page.evaluate(f"""{{
          const form = document.createElement('form');
          Object.assign(form, {{action: '{url}', method: 'post'}});
          document.body.append(form);
          form.submit();
        }}""")
        page.call("waitForURL", url)
        self.assertEqual(self.statuses(page, url), [403])
        self.assertEqual(handler.asked, [])


if __name__ == "__main__":
    harness.main()
