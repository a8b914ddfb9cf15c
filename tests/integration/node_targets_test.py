#!/usr/bin/python3
"""Whose app is reached: only programs of the same user, whatever else listens there."""

import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

# An app of any user: says "ready PORT", answers every request with its name, and writes down how
# many bytes it was sent. With the word "close" it stops listening and drops what it has.
APP = r"""
import socket, sys, threading
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.create_server((address, port), family=family)
print("ready", listener.getsockname()[1], flush=True)
def serve(connection):
    with connection:
        while (data := connection.recv(65536)):
            print("bytes", len(data), flush=True)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" %
                               (len(name), name.encode()))
        print("closed", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class App:
    def __init__(self, test, uid, name, address, port=0):
        self.process, self._log = test.popen(
            ["/usr/bin/python3", "-c", APP, name, address, port], uid)
        line = harness.wait_until(
            lambda: ("\n" in self.log and self.log.splitlines()) or self.process.poll(),
            f"{name} is ready")
        if not isinstance(line, list) or not line[0].startswith("ready"):
            test.skipTest(f"cannot listen on {address}: {self.log}")
        self.port = int(line[0].split()[1])

    @property
    def log(self):
        return self._log.read_text()

    def end(self):
        self.process.kill()
        self.process.wait()


@unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
class TargetsTest(harness.TestCase):
    def own(self, address="127.0.0.1", port=0):
        return App(self, harness.USER_UID, "own", address, port)

    def foreign(self, address="127.0.0.1", port=0, uid=harness.OTHER_UID):
        return App(self, uid, "foreign", address, port)

    def test_own_app_on_every_kind_of_address(self):
        proxy = self.start()
        for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            app = self.own(address)
            answer = proxy.get(f"/port/{app.port}/")
            self.assertEqual((answer.status, answer.body), (200, b"own"), address)

    def test_foreign_app_is_refused_and_sees_no_byte(self):
        proxy = self.start()
        for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            for uid in (harness.OTHER_UID, 0):
                app = self.foreign(address, uid=uid)
                answer = proxy.get(f"/port/{app.port}/secret", [("Cookie", "secret=1")])
                self.assertEqual(answer.status, 403, (address, uid))
                # What follows are ports of the user's own.
                detail = answer.json()["detail"].split("; yours are")[0]
                self.assertIn("belongs to another user", detail)
                self.assertNotIn(str(uid), detail.replace(str(app.port), ""))
                harness.wait_until(lambda: "closed" in app.log, "the connection is closed")
                self.assertNotIn("bytes", app.log)

    def test_page_for_a_person(self):
        app = self.foreign()
        page = self.start().get(f"/port/{app.port}/", [("Sec-Fetch-Mode", "navigate")])
        self.assertEqual(page.status, 403)
        self.assertIn("belongs to another user", page.body.decode())

    def test_own_app_behind_a_squatter(self):
        proxy = self.start()
        for theirs, ours in (("127.0.0.1", "::1"), ("::1", "127.0.0.1")):
            squatter = self.foreign(theirs)
            own = self.own(ours, squatter.port)
            for _ in range(3):
                answer = proxy.get(f"/port/{own.port}/")
                self.assertEqual((answer.status, answer.body), (200, b"own"), theirs)
            self.assertNotIn("bytes", squatter.log)
            own.end()
            # On its keep-alive connection or a new one: nothing goes to the squatter.
            self.assertEqual(proxy.get(f"/port/{squatter.port}/").status, 403)
            self.assertNotIn("bytes", squatter.log)

    def test_port_that_changes_hands(self):
        proxy = self.start()
        own = self.own()
        self.assertEqual(proxy.get(f"/port/{own.port}/").status, 200)
        own.end()
        squatter = self.foreign(port=own.port)
        self.assertEqual(proxy.get(f"/port/{own.port}/").status, 403)
        squatter.end()
        self.own(port=own.port)
        self.assertEqual(proxy.get(f"/port/{own.port}/").status, 200)
        self.assertNotIn("bytes", squatter.log)

    def test_foreign_ports_may_be_allowed(self):
        app, other = self.foreign(), self.foreign()
        proxy = self.start("--allow-foreign-ports", app.port)
        self.assertEqual(proxy.get(f"/port/{app.port}/").body, b"foreign")
        self.assertEqual(proxy.get(f"/port/{other.port}/").status, 403)

    def test_listener_that_does_not_accept(self):
        # Bound here by root and never accepted: only the listener tells whose it is.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            proxy = self.start()
            self.assertEqual(proxy.get(f"/port/{listener.getsockname()[1]}/").status, 403)
            connection, _ = listener.accept()
            with connection:
                self.assertEqual(connection.recv(1), b"")


if __name__ == "__main__":
    harness.main()
