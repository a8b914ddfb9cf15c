"""Chromium in front of a real `hpc-manager serve`, with a real sshd and a real hpc-proxy behind it.

    class MyTest(serve_case.ServeTestCase):
        def test_it(self):
            session = self.running_session()
            page = self.signed_in(self.port_url(5500))
"""

import http.server
import pathlib
import subprocess
import threading

import apps
import harness
from connect_site import LoginHost
from serve_site import Serve, ShowsServeLog


class Recorder(http.server.ThreadingHTTPServer):
    """An app, or another site: shows `body` at every path and keeps what it was asked. `asked` has
    (method, path, fields) without what browsers ask for by themselves."""

    daemon_threads = True

    def __init__(self, body, address="127.0.0.1", **fields):
        super().__init__((address, 0), RecorderHandler)
        self.port = self.server_address[1]
        self.body, self.fields, self.asked, self.files = body, fields, [], {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class RecorderHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/favicon.ico":
            self.server.asked.append((self.command, self.path, self.headers.items()))
        kind, body = self.server.files.get(self.path, ("text/html", self.server.body))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        for name, value in self.server.fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET


class PasswordHost(LoginHost):
    """A login host whose sshd asks for the account's password and takes no key. It sees an
    /etc/shadow and rules of PAM of its own, so nothing of this machine changes; needs root."""

    password = "correct horse"
    lines = ()

    def start_sshd(self, *extra):
        hashed = subprocess.run(["openssl", "passwd", "-6", self.password], check=True,
                                capture_output=True, text=True).stdout.strip()
        shadow = self.directory / "shadow"
        shadow.write_text(f"{self.user}:{hashed}:19000:0:99999:7:::\n"
                          "sshd:!:19000::::::\n")
        shadow.chmod(0o600)
        (self.directory / "pam").write_text("auth required pam_unix.so\n"
                                            "account required pam_permit.so\n"
                                            "session required pam_permit.so\n")
        super().start_sshd("PubkeyAuthentication no", "PasswordAuthentication yes",
                           "PermitRootLogin yes", *self.lines, *extra)

    def sshd_command(self, config):
        mount = ('cd "$0" && mount --bind shadow /etc/shadow && mount --bind pam /etc/pam.d/sshd && '
                 'exec "$@"')
        return ["unshare", "-m", "sh", "-c", mount, self.directory, *super().sshd_command(config)]


class TwoStepHost(PasswordHost):
    """Its sshd asks a second time, in its own words, as it does for one-time codes."""

    lines = ("UsePAM yes", "KbdInteractiveAuthentication yes",
             "AuthenticationMethods password,keyboard-interactive")


def may_mount():
    return harness.IS_ROOT and subprocess.run(["unshare", "-m", "true"], check=False,
                                              capture_output=True).returncode == 0


class ServeTestCase(ShowsServeLog, apps.BrowserTestCase):
    """One host, one serve and one user for each test."""

    # Everything here is of the user who runs the test: sshd logs in nobody else.
    uid = None
    host_class = LoginHost
    options = ()

    def setUp(self):
        super().setUp()
        self.host = self.host_class()
        self.addCleanup(self.host.close)
        self.user = self.host.user
        self.serve = Serve({"main": f"127.0.0.1:{self.host.port}"}, self.keys(),
                           [self.host.known_hosts], *self.options)
        self.addCleanup(self.serve.close)
        self.serve.start()

    def keys(self):
        return {self.user: self.host.key}

    def recorder(self, body, **options):
        recorder = Recorder(body, **options)
        self.addCleanup(recorder.close)
        return recorder

    def running_session(self, **more):
        self.host.start_proxy()
        session = self.serve.create(self.user, **more)
        self.serve.wait_for_state(self.user, session["id"])
        return session

    def port_path(self, port, rest="", route="port"):
        return f"/user/{self.user}/main/vscode/{route}/{port}/{rest}"

    def port_url(self, port, rest="", route="port"):
        return self.serve.url + self.port_path(port, rest, route)

    @property
    def cookie_name(self):
        return f"hpc-manager-{self.serve.port}"

    def give_token(self, page, token):
        """Types it into the login form that the page shows."""
        page.call("fill", "input[name=token]", token)
        page.call("click", "button")

    def signed_in(self, url=None, **options):
        """A page that has logged in with a token at the form, at that URL."""
        page = self.browser.open(**options)
        self.assertEqual(page.goto(url or self.serve.url + "/"), 401)
        self.give_token(page, self.serve.token(self.user))
        page.call("waitForURL", url or self.serve.url + "/")
        return page
