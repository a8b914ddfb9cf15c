#!/usr/bin/python3
"""hpc-proxy run --private netns: what is inside, what is outside, and the way to other machines."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from waiting import wait_until  # noqa: E402

# Says in the file `said` what namespace it is in, then does what the test wants.
INSIDE = """
import json, os, socket, sys, time
def say(**what):
    what["net"] = os.readlink("/proc/self/ns/net")
    with open("said.new", "w") as file:
        json.dump(what, file)
    os.rename("said.new", "said")
"""
STAY = "import signal; signal.pause()\n"

# A request over a connection from a port of its choice, which stays open.
CLIENT = INSIDE + """
client = socket.create_connection(("127.0.0.1", int(os.environ["HPC_PROXY_PORT"])),
                                  source_address=("127.0.0.1", int(sys.argv[1])))
client.sendall(b"GET /status HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
say(port=client.getsockname()[1], status=client.recv(65536).split()[1].decode())
""" + STAY

# What of these addresses takes a connection; "host port" each.
TRIES = INSIDE + """
import concurrent.futures
def take(word):
    host, port = word.split()
    try:
        with socket.create_connection((host, int(port)), timeout=2) as client:
            return word + " " + client.recv(100).decode()
    except OSError:
        return None
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    say(taken=[one for one in pool.map(take, sys.argv[1:]) if one])
"""

# A program without any library: nothing can be loaded into it.
STATIC_SERVER = r"""
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <stdlib.h>
int main(int count, char** words) {
  int listening = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listening, (struct sockaddr*)&address, sizeof address) || listen(listening, 8)) return 1;
  for (;;) {
    char text[4096];
    int client = accept(listening, 0, 0);
    read(client, text, sizeof text);
    dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
            strlen(words[2]), words[2]);
    close(client);
  }
}
"""

# A node in a network of its own: an address that a user inside can be led to, and one on loopback
# that nobody may be led to. The device of the tun driver is open to all, as it is on most nodes.
LOOPBACK_PORT, OPEN_PORT = 5511, 5512
NODE = f"""
set -e
cd "$HPC_TEST_BASE"
mount --make-rprivate /
mount -t tmpfs -o mode=755 none dev
mknod -m 666 dev/tun c 10 200
mount --bind dev/tun /dev/net/tun
ip link set lo up
ip link add eth0 type veth peer name eth1
ip addr add 192.0.2.7/24 dev eth0
ip link set eth0 up
ip link set eth1 up
ip route add default via 192.0.2.1
ip addr add 198.51.100.7/32 dev lo
rm -f node/fifo
mkfifo node/fifo
("$1" -c "$2" "127.0.0.1 {LOOPBACK_PORT}" "0.0.0.0 {OPEN_PORT}" >node/fifo & echo $! >node/pid)
read listening <node/fifo
PATH=$3
cd "$HOME"
shift 3
exec "$@"
"""
# Takes connections and says so, on the addresses that it is given.
NODE_SERVERS = """
import os, selectors, socket, sys
os.closerange(3, 1000)  # the test waits for the end of one of these
selector = selectors.DefaultSelector()
for word in sys.argv[1:]:
    host, port = word.split()
    selector.register(socket.create_server((host, int(port))), selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in selector.select():
        with key.fileobj.accept()[0] as client:
            client.sendall(b"node")
"""


def can_be_a_node():
    return harness.IS_ROOT and subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", "test -c /dev/net/tun && "
         "ip link add eth0 type veth"], check=False, capture_output=True).returncode == 0


def net_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


@harness.needs_user_namespace
class NetnsTest(harness.TestCase):
    around = ()  # words in front of the program's

    def popen(self, command, uid=harness.USER_UID, home=None, variables=None, **options):
        if self.around:
            command, uid = [*self.around, *harness.as_user(uid, map(str, command))], None
        return super().popen(command, uid, home, variables, **options)

    def start_inside(self, script, *arguments, options=(), **others):
        """hpc-proxy with that script as its command, and what it says."""
        proxy = self.start("run", "--private", "netns", *options, "--", sys.executable, "-c",
                           script, *arguments, **others)
        return proxy, self.said(others.get("home") or self.home)

    def said(self, home):
        wait_until((home / "said").exists, "the command says something")
        return json.loads((home / "said").read_text())

    def assert_gone(self, said):
        """No process is in that namespace any more."""
        wait_until(lambda: said["net"] not in map(net_of, pids()), "the namespace is gone")


@harness.needs_user_namespace
class InsideTest(NetnsTest):
    def setUp(self):
        super().setUp()
        done = self.run_proxy("run", "--private", "netns", "--", "true")
        if done.returncode != 0:
            self.skipTest(done.stderr)

    def run_inside(self, *words):
        return self.run_proxy("run", "--private", "netns", "--", *words)

    def test_hpc_proxy_is_there_for_its_commands(self):
        done = self.run_inside("sh", "-c", f"{self.program} status --json && "
                               f"{self.program} app 8080 && {self.program} wait && "
                               f"{self.program} env && {self.program} status")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("HPC_PROXY_PORT", done.stdout)

    def test_both_loopback_addresses_lead_to_it(self):
        for host in ("127.0.0.1", "[::1]"):
            done = self.run_inside("sh", "-c", f"curl -s http://{host}:$HPC_PROXY_PORT/status")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("uptime", done.stdout, host)

    def test_waits_for_and_lists_what_listens_inside(self):
        done = self.run_inside(
            "sh", "-c", f"{sys.executable} -m http.server --bind 127.0.0.1 5500 >&2 & "
            f"{self.program} wait 5500 --timeout 20 && {self.program} ports")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split("\t")[0] for line in done.stdout.splitlines()], ["5500"])

    def test_what_listens_outside_is_neither_reached_nor_listed(self):
        port = self.http_app(harness.EchoHandler)
        proxy, _ = self.start_inside(INSIDE + "say()\n" + STAY)
        self.assertEqual(proxy.get(f"/port/{port}/").status, 503)
        self.assertEqual(proxy.get("/ports").json()["ports"], [])

    def test_what_listens_inside_is_not_reached_from_outside(self):
        proxy, said = self.start_inside(
            INSIDE + "one = socket.create_server(('', 0))\nsay(port=one.getsockname()[1])\n" + STAY)
        self.assertEqual([one["port"] for one in proxy.get("/ports").json()["ports"]],
                         [said["port"]])
        for host in ("127.0.0.1", "::1", "192.0.2.2"):
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
                client.settimeout(5)
                self.assertNotEqual(client.connect_ex((host, said["port"])), 0, host)

    @unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
    def test_insiders_connection_lets_no_outsider_in(self):
        def bound(port):
            one = socket.socket()
            self.addCleanup(one.close)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.bind(("127.0.0.1", port))
            return one

        port = bound(0).getsockname()[1]  # nobody else is given it meanwhile
        proxy, said = self.start_inside(CLIENT, port)
        self.assertEqual((said["port"], said["status"]), (port, "200"))
        # The very same four numbers, outside.
        for uid, status in ((harness.OTHER_UID, b"401"), (harness.USER_UID, b"200")):
            with harness.user_sockets(uid), bound(port) as outside:
                outside.connect(("127.0.0.1", proxy.port))
                outside.sendall(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                self.assertEqual(outside.recv(65536).split()[1], status)

    @unittest.skipUnless(shutil.which("cc"), "needs a C compiler")
    def test_static_programs_of_two_users_have_one_port(self):
        source, server = self.base / "server.c", self.base / "server"
        source.write_text(STATIC_SERVER)
        subprocess.run(["cc", "-static", "-w", "-o", server, source], check=True)
        proxies = {}
        for word, uid in (("alice", harness.USER_UID), ("bob", harness.OTHER_UID)):
            proxies[word] = self.start("run", "--private", "netns", "--", server, "5500", word,
                                       uid=uid, home=self.new_home(uid))
        for word, proxy in proxies.items():
            wait_until(lambda: proxy.get("/port/5500/").status == 200, f"{word} answers")
            self.assertEqual(proxy.get("/port/5500/").body, word.encode())

    def test_user_and_files_are_the_same(self):
        (self.home / "file").write_text("mine")
        if harness.IS_ROOT:
            os.chown(self.home / "file", harness.USER_UID, harness.USER_UID)
            (self.home / "file").chmod(0o600)
        done = self.run_inside("sh", "-c", "id -u; stat -c %u file; cat file; echo more > new")
        self.assertEqual(done.returncode, 0, done.stderr)
        uid = str(harness.USER_UID if harness.IS_ROOT else os.getuid())
        self.assertEqual(done.stdout.split(), [uid, uid, "mine"])
        self.assertEqual((self.home / "new").stat().st_uid, int(uid))

    def test_command_has_no_capabilities_inside(self):
        done = self.run_inside("sh", "-c", "grep CapEff /proc/self/status; ip link set lo down")
        self.assertIn("0000000000000000", done.stdout)
        self.assertNotEqual(done.returncode, 0)

    def test_namespace_ends_with_whatever_ends_first(self):
        for number, of in ((signal.SIGTERM, "proxy"), (signal.SIGKILL, "proxy"),
                           (signal.SIGKILL, "keeper"), (signal.SIGKILL, "command")):
            with self.subTest(number=number, of=of):
                proxy, said = self.start_inside(INSIDE + "say(pid=os.getpid())\n" + STAY)
                keeper = parent_of(said["pid"])
                os.kill({"proxy": proxy.process.pid, "keeper": keeper,
                         "command": said["pid"]}[of], number)
                proxy.process.wait(harness.PATIENCE_SECONDS)
                self.assert_gone(said)
                (self.home / "said").unlink()


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def children_of(pid):
    found = []
    for one in pids():
        try:
            if parent_of(one) == pid:
                found.append((one, pathlib.Path(f"/proc/{one}/comm").read_text().strip()))
        except OSError:
            pass
    return found


@harness.needs_user_namespace
class ForbiddenTest(NetnsTest):
    """In a user namespace where the kernel's setting forbids it."""

    def run_forbidden(self, setting, mode):
        script = f"echo 0 > /proc/sys/user/{setting} && exec \"$@\""
        command = ["unshare", "-Ur", "sh", "-c", script, "sh", str(self.program), "run",
                   "--private", mode, "--", "echo", "ran"]
        done = subprocess.run(harness.as_user(harness.USER_UID, command), check=False,
                              capture_output=True, text=True, timeout=60, cwd=self.home,
                              env=self.environment())
        if "unshare failed" in done.stderr:
            self.skipTest(done.stderr)
        return done

    def test_setting_is_named(self):
        for setting in ("max_user_namespaces", "max_net_namespaces"):
            done = self.run_forbidden(setting, "netns")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"user.{setting} is 0", done.stderr)
            self.assertIn("--private loopback", done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertEqual(list((self.home / ".hpc-proxy/jobs").iterdir()), [])

    def test_auto_says_why_it_is_loopback(self):
        done = self.run_forbidden("max_net_namespaces", "auto")
        self.assertEqual((done.returncode, done.stdout), (0, "ran\n"), done.stderr)
        self.assertIn("(loopback), because", done.stderr)
        self.assertIn("user.max_net_namespaces is 0", done.stderr)

    def test_auto_says_that_it_is_netns(self):
        done = self.run_proxy("run", "--private", "auto", "--", "echo", "ran")
        self.assertEqual((done.returncode, done.stdout), (0, "ran\n"), done.stderr)
        self.assertRegex(done.stderr, r"\((netns|loopback)\)")


@unittest.skipUnless(can_be_a_node(), "needs root, network namespaces and the tun device")
@harness.needs_user_namespace
class EgressTest(NetnsTest):
    """On a node in a network namespace of the test's own."""

    def path_with(self, *programs):
        """A PATH with those of the two programs, and neither of the others."""
        folder = self.base / "-".join(["bin", *programs])
        folder.mkdir(exist_ok=True)
        for name in (*programs, "sh", "unshare", "setpriv"):
            found = shutil.which(name)
            if not found:
                self.skipTest(f"{name} is not installed")
            if not (folder / name).exists():
                (folder / name).symlink_to(found)
        return str(folder)

    def start_on_node(self, script, *arguments, programs):
        for folder in ("dev", "node"):
            (self.base / folder).mkdir(exist_ok=True)
        self.around = ("unshare", "-n", "-m", "sh", "-c", NODE, "sh", sys.executable, NODE_SERVERS,
                       self.path_with(*programs))
        self.addCleanup(self.end_node)
        return self.start_inside(script, *arguments,
                                 variables={"HPC_TEST_BASE": str(self.base)})

    def end_node(self):
        file = self.base / "node/pid"
        if file.exists():
            os.kill(int(file.read_text()), signal.SIGKILL)
            file.unlink()

    # 10.0.2.2 and .3 are slirp4netns's gateway and resolver, 192.0.2.1 is the node's gateway.
    LED = tuple(f"{host} {LOOPBACK_PORT}" for host in (
        "127.0.0.1", "10.0.2.2", "10.0.2.3", "10.0.2.100", "192.0.2.1", "192.0.2.7",
        "198.51.100.7", "0.0.0.0"))

    def egress_of(self, proxy, program):
        """The pid of that program, as a child of hpc-proxy."""
        names = {"pasta": ("passt", "pasta")}.get(program, (program,))  # two names of one program
        (egress,) = [pid for pid, name in children_of(proxy.process.pid) if name.startswith(names)]
        return egress

    def check_reach(self, program):
        proxy, said = self.start_on_node(TRIES + STAY, *self.LED, f"198.51.100.7 {OPEN_PORT}",
                                         programs=[program])
        self.assertEqual(said["taken"], [f"198.51.100.7 {OPEN_PORT} node"])
        self.assertTrue(self.egress_of(proxy, program))

    def test_slirp4netns_leads_to_machines_and_not_to_the_nodes_loopback(self):
        self.check_reach("slirp4netns")

    def test_pasta_leads_to_machines_and_not_to_the_nodes_loopback(self):
        self.check_reach("pasta")

    def test_none_is_a_warning(self):
        proxy, said = self.start_on_node(TRIES + STAY, f"198.51.100.7 {OPEN_PORT}", programs=[])
        self.assertEqual(said["taken"], [])
        self.assertIn("other machines cannot be reached from inside", proxy.log)
        for name in ("slirp4netns", "pasta"):
            self.assertIn(name, proxy.log)

    def check_nobody_comes_in(self, program):
        inside = INSIDE + "one = socket.create_server(('', 0))\n" \
                          "say(port=one.getsockname()[1])\n" + STAY
        proxy, said = self.start_on_node(inside, programs=[program])
        tries = INSIDE + "os.chdir(sys.argv.pop(1))\n" + TRIES[len(INSIDE):]
        folder = self.new_home(harness.OTHER_UID)
        addresses = ["127.0.0.1", "::1", "192.0.2.7", "198.51.100.7", "10.0.2.100"]
        subprocess.run(
            ["nsenter", "-t", str(proxy.process.pid), "-n", *harness.as_user(
                harness.OTHER_UID, [sys.executable, "-c", tries, str(folder),
                                    *(f"{host} {said['port']}" for host in addresses)])],
            check=True, timeout=60)
        self.assertEqual(self.said(folder)["taken"], [])

    def test_nobody_comes_in_by_slirp4netns(self):
        self.check_nobody_comes_in("slirp4netns")

    def test_nobody_comes_in_by_pasta(self):
        self.check_nobody_comes_in("pasta")

    def check_ends(self, program):
        for number, of in ((signal.SIGTERM, "proxy"), (signal.SIGKILL, "proxy"),
                           (signal.SIGKILL, "keeper"), (signal.SIGKILL, "command")):
            with self.subTest(number=number, of=of):
                proxy, said = self.start_on_node(INSIDE + "say(pid=os.getpid())\n" + STAY,
                                                 programs=[program])
                egress = self.egress_of(proxy, program)
                os.kill({"proxy": proxy.process.pid, "keeper": parent_of(said["pid"]),
                         "command": said["pid"]}[of], number)
                proxy.process.wait(harness.PATIENCE_SECONDS)
                wait_until(lambda: egress not in pids(), f"{program} has ended")
                self.assert_gone(said)
                (self.home / "said").unlink()
                self.end_node()

    def test_slirp4netns_ends_with_whatever_ends_first(self):
        self.check_ends("slirp4netns")

    def test_pasta_ends_with_whatever_ends_first(self):
        self.check_ends("pasta")

    def test_its_own_end_is_told(self):
        proxy, _ = self.start_on_node(INSIDE + "say()\n" + STAY, programs=["slirp4netns"])
        os.kill(self.egress_of(proxy, "slirp4netns"), signal.SIGKILL)
        wait_until(lambda: "slirp4netns has ended" in proxy.log, "the warning")


if __name__ == "__main__":
    harness.main()
