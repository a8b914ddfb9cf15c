#!/usr/bin/python3
"""The user's listening ports: /ports, the waiting page, and the commands that ask for them."""

import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

NAVIGATION = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")]
# Listens on the address that it is told, says where, and stays.
LISTEN = r"""
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print("ready", listener.getsockname()[1], flush=True)
while True:
    listener.accept()[0].close()
"""


class PortsCase(harness.TestCase):
    def listen(self, address="127.0.0.1", uid=harness.USER_UID, program="/usr/bin/python3", port=0):
        """A program that listens; returns its port and process."""
        process, log = self.popen([program, "-c", LISTEN, address, port], uid)
        line = harness.wait_until(lambda: log.read_text().splitlines() or process.poll(),
                                  "the program listens")
        if not isinstance(line, list) or not line[0].startswith("ready"):
            self.skipTest(f"cannot listen on {address}: {log.read_text()}")
        return int(line[0].split()[1]), process

    def ports(self, proxy):
        """What /ports says, by port, once every program has been looked for."""
        def complete():
            answer = proxy.get("/ports").json()
            return answer if answer["names_complete"] else None
        return {port["port"]: port for port in harness.wait_until(complete, "all names")["ports"]}


class PortsTest(PortsCase):
    def test_own_listeners_on_every_kind_of_address(self):
        listeners = {address: self.listen(address)
                     for address in ("127.0.0.1", "0.0.0.0", "::1", "::")}
        proxy = self.start()
        ports = self.ports(proxy)
        for address, (port, process) in listeners.items():
            self.assertEqual(ports[port]["addresses"], [address])
            self.assertEqual((ports[port]["process"], ports[port]["pid"]),
                             ("python3", process.pid))
            self.assertLess(ports[port]["age_seconds"], 600)
            self.assertEqual(ports[port]["path"], f"port/{port}/")
        self.assertNotIn(proxy.port, ports, "hpc-proxy is no app")

    def test_what_cannot_be_reached_is_not_listed(self):
        port, _ = self.listen("127.0.0.2")
        self.assertNotIn(port, self.ports(self.start()))

    def test_page_has_links_and_a_hostile_name_is_text(self):
        # A name in the file system holds no slash, so the element is never closed.
        hostile = self.base / "<script>alert(1)<b>"
        shutil.copy(pathlib.Path("/usr/bin/python3").resolve(), hostile)
        port, _ = self.listen(program=hostile)
        proxy = self.start()
        self.assertEqual(self.ports(proxy)[port]["process"], "<script>alert(1)<b>")
        pages = [proxy.get(target, NAVIGATION) for target in ("/ports", "/port/1024/", "/nothing")]
        self.assertEqual([page.status for page in pages], [200, 503, 404])
        for page in pages:
            text = page.body.decode()
            self.assertIn("&lt;script&gt;alert(1)&lt;b&gt;", text)
            self.assertNotIn("<script", text)
            self.assertIn("default-src 'none'", page.field("Content-Security-Policy"))
        self.assertIn(f'<a href="port/{port}/">', pages[0].body.decode())
        self.assertIn(f'<a href="../../port/{port}/">', pages[1].body.decode())
        self.assertIn('http-equiv="refresh"', pages[1].body.decode())

    def test_ports_that_are_not_let_through_are_listed_without_a_link(self):
        port, _ = self.listen()
        proxy = self.start("--allow-ports", f"1024-{port - 1}")
        self.assertIsNone(self.ports(proxy)[port]["url"])
        self.assertNotIn(f"port/{port}/", proxy.get("/ports", NAVIGATION).body.decode())

    def test_problem_names_what_listens(self):
        port, _ = self.listen()
        proxy = self.start()
        self.ports(proxy)
        problem = proxy.get("/port/1024/").json()
        self.assertIn(port, [one["port"] for one in problem["listening"]])
        self.assertIn("yours are ", problem["detail"])

    def test_port_that_comes_and_goes(self):
        proxy = self.start()
        port, process = self.listen()
        harness.wait_until(lambda: port in self.ports(proxy), "the new listener is listed")
        process.kill()
        process.wait()
        harness.wait_until(lambda: port not in self.ports(proxy), "the old one is not")

    def test_strangers_learn_nothing(self):
        port, _ = self.listen()
        proxy = self.start("--require-token")
        for target in ("/ports", "/metrics", "/port/1024/", "/nothing"):
            answer = proxy.get(target, token=False)
            self.assertEqual(answer.status, 401)
            self.assertNotIn(str(port), answer.body.decode())

    def test_metrics(self):
        proxy = self.start()
        answer = proxy.get("/metrics")
        self.assertEqual(answer.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
        samples = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines()
                       if not line.startswith("#"))
        self.assertGreaterEqual(int(samples["hpc_proxy_requests_total"]), 1)
        self.assertGreater(int(samples["hpc_proxy_open_fds"]), 3)
        self.assertGreater(int(samples["hpc_proxy_resident_memory_bytes"]), 100_000)


@unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
class ForeignPortsTest(PortsCase):
    def test_other_users_ports_are_not_told(self):
        proxy = self.start()
        for uid in (harness.OTHER_UID, 0):
            port, _ = self.listen(uid=uid)
            self.assertNotIn(port, self.ports(proxy))
            page = proxy.get(f"/port/{port}/", NAVIGATION)
            self.assertEqual(page.status, 403)
            self.assertIn("--allow-foreign-ports", page.body.decode())
            self.assertNotIn(f'port/{port}/"', page.body.decode())

    def test_wait_is_for_a_program_of_ones_own(self):
        self.start()
        port, process = self.listen(uid=harness.OTHER_UID)
        self.assert_refused(5, "belongs to another user", arguments=("wait", port, "--timeout", 0))
        allowed = self.run_proxy("wait", port, "--timeout", 0, "--allow-foreign-ports", port)
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        process.kill()
        process.wait()
        self.assert_refused(5, "nothing listens", arguments=("wait", port, "--timeout", 0))
        self.listen("::1", port=port)
        self.assertEqual(self.run_proxy("wait", port, "--timeout", 0).returncode, 0)


class PortsVerbTest(PortsCase):
    def test_not_running(self):
        self.assert_refused(3, "not running", arguments=("ports",))

    def test_lines_for_scripts(self):
        self.start()
        port, process = self.listen()
        done = self.run_proxy("ports")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        (row,) = [row for row in rows if row[0] == str(port)]
        self.assertEqual(row[1:3], ["python3", str(process.pid)])
        self.assertEqual(row[4], f"http://127.0.0.1:9000/port/{port}/")
        answer = json.loads(self.run_proxy("ports", "--json").stdout)
        self.assertIn(port, [one["port"] for one in answer["ports"]])

    def test_table_on_a_terminal(self):
        self.start()
        self.listen()
        parent, child = pty.openpty()
        with os.fdopen(parent, "rb", 0) as terminal:
            with os.fdopen(child, "wb", 0) as out:
                done = subprocess.run(harness.as_user(harness.USER_UID, [str(self.program), "ports"]),
                                      check=False, stdout=out, stdin=subprocess.DEVNULL,
                                      env=self.environment(), timeout=60)
            self.assertEqual(done.returncode, 0)
            self.assertTrue(terminal.read(65536).startswith(b"PORT "))

    def test_help_of_every_command(self):
        for verb in ("status", "ports", "url", "env", "wait", "app", "stop"):
            done = self.run_proxy(verb, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith(f"Usage: hpc-proxy {verb}"))
            self.assertIn("\nExamples:\n", done.stdout)


if __name__ == "__main__":
    harness.main()
