#!/usr/bin/python3
"""hpc-manager connect over a real sshd, to a real hpc-proxy and a small app, as one user."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from connect_site import App, LoginHost, free_port, kill_tree  # noqa: E402
from shows_logs import ShowsLogs  # noqa: E402
from waiting import wait_until  # noqa: E402
from websocket import WebSocket, WebSocketError  # noqa: E402

USAGE, NOT_FOUND, NOT_AUTHENTICATED = 2, 3, 4
FAILURE = 1


class ConnectTest(ShowsLogs, unittest.TestCase):
    def setUp(self):
        self.host = LoginHost()
        self.addCleanup(self.host.close)
        self.app = App()
        self.addCleanup(self.app.shutdown)

    def logs(self):
        return self.host.logs()

    def app_answer(self, manager, path="/", **options):
        status, fields, body = manager.get(f"/port/{self.app.port}{path}", **options)
        self.assertEqual(status, 200, body)
        return json.loads(body), fields


class PathTest(ConnectTest):
    """One connection, everything that works over it."""

    def setUp(self):
        super().setUp()
        self.host.start_proxy()
        self.manager = self.host.connect()

    def test_page_through_the_whole_path(self):
        answer, fields = self.app_answer(
            self.manager, "/a%2fb//c?x=1",
            headers={"Cookie": "app=1; hpc-manager-9000=secret; b=2", "X-Forwarded-For": "6.6.6.6",
                     "X-Forwarded-Prefix": "/evil", "X-HPC-Proxy-Token": "0" * 64,
                     "Forwarded": "for=6.6.6.6"})
        self.assertEqual(answer["path"], "/a%2fb//c?x=1")
        got = dict(answer["headers"])
        self.assertEqual(got["cookie"], "app=1; b=2")
        self.assertEqual(got["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(got["x-forwarded-host"], f"127.0.0.1:{self.manager.port}")
        self.assertEqual(got["x-forwarded-prefix"], f"/port/{self.app.port}")
        self.assertNotIn("x-hpc-proxy-token", got)
        self.assertNotIn("6.6.6.6", json.dumps(answer))
        cookies = fields.get_all("Set-Cookie")
        self.assertTrue(any(c.startswith("app=1") for c in cookies), cookies)
        self.assertFalse(any("hpc-manager" in c for c in cookies), cookies)
        self.assertIsNone(fields["Strict-Transport-Security"])

    def test_each_side_sees_its_own_names(self):
        ours, app = f"http://127.0.0.1:{self.manager.port}", f"/port/{self.app.port}"
        answer, fields = self.app_answer(
            self.manager, "/a?x", headers={"Origin": ours, "Referer": f"{ours}{app}/page?y"})
        got = dict(answer["headers"])
        own = f"localhost:{self.app.port}"
        self.assertEqual((got["host"], got["origin"], got["referer"]),
                         (own, f"http://{own}", f"http://{own}/page?y"))
        self.assertEqual(fields["Content-Location"], f"{app}/a?x")
        self.assertEqual(fields.get_all("Set-Cookie"), [f"app=1; Path={app}/"])

    def test_bodies_and_methods(self):
        body = "x" * 300_000
        status, _, answer = self.manager.request("POST", f"/port/{self.app.port}/in", body=body)
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(answer)["body"], body)
        status, _, answer = self.manager.request("HEAD", f"/port/{self.app.port}/")
        self.assertEqual((status, answer), (200, b""))

    def test_websocket_echo(self):
        with WebSocket(f"http://127.0.0.1:{self.manager.port}/port/{self.app.port}/ws") as ws:
            ws._socket.sendall(b"\x81\x05hello")  # the app sends it back as it is
            self.assertEqual(ws.receive(timeout=10), "hello")
        with self.assertRaises(WebSocketError):
            WebSocket(f"http://127.0.0.1:{self.manager.port}/port/{self.app.port}/ws",
                      headers={"Origin": "http://evil.example"})

    def test_our_own_pages(self):
        status, fields, body = self.manager.get("/")
        self.assertEqual(status, 200)
        self.assertIn(b"/port/5500/", body)
        self.assertIn("default-src 'none'", fields["Content-Security-Policy"])
        status, _, body = self.manager.get("/status")
        self.assertEqual(json.loads(body)["host"], socket.gethostname())
        for path in ("/.hpc-proxy/hello?nonce=" + "0" * 64, "/.hpc-proxy", "/.hpc-manager/open"):
            self.assertEqual(self.manager.get(path)[0], 404, path)
        status, fields, _ = self.manager.get(f"/port/{self.app.port}?q=1")
        self.assertEqual((status, fields["Location"]), (308, f"/port/{self.app.port}/?q=1"))

    def test_ports_of_the_node(self):
        status, _, body = self.manager.get("/ports", headers={"Accept": "text/html"})
        self.assertEqual(status, 200)
        self.assertIn(f'<a href="port/{self.app.port}/">{self.app.port}</a>', body.decode())
        status, _, body = self.manager.get("/ports", headers={"Accept": "application/json"})
        self.assertEqual(status, 200)
        self.assertIn(self.app.port, [port["port"] for port in json.loads(body)["ports"]])
        status, _, body = self.manager.get("/port/1/", headers={"Accept": "text/html"})
        self.assertEqual(status, 403)
        self.assertIn(f'"../../port/{self.app.port}/"', body.decode())

    def test_both_families(self):
        if not has_ipv6():
            self.skipTest("no IPv6 on loopback")
        status, _, _ = self.manager.get("/healthz", address="::1")
        self.assertEqual(status, 200)

    def test_another_sites_page_is_refused(self):
        for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Origin": "http://evil.example"}):
            self.assertEqual(self.manager.get("/status", headers=headers)[0], 403, headers)

    def test_another_users_process_is_a_stranger(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        asked = subprocess.run(
            ["/usr/bin/python3", "-c", f"""
