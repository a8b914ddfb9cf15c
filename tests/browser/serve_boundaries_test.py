"""What hostile pages can do against `hpc-manager serve` in a real browser: pages of another site,
and an app of the user's own under its path.

In path mode apps share one origin with our pages and with each other, so a browser cannot keep
them apart: with the user's login an app's page can open his other sessions, read what GET gives in
/api/v1, log him out, make another session the active one, and touch what other apps store in the
browser. docs/hpc-manager.md says so under "What path mode cannot protect"; the tests here are about
what holds all the same.
"""

import json
import pathlib
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import harness  # noqa: E402
from page_scripts import CONNECT, RUN  # noqa: E402
from serve_case import ServeTestCase  # noqa: E402

# What a page can try; each says how it went.
READ = """(url) => fetch(url, {credentials: 'include'})
    .then((answer) => answer.text(), (error) => error.name)"""
SEND = """(url) => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include',
    headers: {'Content-Type': 'text/plain'}, body: '{"cluster":"main","ide":"vscode"}'})
    .then((answer) => answer.type)"""
DELETE = """(url) => fetch(url, {method: 'DELETE', credentials: 'include'})
    .then((answer) => answer.status, (error) => error.name)"""
SHOW = """(url) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve('loaded');
  image.onerror = () => resolve('refused');
  image.src = url;
})"""
EMBED = """(url) => new Promise((resolve) => {
  const frame = document.createElement('iframe');
  // Else an app's page that asks for / is led to the app's own.
  frame.referrerPolicy = 'no-referrer';
  frame.src = url;
  frame.onload = () => {
    try {
      resolve(frame.contentDocument ? frame.contentDocument.body.innerText : 'closed');
    } catch (error) {
      resolve(error.name);
    }
  };
  document.body.append(frame);
})"""
SUBMIT = """([url, name, value]) => {
  const form = document.createElement('form');
  Object.assign(form, {action: url, method: 'post'});
  const field = document.createElement('input');
  Object.assign(field, {name, value});
  form.append(field);
  document.body.append(form);
  form.submit();
}"""
# As a page of the same origin can, with fields that only the browser itself may write.
CALL = """([method, path]) => fetch(path, {method, headers: {'Content-Type': 'application/json',
    'Sec-Fetch-Site': 'none', 'Cookie': 'x=1'}, body: '{"cluster":"main","ide":"vscode"}'})
    .then((answer) => answer.status)"""
REGISTER = """() => navigator.serviceWorker.register('worker.js', {scope: '/'})
    .then(() => 'taken', (error) => error.name)"""


def try_out(page, script, argument):
    return page.evaluate(f"({script})({json.dumps(argument)})")


class HostileTest(ServeTestCase):
    def setUp(self):
        super().setUp()
        self.session = self.running_session()
        self.app = self.recorder("the app is here")

    def state(self):
        """What an attack may not change."""
        sessions, active, tokens = (json.loads(self.serve.get(path, self.user)[2]) for path in (
            "/api/v1/sessions", "/api/v1/sessions/active", "/api/v1/tokens"))
        # The logins of the pages themselves are named "browser".
        return ([(one["id"], one["state"]) for one in sessions["sessions"]], active["id"],
                [one["id"] for one in tokens["tokens"] if one["label"] != "browser"])

    def still_signed_in(self, page):
        self.assertEqual(page.goto(self.serve.url + "/"), 200)
        page.wait_for_text(f"You are signed in as {self.user}.")

    def check_frames(self, page, origin):
        """Our pages stay out of a frame of that page: /login is for everybody, so it comes, and
        the browser itself must refuse to show it."""
        for path in ("/", "/login", "/logout"):
            before = len(self.frame_complaints(page))
            self.assertIn(try_out(page, EMBED, origin + path), ("closed", "SecurityError"), path)
            said = self.frame_complaints(page)[before:]
            self.assertTrue(said, path)
        self.assertIn("frame-ancestors 'none'", json.dumps(self.frame_complaints(page)))

    @staticmethod
    def frame_complaints(page):
        return [line for line in page.seen()["complaints"] if "frame-ancestors" in line]

    @staticmethod
    def statuses(page, url):
        return [answer["status"] for answer in page.seen()["answers"] if answer["url"] == url]


