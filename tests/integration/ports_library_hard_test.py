"""What libhpc_ports.so must survive, what it may ask of a machine, and real programs with it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import ports_probe  # noqa: E402
from waiting import PATIENCE_SECONDS, wait_until  # noqa: E402

BYTES_MAX = 24 * 1024
# All of them are in glibc 2.17 and musl; dlsym is weak, for it is elsewhere in an old glibc.
LIBC_NAMES = {"__errno_location", "dlsym", "getenv", "memcmp", "memcpy", "memmove", "memset",
              "strchr", "syscall"}
INSTEAD_OF = {"__recvfrom_chk", "accept", "accept4", "bind", "connect", "getpeername",
              "getsockname", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto"}


def host(shown):
    return shown.rsplit(" ", 1)[0]


def objdump(option):
    return subprocess.run(["objdump", option, ports_probe.LIBRARY], check=True, text=True,
                          capture_output=True).stdout


class FileTest(unittest.TestCase):
    def test_needs_no_library_and_no_version(self):
        private = objdump("-p")
        self.assertEqual(re.findall(r"NEEDED\s+(\S+)", private), [])
        self.assertNotIn("Version", private)
        self.assertNotRegex(objdump("-T"), r"GLIBC|GCC_")

    def test_offers_and_asks_for_nothing_but_what_is_listed(self):
        offered, asked = set(), set()
        for line in objdump("-T").splitlines():
            if re.match(r"[0-9a-f]{8,}\s", line):
                (asked if "*UND*" in line else offered).add(line.split()[-1])
        self.assertEqual(offered, INSTEAD_OF)
        self.assertLessEqual(asked, LIBC_NAMES)

    def test_has_tables_for_old_and_new_loaders(self):
        private = objdump("-p")
        self.assertRegex(private, r"\bHASH\b")
        self.assertRegex(private, r"\bGNU_HASH\b")

    def test_has_no_memory_that_is_written_and_run(self):
        segments = re.findall(r"flags (\S+)", objdump("-p"))
        self.assertGreaterEqual(len(segments), 3)
        self.assertNotIn("rwx", segments)
        self.assertNotIn("TEXTREL", objdump("-p"))

    def test_is_small(self):
        self.assertLessEqual(ports_probe.LIBRARY.stat().st_size, BYTES_MAX)

    def test_every_socket_call_of_libc_that_takes_or_shows_an_address_is_there(self):
        # One that a newer libc adds would be a way around.
        libc = subprocess.run(["sh", "-c", "objdump -T $(ldconfig -p | sed -n "
                                           "'s/.*libc.so.6.*x86-64.*=> //p' | head -1)"],
                              check=False, text=True, capture_output=True).stdout
        names = {line.split()[-1] for line in libc.splitlines() if " DF .text" in line}
        if not names:
            self.skipTest("libc not found")
        of_sockets = {name for name in names if re.fullmatch(
            r"(__)?(bind|connect|accept4?|getsockname|getpeername|sendm?msg|sendmmsg|sendto|"
            r"recvm?msg|recvmmsg|recvfrom)(_chk)?", name)}
        # __connect and its like are libc's own, for nobody else.
        self.assertLessEqual({name for name in of_sockets if not re.fullmatch(
            r"__(connect|sendmmsg)", name)}, INSTEAD_OF)


class SurvivalTest(ports_probe.TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.probe()
        self.listen(self.server, "a", 4, "0.0.0.0")

    def serving(self):
        self.do(self.server, "serve a")
        return self.probe()

    def test_fork_vfork_and_spawn(self):
        probe = self.serving()
        self.do(probe, "fork $P", "vfork $P", "spawn /bin/true")

    def test_sixteen_threads_and_forks_between_them(self):
        self.do(self.serving(), f"threads $P {ports_probe.free_port(count=16)}")

    def test_a_thread_that_is_cancelled(self):
        probe = self.probe()
        port = ports_probe.free_port()
        self.listen(probe, "b", 4, "127.0.0.1", port=port)
        self.do(probe, "cancel b")

    def test_a_signal_handler_that_connects(self):
        self.do(self.serving(), "handler $P")

    def test_a_program_that_has_closed_all_descriptors(self):
        probe = self.serving()
        self.do(probe, "closeall", "socket c tcp 4", "connect c 127.0.0.1 $P")
        self.check(probe, "peer c", "127.0.0.1 $P")

    def test_no_descriptor_is_left_behind(self):
        probe = self.serving()
        listing = f"/proc/{probe.process.pid}/fd"
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")
        before = os.listdir(listing)
        self.do(probe, "close c", "socket c tcp 4", "connect c 127.0.0.1 $P", "close c",
                "socket c tcp 6", "connect c ::ffff:127.0.0.1 $P")
        self.assertEqual(os.listdir(listing), before)

    def test_a_library_that_is_loaded_later(self):
        self.do(self.serving(), f"plugin {ports_probe.SUPPORT}/libports_plugin.so $P")

    def test_another_preloaded_library_behind_it_is_called(self):
        self.do(self.server, "serve a")
        other = ports_probe.SUPPORT / "libports_other_preload.so"
        probe = self.probe(preload=f"{ports_probe.LIBRARY}:{other}")
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")
        self.assertIn(f"other library: connect to {self.addresses[0]}", probe.end())

    def test_calls_without_an_address(self):
        probe = self.probe()
        self.do(probe, "socket a udp 4", "bind a 127.0.0.1 $P", "nulls a")

    def test_without_netlink_proc_tells(self):
        for family, address in ((4, "127.0.0.1"), (6, "::1"), (6, "::")):
            with self.subTest(address=address):
                port = ports_probe.free_port()
                server, client = self.probe(), self.probe()
                self.listen(server, "a", family, address, *["only a 0"] * (family == 6),
                            port=port)
                asked = "127.0.0.1" if family == 4 else "::1"
                self.do(client, "forbid netlink", f"socket c tcp {family}",
                        f"connect c {asked} {port}")
                self.check(client, "peer c", f"{asked} {port}")
                server.end()
                client.end()

    def test_netlink_without_its_modules_does_not_count(self):
        # Such a kernel answers "there is none" to every question.
        other = ports_probe.SUPPORT / "libports_other_preload.so"
        self.do(self.server, "serve a")
        probe = self.probe(preload=f"{ports_probe.LIBRARY}:{other}", NO_TCP_DIAG="1")
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")
        self.check(probe, "peer c", "127.0.0.1 $P")

    def test_without_dlsym_the_kernel_is_called(self):
        # As in a program of an old glibc that has not loaded libdl.
        changed = pathlib.Path(tempfile.mkdtemp(prefix="hpc-ports.")) / "libhpc_ports.so"
        self.addCleanup(shutil.rmtree, changed.parent)
        image = ports_probe.LIBRARY.read_bytes()
        self.assertEqual(image.count(b"\0dlsym\0"), 1)
        changed.write_bytes(image.replace(b"\0dlsym\0", b"\0dlsxm\0"))
        self.do(self.server, "serve a")
        probe = self.probe(preload=changed)
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P", "fork $P")
        self.check(probe, "peer c", "127.0.0.1 $P")
        port = ports_probe.free_port()
        self.listen(probe, "b", 6, "::1", port=port)
        self.do(probe, "socket d tcp 6", f"connect d ::1 {port}")
        self.assertEqual(host(probe("accept b s")), "::1")
        self.do(probe, "socket u udp 4", "bind u 127.0.0.1 $P", "socket v udp 4")
        for send, receive, count in (("sendto", "recvfrom", "1"), ("sendmsg", "recvmsg", "1"),
                                     ("sendto", "chk", "1"), ("sendmmsg", "recvmmsg", "20")):
            self.check(probe, f"send v 127.0.0.1 $P {send}", count)
            self.assertEqual(host(probe(f"receive u {receive}")), "127.0.0.1")

    def test_without_netlink_and_proc_it_stays(self):
        probe = self.serving()
        self.do(probe, "forbid netlink", "forbid files", "socket c tcp 4")
        self.check(probe, "connect c 127.0.0.1 $P", "ECONNREFUSED")
        self.do(probe, "socket b tcp 4", "bind b 127.0.0.1 $P".replace("$P", str(
            ports_probe.free_port())))

    def test_a_static_program_is_not_moved_and_finds_the_machine(self):
        probe = self.probe(program="ports_probe_static")
        port = ports_probe.free_port()
        self.listen(probe, "b", 4, "127.0.0.1", port=port)
        self.check(probe, "real b", f"127.0.0.1 {port}", "socket c tcp 4", "ok",
                   "connect c 127.0.0.1 $P", "ECONNREFUSED")
        # Its listener is found by moved programs where it is.
        self.do(self.server, "socket d tcp 4", f"connect d 127.0.0.1 {port}")

    def test_a_program_with_a_function_called_connect(self):
        port = ports_probe.free_port()
        done = subprocess.run([ports_probe.SUPPORT / "ports_own_connect", str(port)], check=True,
                              env=ports_probe.environment(self.addresses), text=True,
                              capture_output=True)
        self.assertEqual(done.stdout, "0.0.0.0\n")


# What it runs, and how a page of it is asked for. DIR has an index.html of its own.
PYTHON = "/usr/bin/python3"
ASYNCIO = """
import asyncio, pathlib, sys
async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    page = pathlib.Path("index.html").read_bytes()
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + page)
    writer.close()
