"""Two users with jobs on one node: neither reaches, sees or learns anything of the other."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from slurm_site import SUPPORT  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import WebSocket, WebSocketError  # noqa: E402
from whole_path import WholePath, get  # noqa: E402

NODE = "c1"
ALICE_PORT, BOB_PORT, ROOT_PORT = 5500, 5600, 5700
SQUATTED_PORT, SHARED_PORT = 5510, 5520
SECRET = "secret-of-alice"
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate",
              "Sec-Fetch-Dest": "document"}
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}

# Asks all of its requests, each on a connection of its own, and prints the answers as JSON.
ASK = r"""
import http.client, json, sys
answers = []
for method, target, fields in json.loads(sys.argv[3]):
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
    connection.request(method, target, headers=fields)
    answer = connection.getresponse()
    answers.append([answer.status, dict(answer.getheaders()), answer.read().decode()])
    connection.close()
print(json.dumps(answers))
"""

# Listens, answers every request with its name, and writes down what it sees, until its standard
# input ends.
LISTENER = r"""
import os, socket, sys, threading
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.create_server((address, port), family=family)
print("ready", flush=True)
def end():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end).start()
def serve(connection):
    with connection:
        while data := connection.recv(65536):
            print("saw", data, flush=True)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                               (len(name), name.encode()))
        print("closed", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
"""


class Listener:
    """A program of that user (None: root) on an address of the node, in a with statement."""

    def __init__(self, site, user, address, port):
        self._log = open(site.directory / f"listener-{user}-{port}-{address}", "w+b")
        where = f"{user}@{NODE}" if user else NODE
        self._process = subprocess.Popen(
            [SUPPORT / "site.sh", "exec", site.directory, where, "/usr/bin/python3", "-c",
             LISTENER, user or "root", address, str(port)],
            stdin=subprocess.PIPE, stdout=self._log, stderr=self._log)
        wait_until(lambda: "ready" in self.seen() or self._process.poll() is not None,
                   f"a listener of {user}")
        if self._process.poll() is not None:
            raise AssertionError(self.seen())

    def seen(self):
        return pathlib.Path(self._log.name).read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate()
        self._log.close()


def content(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:  # SLURM replaces its files all the time
        return b""


def without_ages(body):
    """Two answers may lie on both sides of a full second or minute."""
    return re.sub(r'"age_seconds":\d+|\(in [^)]*\)', "", body)


class TwoUsersSameNodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = WholePath("--users", "2")
        cls.addClassCleanup(cls.path.close)
        cls.site = cls.path.site
        # Open homes: the directory of the records is to protect itself.
        for user in ("alice", "bob"):
            cls.site.home(user).chmod(0o755)
        # What is said is searched for tokens, so let everything be said.
        cls.jobs = {user: cls.path.start_app(user, NODE, port, HPC_PROXY_VERBOSE="1")
                    for user, port in (("alice", ALICE_PORT), ("bob", BOB_PORT))}
        cls.records = {user: cls.path.record(user) for user in cls.jobs}
        cls.managers = {user: cls.path.connect(user, "--verbose") for user in cls.jobs}

    def ask(self, where, owner, requests, address="127.0.0.1"):
        """[status, fields, body] of each (method, target, fields), asked by a program at `where`
        of the hpc-proxy of `owner`."""
        return json.loads(self.site.run(where, "/usr/bin/python3", "-c", ASK, address,
                                        self.records[owner]["port"], json.dumps(requests)))

    def alice_gets(self, port, status, body=None):
        got = get(f"{self.managers['alice'].url}/port/{port}/{SECRET}",
                  headers={"Cookie": SECRET})
        self.assertEqual(got[0], status, got[1])
        if body is not None:
            self.assertEqual(got[1], body)

    def test_each_reaches_the_own_app(self):
        for user, port in (("alice", ALICE_PORT), ("bob", BOB_PORT)):
            status, body = get(f"{self.managers[user].url}/port/{port}/who")
            self.assertEqual((status, json.loads(body)["user"], json.loads(body)["host"]),
                             (200, user, NODE))

    def test_proxy_of_another_user_is_closed(self):
        port = ALICE_PORT
        targets = [f"/port/{port}/", f"/port/{port}", f"/absport/{port}/", "/port/1/", "/app/",
                   "/absapp/", "/ports", "/status", "/metrics", "/", "/nothing"]
        requests = [("GET", target, fields) for target in targets
                    for fields in ({}, NAVIGATION, HANDSHAKE)]
        requests += [("POST", f"/port/{port}/", {}), ("PUT", "/status", {}),
                     ("GET", "/status", {"X-HPC-Proxy-Token": "0" * 64}),
                     ("GET", "/status", {"X-HPC-Proxy-Token": self.records["bob"]["token"]})]
        address = self.site.run(NODE, "hostname", "-I").split()[0]
        answers = self.ask(f"bob@{NODE}", "alice", requests)
        # The same from outside of the node, where the kernel cannot tell who it is.
        answers += self.ask("bob@login", "alice", requests, address)
        self.assertEqual([status for status, _, _ in answers], [401] * len(answers))
        self.assertEqual({fields["WWW-Authenticate"] for _, fields, _ in answers},
                         {"HPC-Proxy-Token"})
        self.assertEqual(len({body for _, _, body in answers}), 1, "a constant body")
        self.assertNotIn("alice", answers[0][2])

    def test_what_needs_no_token_tells_nothing(self):
        nonce = "0" * 64
        (health, hello) = self.ask(f"bob@{NODE}", "alice", [
            ("GET", "/healthz", {}), ("GET", f"/.hpc-proxy/hello?nonce={nonce}", {})])
        self.assertEqual((health[0], json.loads(health[2])), (200, {"status": "ok"}))
        self.assertEqual(hello[0], 200)
        self.assertEqual(list(json.loads(hello[2])), ["hmac"])

    def test_app_of_another_user_is_a_page_that_does_not_say_whose(self):
        with Listener(self.site, None, "127.0.0.1", ROOT_PORT) as listener:
            own = self.ask(f"bob@{NODE}", "bob", [
                ("GET", f"/port/{port}/", fields) for port in (ALICE_PORT, ROOT_PORT)
                for fields in (NAVIGATION, {})])
            for port in (ALICE_PORT, ROOT_PORT):
                status, body = get(f"{self.managers['bob'].url}/port/{port}/", headers=NAVIGATION)
                self.assertEqual(status, 403)
                own.append([status, {"Content-Type": "text/html"}, body.decode()])
            self.assertNotIn("saw", listener.seen())
        alices, roots = own[0:2] + own[4:5], own[2:4] + own[5:6]
        for (status, fields, body), (_, _, root_body) in zip(alices, roots):
            self.assertEqual(status, 403)
            self.assertIn("belongs to another user", body)
            # Not a word differs between two owners, so none is about the owner.
            self.assertEqual(without_ages(body).replace(str(ALICE_PORT), "N"),
                             without_ages(root_body).replace(str(ROOT_PORT), "N"))
            # What it lists are bob's own programs.
            self.assertNotIn(f"port/{ALICE_PORT}/", body)
            for secret in ("alice", str(self.records["alice"]["uid"])):
                self.assertNotIn(secret, body)
        self.assertIn("text/html", alices[0][1]["Content-Type"])
        self.assertEqual(alices[1][1]["Content-Type"], "application/problem+json")

    def test_squatter_sees_no_byte(self):
        for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            with Listener(self.site, "bob", address, SQUATTED_PORT) as squatter:
                self.alice_gets(SQUATTED_PORT, 403)
                with self.assertRaises(WebSocketError) as refused:
                    WebSocket(f"{self.managers['alice'].url}/port/{SQUATTED_PORT}/{SECRET}")
                self.assertIn("403", str(refused.exception))
                # What was connected has ended, so what was sent would have been seen.
                wait_until(lambda: squatter.seen().count("closed") >= 2, "both are closed")
                self.assertNotIn("saw", squatter.seen(), address)

    def test_squatter_on_the_other_family_is_passed_by(self):
        for theirs, ours in (("127.0.0.1", "::1"), ("::1", "127.0.0.1"), ("0.0.0.0", "::1")):
            with Listener(self.site, "bob", theirs, SHARED_PORT) as squatter, \
                    Listener(self.site, "alice", ours, SHARED_PORT) as own:
                for _ in range(3):
                    self.alice_gets(SHARED_PORT, 200, b"alice")
                # And the other way round, at the same time.
                status, body = get(f"{self.managers['bob'].url}/port/{SHARED_PORT}/")
                self.assertEqual((status, body), (200, b"bob"))
                self.assertNotIn(SECRET, squatter.seen(), theirs)
                self.assertEqual(own.seen().count(f"GET /{SECRET}"), 3)

    def test_squatter_after_the_own_app_ended(self):
        with Listener(self.site, "alice", "127.0.0.1", SHARED_PORT):
            self.alice_gets(SHARED_PORT, 200, b"alice")
        with Listener(self.site, "bob", "127.0.0.1", SHARED_PORT) as squatter:
            self.alice_gets(SHARED_PORT, 403)
            self.assertNotIn("saw", squatter.seen())

    def test_directory_of_the_records_protects_itself(self):
        record = f".hpc-proxy/jobs/{self.jobs['alice']}.json"
        for path in (".hpc-proxy", ".hpc-proxy/port", ".hpc-proxy/jobs", record):
            inside = f"{self.site_home('alice')}/{path}"
            self.assertTrue((self.site.home("alice") / path).exists(), path)
            said = self.site.run(f"bob@{NODE}", "sh", "-c",
                                 f"cat {inside} 2>&1; ls {inside} 2>&1; rm -rf {inside} 2>&1; :")
            self.assertEqual(said.count("Permission denied"), 3, said)
        self.assertEqual(self.site.run(f"bob@{NODE}", "ls", self.site_home("alice")).count(".out"),
                         1, "the home itself is open in this test")

    def site_home(self, user):
        return f"/mnt/home/{user}"

    def assert_no_token(self, text, where):
        for user in self.records:
            # Not assertNotIn, which would print whole environments.
            self.assertFalse(self.shows_token(text.encode(errors="surrogateescape"), user),
                             f"{user}'s token in {where}")

    def shows_token(self, data, user):
        token = self.records[user]["token"]
        return token.encode() in data or bytes.fromhex(token) in data

    def visit(self):
        """Something of every kind, so that there is something to be said about it."""
        for user, port in (("alice", ALICE_PORT), ("bob", BOB_PORT)):
            for target in (f"/port/{port}/who", "/status", "/ports", "/port/1/", "/nothing"):
                get(self.managers[user].url + target, headers=NAVIGATION)
            self.ask(f"bob@{NODE}", user, [
                ("GET", "/status", {"X-HPC-Proxy-Token": "f" * 64}),
                ("GET", f"/port/{ALICE_PORT}/who", HANDSHAKE)])

    def test_no_process_shows_a_token(self):
        self.visit()
        # Newlines for NULs: for a search and, should one be found, for a reader.
        script = r"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'"
        for where in (NODE, f"bob@{NODE}", f"alice@{NODE}", "login", "bob@login"):
            text = self.site.run(where, "bash", "-c", script)
            self.assert_no_token(text, f"/proc of {where}")
            # The search looks in the right place.
            self.assertIn("sshd" if "login" in where else "hpc-proxy", text)
        shown = self.site.run(NODE, "bash", "-c", script)
        self.assertIn(f"HPC_PROXY_PORT={self.records['alice']['port']}", shown)
        for user, manager in self.managers.items():
            proc = pathlib.Path(f"/proc/{manager.process.pid}")
            text = "".join((proc / name).read_text(errors="surrogateescape")
                           for name in ("cmdline", "environ"))
            self.assertIn(f"{user}@", text)
            self.assert_no_token(text, "hpc-manager")

    def test_no_log_and_no_other_file_shows_a_token(self):
        self.visit()
        for user, manager in self.managers.items():
            self.assertIn("ready", manager.text())
            self.assert_no_token(manager.text(), f"the messages of {user}'s hpc-manager")
        for user in self.records:
            log = self.site.home(user) / f".hpc-proxy/{self.jobs[user]}.log"
            self.assertIn("/status", log.read_text(), "hpc-proxy logs every request here")
            # All files of the site: job outputs, logs of sshd and SLURM, its state and spool.
            holders = [path for path in self.site.directory.rglob("*")
                       if path.is_file() and not path.is_symlink()
                       and self.shows_token(content(path), user)]
            self.assertEqual(holders, [self.site.home(user) /
                                       f".hpc-proxy/jobs/{self.jobs[user]}.json"])


if __name__ == "__main__":
    unittest.main()