class OtherSiteTest(HostileTest):
    """One page on another port of the same address, which to a browser is the same site and to
    which it sends even our cookie, and one under another name."""

    def each_site(self, attack):
        """Each other site, open in a browser that is signed in here; both know all addresses.
        attack(page, answers): what those of our answers that refuse may be."""
        # From another site a Lax cookie does not come along, so it is nobody who asks.
        for host, refusals in (("127.0.0.1", {403}), ("localhost", {401, 403})):
            with self.subTest(host=host):
                other = self.recorder("another site")
                page = self.signed_in()
                page.goto(f"http://{host}:{other.port}/")
                attack(page, refusals)
                self.still_signed_in(page)

    def urls(self):
        identity = self.session["id"]
        return [self.serve.url + path for path in (
            "/", "/api/v1/sessions", f"/api/v1/sessions/{identity}", "/api/v1/events",
            f"/port/{self.app.port}/", self.port_path(self.app.port),
            f"/user/{self.user}/main/vscode/ports")]

    def check_refused(self, page, before, refusals, url):
        """By us, not only hidden by the browser."""
        statuses = self.statuses(page, url)[before:]
        self.assertTrue(statuses, url)
        self.assertLessEqual(set(statuses), refusals, url)

    def test_it_reads_nothing(self):
        def attack(page, refusals):
            for url in self.urls():
                before = len(self.statuses(page, url))
                self.assertEqual(try_out(page, READ, url), "TypeError", url)
                self.assertEqual(try_out(page, SHOW, url), "refused", url)
                self.assertEqual(try_out(page, RUN, url), "refused", url)
                self.check_refused(page, before, refusals, url)

        self.each_site(attack)
        self.assertEqual(self.app.asked, [])

    def test_it_opens_no_web_socket(self):
        def attack(page, _):
            for path in (self.port_path(self.app.port, "ws"), f"/port/{self.app.port}/ws", "/ws"):
                self.assertEqual(try_out(page, CONNECT, self.serve.url + path), "refused", path)
            self.assertNotIn(101, [one["status"] for one in page.seen()["sockets"]])

        self.each_site(attack)
        self.assertEqual(self.app.asked, [])

    def test_its_scripts_and_forms_change_nothing(self):
        before = self.state()

        def attack(page, refusals):
            for url in self.urls():
                self.assertEqual(try_out(page, SEND, url), "opaque", url)
                self.assertEqual(try_out(page, DELETE, url), "TypeError", url)
            self.check_forms(page, refusals)

        self.each_site(attack)
        self.assertEqual(self.state(), before)
        self.assertEqual(self.app.asked, [])

    def check_forms(self, page, refusals):
        here = page.url
        for path, name, value in (
                ("/", "activate", self.session["id"]), ("/logout", "x", "1"),
                # Not even a login as somebody else, whose sessions the user would fill.
                ("/login", "token", self.serve.token("mallory")),
                (self.port_path(self.app.port), "x", "1"), ("/api/v1/sessions", "x", "1")):
            url = self.serve.url + path
            before = len(self.statuses(page, url))
            try_out(page, SUBMIT, [url, name, value])
            page.call("waitForURL", url)
            self.check_refused(page, before, refusals, url)
            page.goto(here)

    def test_its_link_with_a_token_signs_nobody_in(self):
        def attack(page, _):
            url = f"{self.serve.url}/login?token={self.serve.token('mallory')}"
            page.evaluate(f"location.href = '{url}'")
            page.wait_for_text("its token was not used")

        self.each_site(attack)

    def test_it_frames_none_of_our_pages_with_buttons(self):
        def attack(page, _):
            self.check_frames(page, self.serve.url)

        self.each_site(attack)

    def test_another_port_of_our_host_is_sent_our_cookie(self):
        """Not wanted, but what browsers do: docs/hpc-manager.md says what to do about it."""
        for host, sent in (("127.0.0.1", True), ("127.0.0.2", False), ("localhost", False)):
            with self.subTest(host=host):
                other = self.recorder("another site", address="0.0.0.0")
                self.signed_in().goto(f"http://{host}:{other.port}/")
                self.assertEqual(self.cookie_name in json.dumps(other.asked), sent)

    def test_what_it_may_do_is_to_link(self):
        def attack(page, _):
            page.evaluate(f"location.href = '{self.port_url(self.app.port)}'")
            page.wait_for_text("the app is here")

        self.each_site(attack)


