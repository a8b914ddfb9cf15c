"""`hpc-manager serve` in a real browser, over a real sshd and a real hpc-proxy: login, pages, apps."""

import json
import pathlib
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import harness  # noqa: E402
import serve_case  # noqa: E402
from connect_site import kill_tree  # noqa: E402
from serve_case import PasswordHost, ServeTestCase, TwoStepHost, may_mount  # noqa: E402
from waiting import wait_until  # noqa: E402


class TokenLoginTest(ServeTestCase):
    def test_form_leads_to_the_page_that_was_asked_for(self):
        self.running_session()
        app = self.recorder("the app is here")
        page = self.browser.open()
        url = self.port_url(app.port, "a/b?c=d%20e")
        self.assertEqual(page.goto(url), 401)
        self.give_token(page, "hpm_" + "0" * 64)
        page.wait_for_text("This token is not known")
        self.assertEqual(app.asked, [])
        self.give_token(page, self.serve.token(self.user))
        page.wait_for_text("the app is here")
        self.assertEqual(page.url, url)
        self.assertEqual(app.asked[0][:2], ("GET", "/a/b?c=d%20e"))

    def test_cookie_is_for_the_browser_alone(self):
        page = self.signed_in()
        cookie = page.cookies()[self.cookie_name]
        self.assertEqual((cookie["httpOnly"], cookie["sameSite"], cookie["path"]),
                         (True, "Lax", "/"))
        self.assertEqual(cookie["domain"], "127.0.0.1")
        # A login is not the token that it was made from.
        self.assertNotIn(cookie["value"], self.serve.token(self.user))
        self.assertEqual(page.evaluate("document.cookie"), "")

    def test_address_with_a_token_ends_at_one_without(self):
        page = self.browser.open(f"{self.serve.url}/login?token={self.serve.token(self.user)}")
        page.wait_for_text("You have no session")
        self.assertEqual(page.url, f"{self.serve.url}/")
        self.assertIn(self.cookie_name, page.cookies())
        # Nor does the way back lead to it.
        self.assertEqual(page.evaluate("history.length"), 2)
        page.call("goBack")
        self.assertEqual(page.url, "about:blank")

    def test_sign_out_ends_the_login_here_and_at_the_server(self):
        page = self.signed_in()
        cookie = page.cookies()[self.cookie_name]
        page.call("click", "text=Sign out")
        page.call("waitForURL", f"{self.serve.url}/login")
        self.assertNotIn(self.cookie_name, page.cookies())
        kept = {"Cookie": f"{self.cookie_name}={cookie['value']}"}
        self.assertEqual(self.serve.get("/", headers=kept)[0], 401)
        self.assertEqual(page.goto(self.serve.url + "/"), 401)


class PagesTest(ServeTestCase):
    def test_start_page_shows_sessions_and_opens_their_ports(self):
        self.running_session()
        waiting = self.serve.create(self.user, ide="jupyter")
        app = self.recorder("the app is here")
        page = self.signed_in()
        page.wait_for_selector("tr:has-text('main-vscode'):has-text('running')")
        page.wait_for_selector("tr:has-text('main-jupyter'):has-text('starting')")
        page.call("fill", "input[name=port]", str(app.port))
        page.call("click", "text=Open")
        page.wait_for_text("the app is here")
        self.assertEqual(page.url, self.port_url(app.port))
        self.check_active_mark(page, waiting["id"])

    def check_active_mark(self, page, other):
        page.goto(self.serve.url + "/")
        page.wait_for_selector("tr:has-text('main-vscode') >> text=/^active$/")
        page.call("click", "tr:has-text('main-jupyter') >> text=Make active")
        page.wait_for_selector("tr:has-text('main-jupyter') >> text=/^active$/")
        status, _, body = self.serve.get("/api/v1/sessions/active", self.user)
        self.assertEqual((status, json.loads(body)["id"]), (200, other))

    def test_short_address_leads_to_the_active_session(self):
        page = self.signed_in()
        self.assertEqual(page.goto(f"{self.serve.url}/port/5500/"), 404)
        page.wait_for_text("no active session")
        self.running_session()
        app = self.recorder("the app is here")
        page.goto(f"{self.serve.url}/port/{app.port}/x")
        page.wait_for_text("the app is here")
        self.assertEqual(page.url, self.port_url(app.port, "x"))

    def test_ended_session_says_so(self):
        session = self.running_session()
        page = self.signed_in()
        self.serve.request("DELETE", f"/api/v1/sessions/{session['id']}", self.user)
        self.serve.wait_for_state(self.user, session["id"], "ended")
        self.assertEqual(page.goto(self.port_url(5500)), 410)
        page.wait_for_text("ended by its user")
        page.call("click", "text=Start page")
        page.wait_for_text("You have no session")

    def test_waiting_page_goes_on_by_itself(self):
        session = self.running_session()
        app = self.recorder("the app is here")
        for scripts in (True, False):
            with self.subTest(scripts=scripts):
                page = self.signed_in(javaScriptEnabled=scripts)
                (connection,) = self.host.ssh_sessions()
                self.host.stop_sshd()
                kill_tree(connection)
                wait_until(lambda: self.serve.session(
                    self.user, session["id"])["state"] == "reconnecting", "the loss is seen")
                self.assertEqual(page.goto(self.port_url(app.port)), 503)
                page.wait_for_text("goes on by itself")
                self.host.start_sshd()
                page.wait_for_text("the app is here")
                self.assertEqual(page.url, self.port_url(app.port))


