#!/usr/bin/python3
"""What a run's user sees of its ports: the list, the commands inside and outside of the command,
the record, and the warning about programs that could not be moved."""

import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from waiting import wait_until  # noqa: E402

# Listens on every address and port that it is told ("127.0.0.1:5500"), and stays.
LISTEN = """
import socket, sys
sockets = []
for word in sys.argv[1:]:
    address, port = word.rsplit(":", 1)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets.append(socket.create_server((address, int(port)), family=family))
while True:
    sockets[0].accept()[0].close()
"""
# Listens on a port of 127.0.0.1 without the C library's bind(), as programs in Go do.
LISTEN_IN_C = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char** words) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = inet_addr("127.0.0.1");
  address.sin_port = htons((unsigned short)atoi(words[count - 1]));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (syscall(SYS_bind, fd, &address, sizeof address) != 0 || listen(fd, 5) != 0) return 1;
  for (;;) close(accept(fd, NULL, NULL));
}
"""
NAVIGATION = [("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")]
CLAIM_PORT = 27464  # node-proxy/run/private_addresses.cc
UIDS = (harness.USER_UID, harness.OTHER_UID) if harness.IS_ROOT else (None, None)


def free_port():
    """A port below those that the kernel gives away, on which nobody listens just now."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as one:
            try:
                one.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free")


def listen(*places):
    return [sys.executable, "-c", LISTEN, *places]


class PlainProxy(harness.Proxy):
    """One of several of a home: its record is called by the job."""

    @property
    def record(self):
        return json.loads((self.home / ".hpc-proxy/jobs/77.json").read_text())


class RunPortsCase(harness.TestCase):
    def run_command(self, *command, options=(), **others):
        """hpc-proxy run of that command in the background; returns when it listens."""
        proxy = self.start("run", *options, "--", *command, **others)
        self.addCleanup(proxy.process.wait, 60)
        self.addCleanup(proxy.process.terminate)
        return proxy

    def ports(self, proxy):
        """What /ports says, by port, once every program has been looked for."""
        def complete():
            answer = proxy.get("/ports").json()
            return answer if answer["names_complete"] else None
        return {port["port"]: port for port in wait_until(complete, "all names")["ports"]}

    def wait_for_port(self, proxy, port):
        return wait_until(lambda: self.ports(proxy).get(port), f"port {port} is listed")