class OwnAppTest(HostileTest):
    """The app's page is under our own origin, see the top of this file."""

    def open_app(self):
        page = self.signed_in(self.port_url(self.app.port))
        page.wait_for_text("the app is here")
        return page

    def test_it_sees_neither_cookie_nor_token(self):
        self.app.fields["Set_Cookie"] = "own=1; Path=/"
        page = self.open_app()
        login = page.cookies()[self.cookie_name]["value"]
        page.evaluate("fetch('x').then((answer) => answer.text())")
        self.assertEqual(page.evaluate("document.cookie"), "own=1")
        seen = json.dumps(self.app.asked)
        self.assertIn('"/x"', seen)
        self.assertIn("own=1", seen)
        for secret in (login, self.serve.token(self.user), "hpc-manager-", "hpm_"):
            self.assertNotIn(secret, seen)
        # Nor hpc-proxy's own.
        self.assertNotIn("x-hpc-", seen.lower())

    def test_it_sets_no_cookie_of_ours(self):
        page = self.open_app()
        login = page.cookies()[self.cookie_name]["value"]
        self.app.fields["Set_Cookie"] = f"{self.cookie_name}=stolen; Path=/"
        page.evaluate("fetch('x').then((answer) => answer.text())")
        # The browser itself keeps a script from replacing an HttpOnly cookie.
        page.evaluate(f"document.cookie = '{self.cookie_name}=stolen; path=/'")
        self.assertEqual(page.cookies()[self.cookie_name]["value"], login)
        self.still_signed_in(page)

    def test_it_changes_nothing_through_the_api(self):
        before = self.state()
        page = self.open_app()
        one = f"/api/v1/sessions/{self.session['id']}"
        for method, path in (("POST", "/api/v1/sessions"), ("DELETE", one),
                             ("POST", one + "/activate"), ("POST", "/api/v1/tokens"),
                             ("DELETE", "/api/v1/tokens/1"), ("PUT", "/api/v1/sessions")):
            self.assertEqual(try_out(page, CALL, [method, path]), 403, (method, path))
        try_out(page, SUBMIT, ["/api/v1/sessions", "x", "1"])
        page.call("waitForURL", self.serve.url + "/api/v1/sessions")
        self.assertEqual(self.statuses(page, self.serve.url + "/api/v1/sessions")[-1], 403)
        self.assertEqual(self.state(), before)

    def test_it_does_not_get_at_other_users(self):
        page = self.open_app()
        for path in ("/user/mallory/main/vscode/", "/api/v1/sessions?all=1",
                     "/api/v1/admin/ports/stats"):
            self.assertEqual(page.evaluate(f"fetch('{path}').then((answer) => answer.status)"),
                             404, path)

    def test_it_frames_none_of_our_pages_with_buttons(self):
        self.check_frames(self.open_app(), self.serve.url)

    def test_its_service_worker_stays_below_its_path(self):
        self.app.files["/worker.js"] = ("text/javascript", "self.onfetch = () => {};")
        self.app.fields["Service_Worker_Allowed"] = "/"
        self.assertEqual(self.open_app().evaluate(f"({REGISTER})()"), "SecurityError")


if __name__ == "__main__":
    harness.main()
