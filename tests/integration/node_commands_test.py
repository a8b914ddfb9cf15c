#!/usr/bin/python3
"""The commands that talk to a running hpc-proxy: status, url, env, wait, stop."""

import json
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402


class CommandsTest(harness.TestCase):
    def test_not_running(self):
        for verb in ("status", "env", "stop"):
            self.assert_refused(3, "not running", arguments=(verb,))
        self.assertFalse((self.home / ".hpc-proxy").exists(), "looking makes nothing")

    def test_status(self):
        proxy = self.start()
        done = self.run_proxy("status")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, rf"(?m)^port +{proxy.port}$")
        status = json.loads(self.run_proxy("status", "--json").stdout)
        self.assertEqual((status["port"], status["pid"]), (proxy.port, proxy.process.pid))
        self.assertNotIn(proxy.token, done.stdout + str(status))

    def test_env(self):
        proxy = self.start("--url-template", "https://hpc.example.org/user/u/c/i/port/{port}/")
        done = self.run_proxy("env")
        self.assertEqual(done.stdout.splitlines(), [
            f"export HPC_PROXY_PORT={proxy.port}",
            "export HPC_PROXY_URL_TEMPLATE='https://hpc.example.org/user/u/c/i/port/{port}/'",
            "export VSCODE_PROXY_URI='https://hpc.example.org/user/u/c/i/port/{{port}}/'"])
        values = json.loads(self.run_proxy("env", "--json").stdout)
        self.assertEqual(values["HPC_PROXY_PORT"], str(proxy.port))

    def test_url(self):
        done = self.run_proxy("url", "5500")
        self.assertEqual(done.stdout, "http://127.0.0.1:9000/port/5500/\n")
        self.start("--url-template", "https://hpc.example.org/port/{port}/")
        self.assertEqual(self.run_proxy("url", "5500").stdout,
                         "https://hpc.example.org/port/5500/\n")
        self.assertEqual(json.loads(self.run_proxy("url", "80", "--json").stdout),
                         {"url": "https://hpc.example.org/port/80/"})
        self.assert_refused(2, "'0'", arguments=("url", "0"))
        self.assert_refused(2, arguments=("url",))

    def test_wait(self):
        self.assert_refused(5, "not running", arguments=("wait", "--timeout", "0"))
        outcome = []
        waiting = threading.Thread(
            target=lambda: outcome.append(self.run_proxy("wait", "--timeout", "30").returncode))
        waiting.start()
        self.start()
        waiting.join()
        self.assertEqual(outcome, [0])

    def test_wait_for_an_app(self):
        self.start()
        with harness.user_sockets():
            listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            port = listener.getsockname()[1]
            self.assertEqual(self.run_proxy("wait", port).returncode, 0)
        self.assert_refused(5, port, arguments=("wait", port, "--timeout", "0"))

    def test_stop(self):
        proxy = self.start()
        self.assertEqual(self.run_proxy("stop").returncode, 0)
        self.assertEqual(proxy.process.wait(harness.PATIENCE_SECONDS), 0)
        self.assert_refused(3, "not running", arguments=("stop",))

    def test_own_job_comes_first(self):
        first = self.start(variables={"SLURM_JOB_ID": "1"})
        second = self.start(variables={"SLURM_JOB_ID": "2"})
        for job, port in (("1", first.port), ("2", second.port), ("", second.port)):
            status = json.loads(
                self.run_proxy("status", "--json", variables={"SLURM_JOB_ID": job}).stdout)
            self.assertEqual(status["port"], port, job)

    def test_somebody_else_on_the_port_gets_no_token(self):
        seen = []

        def impostor(connection):
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"hmac":"00"}')

        proxy = self.start()
        (path,) = (self.home / ".hpc-proxy/jobs").glob("*.json")
        path.write_text(json.dumps({**proxy.record, "port": self.app(impostor)}))
        self.assert_refused(4, "somebody else", arguments=("status",))
        self.assertEqual(len(seen), 1)
        self.assertNotIn(proxy.token.encode(), seen[0])


if __name__ == "__main__":
    harness.main()
