"""`hpc-manager doctor` at a real sshd: each step said, each trouble named with what to do."""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from connect_site import LoginHost, free_port, manager_env  # noqa: E402

STEPS = ("configuration", "user", "state", "port", "cluster", "name", "network", "host key",
         "login", "commands", "slurm", "records", "forwarding", "hpc-proxy")


class DoctorTest(unittest.TestCase):
    def setUp(self):
        self.host = LoginHost()
        self.addCleanup(self.host.close)
        self.listen = f"127.0.0.1:{free_port()}"

    def run_doctor(self, *options, cluster="main", path=None, **change):
        host = self.host
        flags = {"--listen": self.listen, "--known-hosts": host.known_hosts,
                 "--cluster": f"main={host.user}@127.0.0.1:{host.port}",
                 "--identity": host.key, "--ssh-config": "/dev/null",
                 "--state": host.directory / "state.db", "--socket": host.directory / "socket",
                 **change}
        command = [host.manager_program, "doctor", cluster, *options,
                   *(str(word) for flag in flags.items() for word in flag)]
        env = manager_env() if path is None else {**manager_env(), "PATH": path}
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, env=env, start_new_session=True)

    def steps(self, *options, **change):
        """(exit code, {step: (state, text)} with the last of a name)."""
        done = self.run_doctor("--json", *options, **change)
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertEqual(report["ok"], done.returncode == 0)
        return done.returncode, {s["step"]: (s["state"], s["text"]) for s in report["steps"]}

    def problem(self, step, code, *options, **change):
        """The text of the one problem, which is in this step and the last one looked at."""
        got, steps = self.steps(*options, **change)
        problems = [name for name, (state, _) in steps.items() if state == "problem"]
        self.assertEqual((problems, got), ([step], code), steps)
        return steps[step][1]

    def test_everything_is_well(self):
        self.host.start_proxy()
        code, steps = self.steps()
        self.assertEqual(code, 0)
        self.assertEqual(tuple(steps), STEPS)
        for step in set(STEPS) - {"user", "slurm"}:
            self.assertEqual(steps[step][0], "ok", steps[step])
        self.assertIn("answers and has proved itself", steps["hpc-proxy"][1])
        self.assertFalse((self.host.directory / "state.db").exists())

    def test_people_get_a_line_for_each_step(self):
        done = self.run_doctor()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], "^ok +configuration +of flags")
        self.assertTrue(any(line.startswith("note     hpc-proxy       no hpc-proxy of yours runs")
                            for line in lines), done.stdout)
        self.assertTrue(all(len(line.split()[0]) > 0 for line in lines))

    def test_configuration_has_problems(self):
        text = self.problem("configuration", 6, **{"--auth": "header"})
        self.assertIn("--trusted-proxy", text)

    def test_no_such_cluster(self):
        self.assertIn("main", self.problem("cluster", 3, cluster="other"))

    def test_a_user_is_needed_where_none_is_fixed(self):
        host = self.host
        change = {"--cluster": f"main=127.0.0.1:{host.port}",
                  "--identity": host.directory / "key.%u"}
        self.assertIn("--user", self.problem("cluster", 2, **change))
        shutil.copy(host.key, host.directory / f"key.{host.user}")
        code, steps = self.steps("--user", host.user, **change)
        self.assertEqual((code, steps["login"][0]), (0, "ok"))

    def test_the_name_is_unknown(self):
        text = self.problem("name", 1, **{"--cluster": "main=a@no-such-host.invalid"})
        self.assertIn("no-such-host.invalid is not known", text)

    def test_nobody_listens(self):
        self.host.stop_sshd()
        self.assertIn("no SSH server listens there", self.problem("network", 1))

    def test_the_host_key_is_unknown(self):
        self.host.known_hosts.write_text("")
        self.problem("host key", 4)

    def test_the_key_is_refused(self):
        (self.host.directory / "authorized_keys").write_text("")
        self.problem("login", 4)

    def test_the_key_file_is_missing(self):
        self.assertIn("/no/such/key", self.problem("key", 6, **{"--identity": "/no/such/key"}))

    def test_the_key_file_is_open_to_others(self):
        self.host.key.chmod(0o644)
        self.assertIn("chmod", self.problem("key", 6))

    def test_the_cluster_is_another_users(self):
        self.problem("cluster", 4, "--user", "somebody")

    def test_the_shell_runs_no_commands(self):
        self.host.stop_sshd()
        self.host.start_sshd("ForceCommand /bin/true")
        self.problem("commands", 1)

    def test_forwarding_is_off(self):
        self.host.stop_sshd()
        self.host.start_sshd("AllowTcpForwarding no")
        self.assertIn("forwarding", self.problem("forwarding", 4).lower())

    def test_squeue_fails(self):
        self.host.set_squeue("echo slurm_load_jobs error: Unable to contact >&2; exit 1")
        self.assertIn("Unable to contact", self.problem("slurm", 1))

    def test_squeue_answers(self):
        self.host.set_squeue("echo 4711 c1 4711")
        _, steps = self.steps()
        self.assertEqual(steps["slurm"], ("ok", "squeue answers; running jobs: 1"))

    def test_a_record_that_cannot_be_used_is_told(self):
        self.host.write_record("4711", slurm_node="c1", job_id="4711")
        self.host.set_squeue("exit 0")
        code, steps = self.steps()
        self.assertEqual((code, steps["records"][0]), (0, "note"))
        self.assertIn("4711: job 4711 is not running", steps["records"][1])

    def test_nothing_listens_where_the_record_says(self):
        self.host.write_record("x", port=free_port())
        self.problem("hpc-proxy", 3)

    def test_a_busy_port_is_told(self):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = busy.getsockname()[1]
            code, steps = self.steps(**{"--listen": f"127.0.0.1:{port}"})
            self.assertEqual((code, steps["port"][0]), (1, "problem"))
            self.assertIn("another program listens there", steps["port"][1])
            code, steps = self.steps(**{"--local-ports": f"{port}-{port}"})
            self.assertEqual((code, steps["ports"][0]), (1, "problem"))
            self.assertIn("0 of 1 ports are free", steps["ports"][1])

    def test_ports_are_in_use_by_the_manager_that_runs(self):
        path = str(self.host.directory / "socket")
        with socket.socket(socket.AF_UNIX) as manager, socket.socket() as busy:
            manager.bind(path)
            manager.listen()
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            code, steps = self.steps(**{"--listen": f"127.0.0.1:{busy.getsockname()[1]}"})
        self.assertEqual((code, steps["port"][0], steps["manager"][0]), (0, "note", "note"))

    def test_wrong_use_is_exit_two(self):
        for arguments in ([], ["main", "--nonsense"], ["main", "--user", "A/b"]):
            done = subprocess.run([self.host.manager_program, "doctor", *arguments],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)

    def test_help(self):
        done = subprocess.run([self.host.manager_program, "doctor", "--help"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        for words in ("--user", "--cluster", "Examples:", "Exit codes:"):
            self.assertIn(words, done.stdout)


if __name__ == "__main__":
    unittest.main()