class AppsTest(ServeTestCase):
    # The login page's own status.
    allowed = ("401",)

    def setUp(self):
        super().setUp()
        self.running_session()

    def test_live_server(self):
        app = self.start_app("live")
        page = self.signed_in(self.port_url(app.port))
        page.wait_for_socket(self.port_path(app.port, "/ws"))
        self.check_reload(page, app.editor("index.html"), self.allowed)

    def test_vite_as_it_is(self):
        """It works only at /: the root fallback leads its files and its WebSocket to it."""
        app = self.start_app("vite")
        page = self.signed_in(self.port_url(app.port))
        page.wait_for_socket("/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"), self.allowed)

    def test_vite_with_its_base_path(self):
        app = self.start_app("vite", "--base", self.port_path("{port}", route="absport"))
        page = self.signed_in(self.port_url(app.port, route="absport"))
        page.wait_for_socket(self.port_path(app.port, "?token=", "absport"), received=1)
        self.check_hot_update(page, app.editor("message.js"), self.allowed)

    def test_socket_io_as_it_is(self):
        app = self.start_app("socketio")
        page = self.signed_in(self.port_url(app.port))
        page.wait_for_text("the reply over websocket")
        page.wait_for_socket("/socket.io/", received=1)
        self.assertEqual(page.faults(self.allowed), [])


@unittest.skipUnless(may_mount(), "a password for sshd needs root and a mount namespace")
class SshLoginTest(ServeTestCase):
    """--auth ssh: sshd's own questions, at our login page."""

    host_class = PasswordHost
    options = ("--auth", "ssh")
    questions = ("LOGIN's password",)

    def keys(self):
        return {}

    def ask_to_sign_in(self, page):
        page.call("fill", "input[name=user]", self.user)
        page.call("click", "text=Continue")
        page.wait_for_selector("input[name=answer]")

    def answer(self, page, text):
        page.call("fill", "input[name=answer]", text)
        page.call("click", "text=Continue")

    def test_wrong_answer_right_answer_and_a_session_over_that_connection(self):
        page = self.browser.open()
        url = f"{self.serve.url}/?x=1"
        self.assertEqual(page.goto(url), 401)
        self.ask_to_sign_in(page)
        self.assertEqual(page.call("getAttribute", "input[name=answer]", "type"), "password")
        self.answer(page, "wrong")
        page.wait_for_selector(".warning")
        self.assertNotIn(self.cookie_name, page.cookies())
        self.ask_to_sign_in(page)
        for question in self.questions:
            page.wait_for_text(question.replace("LOGIN", f"{self.user}@127.0.0.1"))
            self.assertNotIn(self.cookie_name, page.cookies())
            self.answer(page, self.host.password)
        page.wait_for_text("You have no session")
        self.assertEqual(page.url, url)
        self.assertTrue(page.cookies()[self.cookie_name]["httpOnly"])
        self.check_session(page)

    def check_session(self, page):
        (adopted,) = self.host.ssh_sessions()
        self.running_session()
        app = self.recorder("the app is here")
        page.goto(self.port_url(app.port))
        page.wait_for_text("the app is here")
        self.assertEqual(self.host.ssh_sessions(), [adopted])
        self.assertNotIn(self.host.password, self.serve.said())

    def test_begin_again(self):
        page = self.browser.open(f"{self.serve.url}/login")
        self.ask_to_sign_in(page)
        page.call("click", "text=Begin again")
        page.wait_for_selector("input[name=user]")


class TwoStepLoginTest(SshLoginTest):
    host_class = TwoStepHost
    questions = ("LOGIN's password", "(LOGIN) Password:")

    def test_begin_again(self):
        """At the second question."""
        page = self.browser.open(f"{self.serve.url}/login")
        self.ask_to_sign_in(page)
        self.answer(page, self.host.password)
        page.wait_for_text(f"({self.user}@127.0.0.1) Password:")
        page.call("click", "text=Begin again")
        page.wait_for_selector("input[name=user]")


if __name__ == "__main__":
    harness.main()