class RunPortsTest(RunPortsCase):
    def test_private_and_common_sockets_of_a_port_are_one_line(self):
        port = free_port()
        proxy = self.run_command(*listen(f"127.0.0.1:{port}", f"::1:{port}"))
        line = self.wait_for_port(proxy, port)
        self.assertEqual(line["addresses"], proxy.record["private"]["addresses"])
        self.assertIs(line["private"], True)
        self.assertEqual(line["process"], "python3")
        self.assertIn("(private)", proxy.get("/ports", NAVIGATION).body.decode())

    def test_status_and_record_say_where(self):
        proxy = self.run_command("sleep", 1000)
        self.assertEqual(proxy.get("/status").json()["private"], proxy.record["private"])
        done = self.run_proxy("status")
        self.assertIn(f"loopback ({proxy.record['private']['addresses'][0]}, ", done.stdout)

    def test_plain_serve_sees_no_private_port(self):
        port = free_port()
        run = self.run_command(*listen(f"127.0.0.1:{port}"), variables={"SLURM_JOB_ID": "77"})
        self.wait_for_port(run, port)
        self.assertNotIn("private", self.serve_beside().get("/status").json())

    def serve_beside(self):
        """A plain hpc-proxy of the same job."""
        proxy = self.start(variables={"SLURM_JOB_ID": "77"})
        return PlainProxy(proxy.process, self.home, proxy.port, None)

    def test_inside_the_command_verbs_mean_the_run(self):
        job = {"SLURM_JOB_ID": "77"}
        out = self.home / "said"
        script = f"{self.program} env --json > {out}.tmp; mv {out}.tmp {out}; exec sleep 1000"
        run = self.run_command("sh", "-c", script, variables=job)
        plain = self.serve_beside()  # the newer one
        said = json.loads(wait_until(lambda: out.exists() and out.read_text(), "env has said"))
        self.assertEqual(said["HPC_PROXY_PORT"], str(run.port))
        for variables, port in ((job, plain.port),
                                ({**job, "HPC_PROXY_RUN": f"77-{os.uname().nodename}-1"},
                                 plain.port),
                                ({**job, "HPC_PROXY_RUN": self.run_id(run)}, run.port)):
            said = json.loads(self.run_proxy("env", "--json", variables=variables).stdout)
            self.assertEqual(said["HPC_PROXY_PORT"], str(port), variables)

    @staticmethod
    def run_id(run):
        return f"77-{os.uname().nodename}-{run.process.pid}"

    def test_only_a_runs_record_is_found_as_before(self):
        job = {"SLURM_JOB_ID": "77"}
        run = self.run_command("sleep", 1000, variables=job)
        said = json.loads(self.run_proxy("env", "--json", variables=job).stdout)
        self.assertEqual(said["HPC_PROXY_PORT"], str(run.port))
        self.assertEqual(self.run_proxy("stop", variables=job).returncode, 0)

    def test_stop_inside_ends_the_run_and_leaves_the_other(self):
        job = {"SLURM_JOB_ID": "77"}
        plain = self.serve_beside()
        done = self.run_proxy("run", "--", "sh", "-c", f"{self.program} stop & exec sleep 1000",
                              variables=job)
        self.assertEqual(done.returncode, 128 + 15, done.stderr)
        self.assertEqual(plain.get("/healthz", token=False).status, 200)

    def test_wait_finds_a_private_port_from_outside_too(self):
        port = free_port()
        run = self.run_command(*listen(f"127.0.0.1:{port}"))
        self.wait_for_port(run, port)
        self.assertEqual(self.run_proxy("wait", port, "--timeout", 0).returncode, 0)
        self.assert_refused(5, "nothing listens", arguments=("wait", free_port(), "--timeout", 0))

    def test_ports_verb_has_a_column_for_it(self):
        port = free_port()
        run = self.run_command(*listen(f"127.0.0.1:{port}"))
        self.wait_for_port(run, port)
        rows = [line.split("\t") for line in self.run_proxy("ports").stdout.splitlines()]
        (row,) = [row for row in rows if row[0] == str(port)]
        self.assertEqual(row[5], "yes")

    def test_addresses_are_claimed_and_free_again(self):
        proxy = self.run_command("sleep", 1000)
        first = proxy.record["private"]["addresses"][0]
        claim = ".".join([*first.split(".")[:3], str(int(first.split(".")[3]) + 2)])
        with socket.socket() as other:
            with self.assertRaises(OSError):
                other.bind((claim, CLAIM_PORT))
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((claim, CLAIM_PORT), 5)
            proxy.process.terminate()
            proxy.process.wait(60)
            other.bind((claim, CLAIM_PORT))

    @unittest.skipUnless(harness.IS_ROOT, "needs a network of its own")
    def test_program_on_the_claim_port_of_all_addresses_is_named(self):
        # Elsewhere it would be in the way of every other test's runs.
        script = ("import socket, subprocess, sys\n"
                  "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
                  f"with socket.create_server(('0.0.0.0', {CLAIM_PORT})):\n"
                  "    sys.exit(subprocess.run(sys.argv[1:]).returncode)\n")
        command = harness.as_user(harness.USER_UID, [str(self.program), "run", "--", "true"])
        done = subprocess.run(["unshare", "-n", sys.executable, "-c", script, *command],
                              check=False, capture_output=True, text=True, timeout=60,
                              env=self.environment())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"ss -ltn sport = :{CLAIM_PORT}", done.stderr)

    def test_many_runs_have_an_address_each(self):
        runs = [self.run_command("sleep", 1000, uid=uid, home=self.new_home(uid))
                if uid else self.run_command("sleep", 1000, home=self.new_home())
                for uid in UIDS * 5]
        addresses = [address for run in runs for address in run.record["private"]["addresses"]]
        self.assertEqual(len(set(addresses)), 20)


@unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
class TwoUsersTest(RunPortsCase):
    def test_each_sees_and_reaches_his_own_port_only(self):
        port = free_port()
        runs = [self.run_command(*listen(f"0.0.0.0:{port}"), uid=uid, home=self.new_home(uid))
                for uid in UIDS]
        for run in runs:
            line = self.wait_for_port(run, port)
            self.assertEqual(line["addresses"], run.record["private"]["addresses"][:1])
        self.assertNotEqual(*[run.record["private"]["addresses"] for run in runs])

    def test_somebody_without_run_on_all_addresses_is_in_the_way(self):
        port = free_port()
        self.popen(listen(f"0.0.0.0:{port}"), harness.OTHER_UID, self.base)
        wait_until(lambda: self.listens("127.0.0.1", port), "the other user listens")
        done = self.run_proxy("run", "--", *listen(f"127.0.0.1:{port}"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("Address already in use", done.stderr)

    def test_somebody_without_run_on_the_loopback_address_is_not_in_the_way(self):
        port = free_port()
        process, _ = self.popen(listen(f"127.0.0.1:{port}"), harness.OTHER_UID, self.base)
        wait_until(lambda: self.listens("127.0.0.1", port), "the other user listens")
        run = self.run_command(*listen(f"127.0.0.1:{port}"))
        self.assertIs(self.wait_for_port(run, port)["private"], True)
        process.kill()

    @staticmethod
    def listens(address, port):
        try:
            socket.create_connection((address, port), 5).close()
            return True
        except ConnectionRefusedError:
            return False

    def test_foreign_program_says_nothing_to_wait(self):
        port = free_port()
        self.popen(listen(f"127.0.0.1:{port}"), harness.OTHER_UID, self.base)
        wait_until(lambda: self.listens("127.0.0.1", port), "the other user listens")
        run = self.run_command("sleep", 1000)
        page = run.get(f"/port/{port}/", NAVIGATION)
        self.assertEqual(page.status, 403)
        self.assertIn("as soon as the command of this run listens", page.body.decode())
        self.assertNotIn("another port", page.body.decode())
        done = self.assert_refused(5, "nothing listens", arguments=("wait", port, "--timeout", 0))
        self.assertNotIn("another user", done.stderr)


class UnmovedTest(RunPortsCase):
    def warnings(self, proxy):
        return [line for line in proxy.log.splitlines() if "without a private address" in line]

    def test_program_without_preload_is_named_once(self):
        port = free_port()
        proxy = self.run_command("env", "-u", "LD_PRELOAD", *listen(f"127.0.0.1:{port}"))
        self.assertIs(self.wait_for_port(proxy, port)["private"], False)
        (line,) = wait_until(lambda: self.warnings(proxy), "the warning")
        self.assertTrue(line.startswith("hpc-proxy: python3 (pid "), line)
        self.assertIn(f"listens on port {port} without", line)
        self.assertIn("because it was started without LD_PRELOAD", line)
        self.ports(proxy)
        self.assertEqual(len(self.warnings(proxy)), 1)

    def build(self, name, *flags):
        compiler, program = shutil.which("cc"), self.base / name
        (self.base / "program.c").write_text(LISTEN_IN_C)
        if not compiler or subprocess.run(
                [compiler, "-D_GNU_SOURCE", *flags, "-o", program, self.base / "program.c"],
                check=False, capture_output=True).returncode != 0:
            self.skipTest("no such programs can be built here")
        return program

    def test_program_that_asks_the_kernel_itself_is_named(self):
        program, port = self.build("go-like"), free_port()
        proxy = self.run_command(program, port)
        self.assertIs(self.wait_for_port(proxy, port)["private"], False)
        (line,) = wait_until(lambda: self.warnings(proxy), "the warning")
        self.assertIn("go-like (pid ", line)
        self.assertIn("because it asks the kernel itself", line)

    def test_static_program_is_named_and_still_guarded(self):
        program, port = self.build("static-listen", "-static"), free_port()
        proxy = self.run_command(program, port)
        self.wait_for_port(proxy, port)
        (line,) = wait_until(lambda: self.warnings(proxy), "the warning")
        self.assertIn("static-listen (pid ", line)
        self.assertIn("because it is statically linked", line)
        if harness.IS_ROOT:
            url = f"http://127.0.0.1:{proxy.port}/port/{port}/"
            seen = subprocess.run(
                harness.as_user(harness.OTHER_UID, ["curl", "-s", "-o", os.devnull, "-w",
                                                    "%{http_code}", url]),
                check=True, capture_output=True, text=True, timeout=60)
            self.assertEqual(seen.stdout, "401")

    def test_what_is_meant_to_be_there_is_not_named(self):
        shared, moved = free_port(), free_port() + 1
        proxy = self.run_command(*listen(f"0.0.0.0:{shared}", f"127.0.0.1:{moved}", "127.0.0.1:0"),
                                 options=("--shared-ports", shared))
        self.assertIs(self.wait_for_port(proxy, shared)["private"], False)
        self.assertIs(self.wait_for_port(proxy, moved)["private"], True)
        # Its program was found in /proc, so it was judged.
        self.assertIsNotNone(self.ports(proxy)[shared]["process"])
        self.assertEqual(self.warnings(proxy), [])

    def test_programs_of_others_are_not_named(self):
        port = free_port()
        self.popen(listen(f"127.0.0.1:{port}"))  # the same user's, not of the command
        proxy = self.run_command("sleep", 1000)
        self.wait_for_port(proxy, port)
        self.assertEqual(self.warnings(proxy), [])


class NetworkSpaceTest(RunPortsCase):
    def setUp(self):
        super().setUp()
        done = self.run_proxy("run", "--private", "netns", "--", "true")
        if done.returncode != 0:
            self.skipTest(f"this kernel allows no network namespace: {done.stderr}")

    def test_its_ports_are_listed_and_nothing_else(self):
        port, outside = free_port(), free_port() + 1
        self.popen(listen(f"127.0.0.1:{outside}"))
        run = self.run_command(*listen(f"127.0.0.1:{port}", f"0.0.0.0:{outside + 1}"),
                               options=("--private", "netns"))
        line = self.wait_for_port(run, port)
        self.assertEqual((line["addresses"], line["private"]), (["127.0.0.1"], True))
        self.assertEqual(line["process"], "python3", "its program is found from outside")
        self.assertEqual(set(self.ports(run)), {port, outside + 1})
        self.assertEqual(run.record["private"], {"mode": "netns", "addresses": []})

    def test_wait_knows_the_ports_inside_and_outside(self):
        port = free_port()
        script = f"{self.program} wait {port} --timeout 60 && touch {self.home}/seen; wait"
        words = shlex.join(listen(f"127.0.0.1:{port}"))
        self.run_command("sh", "-c", f"{words} & {script}", options=("--private", "netns"))
        done = self.run_proxy("wait", port, "--timeout", 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until((self.home / "seen").exists, "wait has ended inside")
        self.assert_refused(5, "nothing listens", arguments=("wait", port + 1, "--timeout", 0))

    def test_nothing_is_named_as_not_moved(self):
        port = free_port()
        run = self.run_command("env", "-u", "LD_PRELOAD", *listen(f"127.0.0.1:{port}"),
                               options=("--private", "netns"))
        self.wait_for_port(run, port)
        self.assertNotIn("without a private address", run.log)


if __name__ == "__main__":
    harness.main()
