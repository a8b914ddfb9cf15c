#!/usr/bin/python3
"""Who may use hpc-proxy: the token, processes of the same user, and nobody else."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

CURL_STATUS = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}"]


class AccessTest(harness.TestCase):
    def curl(self, uid, url, *arguments):
        """The status that curl gets as that user."""
        done = subprocess.run(harness.as_user(uid, [*CURL_STATUS, *arguments, url]), check=True,
                              capture_output=True, text=True, timeout=60)
        return int(done.stdout)

    def setUp(self):
        super().setUp()
        self.port = self.http_app(harness.EchoHandler)

    def test_same_user_needs_no_token(self):
        proxy = self.start()
        for host in ("127.0.0.1", "[::1]"):
            url = f"http://{host}:{proxy.port}/port/{self.port}/"
            self.assertEqual(self.curl(harness.USER_UID, url), 200, host)

    def test_memory_is_closed_to_other_programs_of_the_user(self):
        proxy = self.start()
        for name in ("environ", "mem", "maps"):
            done = subprocess.run(
                harness.as_user(harness.USER_UID, ["cat", f"/proc/{proxy.process.pid}/{name}"]),
                check=False, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn("Permission denied", done.stderr, name)

    @unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
    def test_other_user_needs_the_token(self):
        proxy = self.start()
        for path in (f"/port/{self.port}/", "/status", "/nothing"):
            url = f"http://127.0.0.1:{proxy.port}{path}"
            self.assertEqual(self.curl(harness.OTHER_UID, url), 401, path)
            self.assertEqual(self.curl(0, url), 401, f"{path} as root")
        url = f"http://127.0.0.1:{proxy.port}/port/{self.port}/"
        self.assertEqual(
            self.curl(harness.OTHER_UID, url, "-H", f"X-HPC-Proxy-Token: {proxy.token}"), 200)
        self.assertEqual(
            self.curl(harness.OTHER_UID, url, "-H", f"X-HPC-Proxy-Token: {'0' * 64}"), 401)
        self.assertEqual(self.curl(harness.OTHER_UID, f"http://127.0.0.1:{proxy.port}/healthz"),
                         200)

    def test_require_token_means_everybody(self):
        proxy = self.start("--require-token")
        url = f"http://127.0.0.1:{proxy.port}/status"
        self.assertEqual(self.curl(harness.USER_UID, url), 401)
        self.assertEqual(proxy.get("/status").status, 200)
        self.assertEqual(self.run_proxy("status").returncode, 0)

    def test_refusal_is_the_same_for_everything(self):
        proxy = self.start("--require-token")
        answers = [proxy.get(target, token=False)
                   for target in ("/status", "/", f"/port/{self.port}/", "/port/1/")]
        self.assertEqual({answer.status for answer in answers}, {401})
        self.assertEqual(len({answer.body for answer in answers}), 1)
        self.assertEqual(answers[0].field("WWW-Authenticate"), "HPC-Proxy-Token")

    def test_cross_site_rule_for_the_same_user(self):
        proxy = self.start()
        url = f"http://127.0.0.1:{proxy.port}/port/{self.port}/"
        own = f"http://127.0.0.1:{proxy.port}"
        for fields, want in (
                ([], 200),
                (["Host: evil.example"], 403),
                (["Sec-Fetch-Site: none"], 200),
                (["Sec-Fetch-Site: same-site"], 403),
                (["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate",
                  "Sec-Fetch-Dest: document"], 200),
                ([f"Origin: {own}"], 200),
                (["Origin: http://evil.example"], 403),
                (["Origin: null"], 403)):
            arguments = [word for field in fields for word in ("-H", field)]
            self.assertEqual(self.curl(harness.USER_UID, url, *arguments), want, fields)

    def test_token_does_not_reach_the_app(self):
        proxy = self.start()
        seen = proxy.get(f"/port/{self.port}/").json()["fields"]
        self.assertNotIn(proxy.token, str(seen))
        self.assertEqual([name for name, _ in seen if name.lower().startswith("x-hpc")], [])

    def test_unauthenticated_connection_ends_after_one_answer(self):
        proxy = self.start("--require-token")
        with proxy.connect() as connection:
            connection.send("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2)
            self.assertEqual(connection.read_answer().status, 401)
            self.assertTrue(connection.at_end())

    def test_hello_then_request_on_one_connection(self):
        proxy = self.start("--require-token")
        with proxy.connect() as connection:
            connection.send(f"GET /.hpc-proxy/hello?nonce={'a' * 64} HTTP/1.1\r\n"
                            "Host: 127.0.0.1\r\n\r\n")
            self.assertEqual(set(connection.read_answer().json()), {"hmac"})
            connection.send(f"GET /port/{self.port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            f"X-HPC-Proxy-Token: {proxy.token}\r\n\r\n")
            self.assertEqual(connection.read_answer().status, 200)

    def test_hello_is_the_hmac_of_the_contract(self):
        import hashlib
        import hmac
        proxy = self.start()
        nonce = "0123456789abcdefABCDEF" + "0" * 42
        want = hmac.new(bytes.fromhex(proxy.token), f"hpc-proxy hello v1\n{nonce}".encode(),
                        hashlib.sha256).hexdigest()
        answer = proxy.get(f"/.hpc-proxy/hello?nonce={nonce}", token=False)
        self.assertEqual(answer.json(), {"hmac": want})
        self.assertEqual(proxy.get("/.hpc-proxy/hello?nonce=1", token=False).status, 400)


if __name__ == "__main__":
    harness.main()
