#!/usr/bin/python3
"""How hpc-proxy starts and ends: ports, signals, drain, --daemon, --idle-exit, job scripts."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

JOB_SCRIPT_LINES = r"""
mkdir -p ~/.hpc-proxy; hpc-proxy --port 0 --verbose &
for i in {1..10}; do [ -f ~/.hpc-proxy/port ] && break; sleep 0.5; done
HPC_PROXY_PORT=$(cat ~/.hpc-proxy/port)
"""


class LifecycleTest(harness.TestCase):
    def busy_port(self, host="0.0.0.0"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family)
        self.addCleanup(listener.close)
        return listener.getsockname()[1]

    def shell(self, script, **options):
        """Runs a job script with hpc-proxy in its PATH."""
        path = f"{self.base}:{os.environ['PATH']}"
        return self.popen(["bash", "-c", script], variables={"PATH": path}, **options)

    def ask(self, proxy, target):
        connection = proxy.connect()
        self.addCleanup(connection.close)
        connection.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                        f"X-HPC-Proxy-Token: {proxy.token}\r\n\r\n")
        return connection

    def test_listens_on_both_families_and_all_addresses(self):
        proxy = self.start()
        for host in ("127.0.0.1", "::1", "127.9.8.7"):
            with proxy.connect(host) as connection:
                connection.send("GET /healthz HTTP/1.0\r\n\r\n")
                self.assertEqual(connection.read_answer().status, 200, host)

    def test_host_means_that_address(self):
        proxy = self.start("--host", "127.0.0.1")
        proxy.connect("::1").close()
        with self.assertRaises(ConnectionRefusedError):
            proxy.connect("127.9.8.7")
        only = self.start("--host", "127.9.8.7", home=self.new_home())
        with self.assertRaises(ConnectionRefusedError):
            only.connect("127.0.0.1")

    def test_busy_port_is_an_error(self):
        for host in ("0.0.0.0", "127.0.0.1", "::1"):
            port = self.busy_port(host)
            self.assert_refused(1, port, "in use", "--port", arguments=("--port", port))

    def test_range_takes_the_first_free_one(self):
        while True:
            first = self.busy_port()
            try:
                with socket.create_server(("0.0.0.0", first + 1)):
                    break
            except OSError:
                pass
        proxy = self.start("--port", f"{first}-{first + 1}")
        self.assertEqual(proxy.port, first + 1)
        self.assert_refused(1, f"{first} to {first + 1}",
                            arguments=("--port", f"{first}-{first + 1}"), home=self.new_home())

    def test_port_from_the_environment(self):
        port = self.busy_port()
        self.assert_refused(1, port, variables={"HPC_PROXY_LISTEN": str(port)})
        # What `env` exports is no setting: a second job would want the first one's port.
        self.start(variables={"HPC_PROXY_PORT": str(port)})

    def test_wrong_command_line(self):
        self.assert_refused(2, "--bogus", arguments=("--bogus",))
        self.assert_refused(2, "--port", "'x'", arguments=("--port", "x"))
        self.assert_refused(2, "HPC_PROXY_MAX_HEAD", variables={"HPC_PROXY_MAX_HEAD": "much"})
        self.assert_refused(2, "--ready-fd", "77", arguments=("--ready-fd", "77"))
        self.assertEqual(self.run_proxy("--help").returncode, 0)
        self.assertRegex(self.run_proxy("--version").stdout, r"^hpc-proxy \d+\.\d+\.\d+\n$")

    def test_drain_finishes_what_runs(self):
        port, asked, go = self.slow_app()
        proxy = self.start()
        connection = self.ask(proxy, f"/port/{port}/")
        self.assertTrue(asked.wait(harness.PATIENCE_SECONDS))
        proxy.process.send_signal(signal.SIGTERM)
        harness.wait_until(lambda: self.is_refused(proxy.port), "it accepts no more")
        self.assertIsNone(proxy.process.poll())
        go.set()
        self.assertEqual(connection.read_answer().body, b"done")
        self.assertEqual(proxy.process.wait(harness.PATIENCE_SECONDS), 0)
        self.assertFalse((self.home / ".hpc-proxy/port").exists())

    def is_refused(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return False
        except OSError:
            return True

    def test_idle_connections_do_not_hold_up_the_drain(self):
        proxy = self.start()
        idle = self.ask(proxy, "/status")
        self.assertEqual(idle.read_answer().status, 200)
        self.assertEqual(proxy.end(), 0)
        self.assertTrue(idle.at_end())

    def test_second_signal_ends_at_once(self):
        port, asked, go = self.slow_app()
        self.addCleanup(go.set)
        proxy = self.start()
        self.ask(proxy, f"/port/{port}/")
        self.assertTrue(asked.wait(harness.PATIENCE_SECONDS))
        proxy.process.send_signal(signal.SIGTERM)
        harness.wait_until(lambda: self.is_refused(proxy.port), "it drains")
        self.assertEqual(proxy.end(), 1)
        self.assertEqual(list((self.home / ".hpc-proxy/jobs").iterdir()), [])

    def test_walltime_warning(self):
        proxy = self.start()
        proxy.process.send_signal(signal.SIGUSR1)
        harness.wait_until(lambda: proxy.get("/status").json()["walltime_warning"],
                           "the warning is in /status")

    def test_idle_exit(self):
        proxy = self.start("--idle-exit", "1")
        self.assertEqual(proxy.process.wait(harness.PATIENCE_SECONDS), 0)
        self.assertIn("idle", proxy.log)
        self.assertEqual(list((self.home / ".hpc-proxy/jobs").iterdir()), [])

    def test_lines_of_old_job_scripts(self):
        script = JOB_SCRIPT_LINES + 'echo "port=$HPC_PROXY_PORT"; kill %1; wait %1; echo "rc=$?"'
        process, log = self.shell(script)
        self.assertEqual(process.wait(60), 0)
        self.assertRegex(log.read_text(), r"port=[1-9][0-9]{3,4}\n")
        self.assertIn("rc=0", log.read_text())

    def test_new_lines_of_job_scripts(self):
        script = ('hpc-proxy --daemon && eval "$(hpc-proxy env)"; hpc-proxy wait && '
                  'echo "$HPC_PROXY_PORT $HPC_PROXY_URL_TEMPLATE $VSCODE_PROXY_URI"; '
                  'cat ~/.hpc-proxy/port')
        process, log = self.shell(script)
        self.assertEqual(process.wait(60), 0, log.read_text())
        first, second = log.read_text().splitlines()
        self.assertEqual(first, f"{second} /port/{{port}}/ /port/{{{{port}}}}/")
        # The shell has ended, and with it the daemon.
        harness.wait_until(lambda: not (self.home / ".hpc-proxy/port").exists(),
                           "the daemon ends with its shell")
        harness.wait_until(lambda: self.is_refused(int(second)), "its port is free")

    def test_daemon_is_bound_to_the_slurm_task(self):
        task = self.task()
        done = self.run_proxy("--daemon", variables={"SLURM_JOB_ID": "77",
                                                     "SLURM_TASK_PID": str(task.pid)})
        self.assertEqual(done.returncode, 0, done.stderr)
        record = self.home / ".hpc-proxy/jobs/77.json"
        # Whoever called it goes on; only the task counts.
        self.assertTrue(record.exists())
        task.terminate()
        task.wait()
        harness.wait_until(lambda: not record.exists(), "the daemon ends with its task")

    def test_daemon_tells_why_it_could_not_start(self):
        port = self.busy_port()
        self.assert_refused(1, port, "in use", arguments=("--daemon", "--port", port))

    def test_daemon_logs_into_its_directory(self):
        task = self.task()
        variables = {"SLURM_JOB_ID": "77", "SLURM_TASK_PID": str(task.pid)}
        self.assertEqual(
            self.run_proxy("--daemon", "--verbose", variables=variables).returncode, 0)
        self.assertEqual(self.run_proxy("status", variables=variables).returncode, 0)
        log = self.home / ".hpc-proxy/77.log"
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)
        self.assertIn("path=/status", log.read_text())
        self.assertEqual(self.run_proxy("stop", variables=variables).returncode, 0)

    def test_ready_fd_with_daemon(self):
        reading, writing = os.pipe()
        task = self.task()
        done = subprocess.run(
            harness.as_user(harness.USER_UID,
                            [str(self.program), "--daemon", "--ready-fd", str(writing)]),
            env=self.environment(SLURM_JOB_ID="77", SLURM_TASK_PID=str(task.pid)),
            cwd=self.home, pass_fds=(writing,), timeout=60, check=False)
        os.close(writing)
        with os.fdopen(reading) as ready:
            self.assertGreater(int(ready.read()), 0)
        self.assertEqual(done.returncode, 0)
        task.kill()


if __name__ == "__main__":
    harness.main()
