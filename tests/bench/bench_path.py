"""The whole path of a browser's bytes, ours and the usual one, on loopback or over a long line:

    load -> hpc-manager connect ==ssh==> sshd -> hpc-proxy -> app
    load -> nginx -> ssh -L     ==ssh==> sshd -> nginx     -> app

Both go to one sshd with one cipher. sshd, app and load share a core, all others have the other.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import pwd
import signal
import subprocess
import sys

import bench_peers
from bench_processes import (LOAD_CORE, PROXY_CORE, ROOT, CannotRun, first_line, free_port, listens,
                             our_program, processor_seconds, wait_until)

sys.path.insert(0, str(ROOT / "tests/support"))

CIPHER = "aes128-gcm@openssh.com"  # the first that hpc-manager offers
NEAR, FAR = "198.18.99.1", "198.18.99.2"  # set aside for tests of networks (RFC 2544)
# The wan tool copies every frame; large ones leave the processor to what is measured.
FRAME_BYTES = 9000
# With the kernel's 4 MiB one TCP connection moves 105 MiB/s at 25 ms, so that what a tunnel can do
# beyond would not be seen. Hosts that serve data over long lines have it as large.
SEND_BUFFER = 32 * 2**20
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def on_core(core):
    """What is started meanwhile runs there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Here:
    """The network in which everything is anyway."""

    def entered(self):
        return contextlib.nullcontext()


class Network:
    """A network namespace of its own; it ends with close() and the processes in it."""

    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self._libc.unshare(CLONE_NEWNET) != 0:
                raise CannotRun("a long line needs network namespaces, which take root: "
                                + os.strerror(ctypes.get_errno()))
            self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        finally:
            self._set(before)
            os.close(before)

    def _set(self, fd):
        if self._libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    @contextlib.contextmanager
    def entered(self):
        """For this thread, and for what it starts."""
        before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._set(self.fd)
        try:
            yield
        finally:
            self._set(before)
            os.close(before)

    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self):
        os.close(self.fd)


def long_line(processes, round_trip_ms, kbit_per_s=0):
    """(near, far): two networks with that line between them."""
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        raise CannotRun("a long line needs root and /dev/net/tun")
    bench_peers.require("ip", "iproute2")
    near, far = Network(), Network()
    wan = processes.start([our_program("tests/support/wan"), near.path(), "near0", far.path(),
                           "far0", round_trip_ms / 2, 0, 0, kbit_per_s], stdout=subprocess.PIPE)
    first_line(wan)
    for network, interface, address in ((near, "near0", NEAR), (far, "far0", FAR)):
        with network.entered():
            subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", interface], check=True)
            subprocess.run(["ip", "link", "set", interface, "mtu", str(FRAME_BYTES), "up"],
                           check=True)
            if not kbit_per_s:
                pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").write_text(f"4096 16384 {SEND_BUFFER}")
    return near, far


@dataclasses.dataclass
class Path:
    """One way from the load to the app. `front`: pids at the browser's end; `back`: at the app's."""

    name: str
    port: int
    prefix: str
    front: tuple
    back: tuple
    fields: tuple = ()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def front_seconds(self):
        return processor_seconds(*self.front)

    def seconds(self):
        return processor_seconds(*self.front, *self.back)

    def field_options(self, _option="-H"):
        return []


def start_host(far, address):
    """sshd, with a home of its own for who logs in; tests/support has it."""
    os.environ["HPC_MANAGER"] = our_program("manager/hpc-manager")
    os.environ["HPC_PROXY"] = our_program("node-proxy/hpc-proxy")
    bench_peers.require("sshd", "openssh-server")
    import connect_site  # it asks for the two programs above

    class Host(connect_site.LoginHost):
        def start_sshd(self, *_):
            super().start_sshd("LogLevel ERROR", f"ListenAddress {address}",
                               f"Ciphers {CIPHER}", "MaxStartups 200")
            key = pathlib.Path(f"{self.host_key}.pub").read_text()
            self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}"
                                        f"[{address}]:{self.port} {key}")

        def manager_command(self, *options, **change):
            return [word.replace("@127.0.0.1:", f"@{address}:")
                    for word in super().manager_command(*options, **change)]

    with far.entered(), on_core(LOAD_CORE):
        return Host()


def start_forward(processes, host, address, back_port):
    """ssh -L to a port of the host: (its process, the local port)."""
    local = free_port()
    user = pwd.getpwuid(os.getuid()).pw_name
    process = processes.start(
        ["ssh", "-N", "-F", "/dev/null", "-c", CIPHER, "-i", host.key, "-p", host.port,
         "-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "BatchMode=yes",
         "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:127.0.0.1:{back_port}",
         f"{user}@{address}"], PROXY_CORE)
    wait_until(lambda: listens(local) or process.poll() is not None, "ssh -L listens")
    if process.poll() is not None:
        raise AssertionError(f"ssh ended:\n{process.log.read_text()}")
    return process, local


class Paths:
    """Both paths to one app: {name: Path} in `both`. near, far: Here or Network; close() ends what
    is not in `processes`."""

    def __init__(self, processes, near, far, address):
        self._host = start_host(far, address)
        try:
            with far.entered():
                app_port = processes.start_app()
                with on_core(PROXY_CORE):
                    proxy = self._host.start_proxy("--max-connections", "6000")
                back = bench_peers.start_nginx(processes, app_port)
            with near.entered():
                with on_core(PROXY_CORE):
                    manager = self._host.connect()
                ssh, local = start_forward(processes, self._host, address, back.port)
                front = bench_peers.start_nginx(processes, local, prefix=back.prefix, strip="")
        except BaseException:
            self._host.close()
            raise
        self.near = near
        self.both = {
            "ours": Path("ours", manager.port, back.prefix, (manager.process.pid,), (proxy.pid,)),
            "ssh -L": Path("ssh -L", front.port, back.prefix, (front.worker, ssh.pid),
                           (back.worker,))}

    def close(self):
        # sshd's processes for connections outlive it, and over a line that is gone already they
        # would never hear that the other end is.
        connections = self._host.ssh_sessions()
        self._host.close()
        for pid in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