async def main():
    server = await asyncio.start_server(serve, None, int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""
NODE = """
const page = require("fs").readFileSync("index.html");
require("http").createServer((request, response) => response.end(page)).listen(+process.argv[1]);
"""
ASK = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"


class ProgramsTest(ports_probe.TestCase):
    """Two runs of one program, side by side, on one port."""

    def start(self, number, command):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="hpc-ports."))
        self.addCleanup(shutil.rmtree, directory)
        (directory / "index.html").write_text(f"page of run {number}")
        variables = ports_probe.environment(ports_probe.private_addresses(number))
        process = subprocess.Popen([*map(str, command)], cwd=directory, env=variables,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return variables

    def ask(self, variables, url):
        return subprocess.run([PYTHON, "-c", ASK, url], env=variables, text=True, check=False,
                              capture_output=True, timeout=PATIENCE_SECONDS).stdout.strip()

    def check_side_by_side(self, command, *hosts):
        runs = [self.start(number, command) for number in (0, 1)]
        for number, variables in enumerate(runs):
            for name in hosts:
                url = f"http://{name}:{self.port}/"
                wait_until(lambda: self.ask(variables, url), f"{url} of run {number}", every=0.1)
                self.assertEqual(self.ask(variables, url), f"page of run {number}")
        # As hpc-proxy reaches them: at the address, without the library.
        for number in (0, 1):
            address = ports_probe.private_addresses(number)[0]
            with urllib.request.urlopen(f"http://{address}:{self.port}/") as answer:
                self.assertEqual(answer.read().decode(), f"page of run {number}")
        self.assertEqual(self.ask(None, f"http://127.0.0.1:{self.port}/"), "")

    def test_python_http_server(self):
        self.check_side_by_side([PYTHON, "-m", "http.server", self.port], "127.0.0.1", "localhost")

    def test_python_http_server_for_both_families(self):
        self.check_side_by_side([PYTHON, "-m", "http.server", "-b", "::", self.port],
                                "127.0.0.1", "[::1]", "localhost")

    def test_asyncio_on_all_addresses(self):
        # A socket for 0.0.0.0 and one for [::] alone, with one port.
        self.check_side_by_side([PYTHON, "-c", ASYNCIO, self.port], "127.0.0.1", "[::1]")

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_node(self):
        self.check_side_by_side([shutil.which("node"), "-e", NODE, self.port],
                                "127.0.0.1", "[::1]", "localhost")


if __name__ == "__main__":
    unittest.main()