import os, urllib.request, urllib.error
os.setuid(65533)
try:
    print(urllib.request.urlopen("http://127.0.0.1:{self.manager.port}/status").status)
except urllib.error.HTTPError as error:
    print(error.code, error.headers["WWW-Authenticate"])
"""], capture_output=True, text=True, timeout=20)
        self.assertEqual(asked.stdout.strip(), "401 HPC-Manager", asked.stderr)

    def test_no_secret_is_visible(self):
        token = json.loads(self.host.records()[0].read_text())["token"]
        self.app_answer(self.manager)
        self.assertNotIn(token, self.manager.said())
        proc = pathlib.Path(f"/proc/{self.manager.process.pid}")
        if os.getuid() == 0:
            self.assertNotIn(token.encode(), (proc / "cmdline").read_bytes())
            self.assertNotIn(token.encode(), (proc / "environ").read_bytes())

    def test_ends_gently(self):
        self.assertEqual(self.manager.stop(), 0, self.manager.said())
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", self.manager.port)), 0)


class UrlAccessTest(ConnectTest):
    def test_the_url_works_once_and_its_cookie_afterwards(self):
        self.host.start_proxy()
        manager = self.host.connect("--access", "url")
        path = manager.url[len(f"http://127.0.0.1:{manager.port}"):]
        self.assertEqual(manager.get("/status")[0], 401)
        self.assertEqual(manager.get(path[:-1] + ("0" if path[-1] != "0" else "1"))[0], 401)
        status, fields, _ = manager.get(path)
        self.assertEqual((status, fields["Location"]), (303, "/"))
        cookie = fields["Set-Cookie"]
        self.assertTrue(cookie.startswith(f"hpc-manager-{manager.port}="), cookie)
        self.assertIn("HttpOnly", cookie)
        self.assertIn("SameSite=Lax", cookie)
        self.assertEqual(manager.get(path)[0], 401, "only once")
        mine = {"Cookie": "app=1; " + cookie.split(";")[0]}
        answer, _ = self.app_answer(manager, headers=mine)
        self.assertEqual(dict(answer["headers"])["cookie"], "app=1")
        self.assertEqual(manager.get("/status", headers={**mine, "Sec-Fetch-Site": "cross-site"})[0],
                         403)
        self.assertEqual(manager.get("/status", headers={
            "Cookie": f"hpc-manager-{manager.port}=" + "0" * 64})[0], 401)
        self.assertNotIn(path.split("=")[1], manager.said())


class ReconnectTest(ConnectTest):
    def test_comes_back_when_the_ssh_session_is_killed(self):
        self.host.start_proxy()
        manager = self.host.connect()
        self.app_answer(manager)
        (session,) = self.host.ssh_sessions()
        kill_tree(session)
        wait_until(lambda: "SSH connection was lost" in manager.said(), "the loss is seen")
        status, fields, body = manager.request("POST", f"/port/{self.app.port}/", body="x")
        self.assertEqual((status, fields["Retry-After"]), (503, "2"), body)
        self.app_answer(manager)  # waits, and is answered
        self.assertIn("ready again", manager.said())
        self.assertEqual(len(self.host.ssh_sessions()), 1, "one SSH connection, not more")

    def test_a_page_waits_while_sshd_is_away(self):
        self.host.start_proxy()
        manager = self.host.connect()
        (session,) = self.host.ssh_sessions()
        self.host.stop_sshd()
        kill_tree(session)
        wait_until(lambda: "SSH connection was lost" in manager.said(), "the loss is seen")
        status, fields, body = manager.get("/port/5500/", headers={"Accept": "text/html"})
        self.assertEqual(status, 503)
        self.assertIn(b"http-equiv=\"refresh\"", body)
        self.host.start_sshd()
        wait_until(lambda: manager.get(f"/port/{self.app.port}/")[0] == 200, "it works again", 30)

    def test_follows_hpc_proxy_to_another_port(self):
        proxy = self.host.start_proxy()
        manager = self.host.connect()
        self.app_answer(manager)
        proxy.terminate()
        proxy.wait(15)
        wait_until(lambda: "does not answer any more" in manager.said(), "the end is seen")
        self.host.start_proxy()
        self.app_answer(manager)
        wait_until(lambda: "with another hpc-proxy" in manager.said(), "it moved")

    def test_warm_channels_see_the_end_before_any_request(self):
        proxy = self.host.start_proxy()
        manager = self.host.connect()
        proxy.kill()
        proxy.wait()
        wait_until(lambda: "does not answer any more" in manager.said(), "the end is seen")


class FirstStepsTest(ConnectTest):
    """What a first connect can meet: message, next step and exit code."""

    def fails(self, code, *words, options=(), **change):
        got, out, said = self.host.connect_to_end(*options, **change)
        self.assertEqual(got, code, said)
        self.assertEqual(out, "", "no URL")
        for word in words:
            self.assertIn(word, said)
        return said

    def test_nothing_runs(self):
        self.fails(NOT_FOUND, "no hpc-proxy of yours runs", "hpc-proxy --daemon", "--wait")

    def test_without_an_ssh_program_it_says_what_is_not_read(self):
        self.fails(NOT_FOUND, "no `ssh` program is installed", path=self.host.directory)

    def test_wait_goes_on_looking(self):
        process = subprocess.Popen(self.host.manager_command("--wait"), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.host.processes.append(process)
        self.assertIn("connecting", process.stderr.readline())
        self.assertIn("no hpc-proxy of yours runs", process.stderr.readline())
        self.host.start_proxy()
        self.assertIn("http://127.0.0.1:", process.stdout.readline())
        process.terminate()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)

    def test_unknown_host_key(self):
        empty = self.host.directory / "empty"
        empty.write_text("")
        said = self.fails(NOT_AUTHENTICATED, "SHA256:", **{"--known-hosts": empty})
        self.assertIn("127.0.0.1", said)

    def test_changed_host_key(self):
        other = pathlib.Path(f"{self.host.make_key('other')}.pub").read_text()
        changed = self.host.directory / "changed"
        changed.write_text(f"[127.0.0.1]:{self.host.port} {other}")
        self.fails(NOT_AUTHENTICATED, "SHA256:", **{"--known-hosts": changed})

    def test_refused_key(self):
        self.fails(NOT_AUTHENTICATED, **{"--identity": self.host.make_key("stranger")})

    def test_no_sshd(self):
        self.host.stop_sshd()
        self.fails(FAILURE, "127.0.0.1")

    def test_forwarding_is_off(self):
        self.host.start_proxy()
        self.host.stop_sshd()
        self.host.start_sshd("AllowTcpForwarding no")
        self.fails(NOT_AUTHENTICATED, "AllowTcpForwarding")

    def test_stale_record(self):
        self.host.set_squeue("echo '4712 c1 4712'")
        self.host.write_record("4711", slurm_node="c1", host="c1")
        self.fails(NOT_FOUND, "4711: job 4711 is not running")

    def test_record_of_another_node(self):
        self.host.set_squeue("echo '4711 c2 4711'")
        self.host.write_record("4711", slurm_node="c1", host="c1")
        self.fails(NOT_FOUND, "job 4711 runs on c2 now")

    def test_squeue_fails(self):
        self.host.set_squeue("echo 'slurm_load_jobs error: no contact' >&2; exit 1")
        self.host.write_record("4711", slurm_node="c1", host="c1")
        self.fails(NOT_FOUND, "SLURM could not be asked", "no contact")

    def test_record_with_another_host(self):
        self.host.write_record("other-1", host="other")
        self.fails(NOT_FOUND, "started outside SLURM on other")

    def test_record_that_is_garbage(self):
        self.host.write_record("4711")
        self.host.records()[0].write_bytes(b"\xff\x00{\n| end\n" * 10)
        self.fails(NOT_FOUND, "record is not valid")

    def test_job_filter(self):
        self.host.start_proxy()
        self.fails(NOT_FOUND, "--job asks for 4711", options=("--job", "4711"))

    def test_nothing_listens_on_the_recorded_port(self):
        self.host.write_record("dead", port=free_port())
        self.fails(NOT_FOUND, "no hpc-proxy could be reached")

    def test_an_impostor_sees_nothing_but_the_hello(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        seen = []

        def impostor():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    head = connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
                                       b"{\"hmac\":\"0000\"}")
                    try:
                        head += connection.recv(65536)
                    except ConnectionResetError:
                        pass  # hung up on, as an impostor should be
                    seen.append(head)

        threading.Thread(target=impostor, daemon=True).start()
        record = self.host.write_record("4711", port=listener.getsockname()[1])
        self.fails(NOT_AUTHENTICATED, "not the hpc-proxy of the record")
        wait_until(lambda: seen, "the impostor has told what it saw")
        for text in seen:
            self.assertRegex(text, rb"\AGET /\.hpc-proxy/hello\?nonce=[0-9a-f]{64} HTTP/1\.1\r\n"
                                   rb"Host: 127\.0\.0\.1\r\n\r\n\Z")
            self.assertNotIn(record["token"].encode(), text)

    def test_login_noise_does_not_matter(self):
        self.host.start_proxy()
        (self.host.home / ".bashrc").write_text("echo welcome; echo host evil; printf noise\n")
        manager = self.host.connect()
        self.assertEqual(manager.get("/healthz")[0], 200)

    def test_busy_local_port(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = busy.getsockname()[1]
            self.fails(FAILURE, str(port), "in use", "--port", **{"--port": port})

    def test_usage(self):
        self.fails(USAGE, "--port", **{"--port": "70000"})


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
