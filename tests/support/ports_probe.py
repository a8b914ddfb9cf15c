"""Runs ports_probe, and other programs, with libhpc_ports.so preloaded.

    probe = self.probe()                       # of this test's private address
    probe("socket a tcp 4")                    # "ok"
    probe("bind a 0.0.0.0 5500")               # asserts nothing: returns what the probe says
    self.check(probe, "local a", "0.0.0.0 5500")
"""

import errno
import os
import pathlib
import random
import socket
import subprocess
import unittest

from waiting import PATIENCE_SECONDS

BUILD = pathlib.Path(os.environ["HPC_BUILD_DIR"])
LIBRARY = BUILD / "node-proxy/ports/libhpc_ports.so"
SUPPORT = BUILD / "tests/support"


CLAIM_PORT = 27464
_claims = {}


def private_addresses(number=0):
    """(v4, v6) of this process, so that tests at the same time do not meet; number is 0 to 3. As
    hpc-proxy does, it claims them for as long as it lives."""
    block = (os.getpid() * 4 + number) % (1 << 20) * 4
    host = (127 << 24) + (64 << 16) + block
    v4, v6, claim = (socket.inet_ntoa((host + i).to_bytes(4, "big")) for i in range(3))
    if number not in _claims:
        _claims[number] = socket.socket()
        _claims[number].bind((claim, CLAIM_PORT))
    return v4, v6


def give_up_claim(number):
    _claims.pop(number).close()


_ports_taken = []


def take_port(port):
    """Whether this process may use that port: no other test does, and no socket has it. For as long
    as it lives; tests agree by names of Unix sockets."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0hpc-ports-test-{port}")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET6, kind) as both:
                both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                both.bind(("::", port))
    except OSError:
        lock.close()
        return False
    _ports_taken.append(lock)
    return True


def free_port(count=1):
    """The first of so many ports that are nobody's, below those that the kernel gives out; others
    at each call."""
    for _ in range(1000):
        first = random.randrange(20000, 32000 - count)
        if all(take_port(first + i) for i in range(count)):
            return first
    raise AssertionError("no free port")


def environment(addresses, shared=None, preload=LIBRARY, **more):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("HPC_PORTS", "LD_PRELOAD"))}
    if addresses is not None:
        kept["HPC_PORTS_ADDRESS"] = addresses[0]
    if shared is not None:
        kept["HPC_PORTS_SHARED"] = shared
    return {**kept, "LD_PRELOAD": str(preload), **more}


class Probe:
    """One running ports_probe."""

    def __init__(self, variables, program="ports_probe", before=()):
        self.process = subprocess.Popen([*before, SUPPORT / program], env=variables, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def __call__(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if answer.startswith("error "):
            return errno.errorcode.get(int(answer.split()[1]), answer)
        return answer

    def end(self):
        """Its standard error."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.stdin = None
        return self.process.communicate(timeout=PATIENCE_SECONDS)[1]


class TestCase(unittest.TestCase):
    def setUp(self):
        self.addresses = private_addresses()
        self.port = free_port()

    def probe(self, addresses="own", program="ports_probe", **options):
        addresses = self.addresses if addresses == "own" else addresses
        probe = Probe(environment(addresses, **options), program)
        self.addCleanup(probe.end)
        return probe

    def check(self, probe, *commands_and_answers):
        """Commands and what they say, in turn; $P is the port, $4 and $6 are the addresses."""
        for command, answer in zip(commands_and_answers[::2], commands_and_answers[1::2]):
            self.assertEqual(probe(self.filled(command)), self.filled(answer), command)

    def do(self, probe, *commands):
        """Commands that must all say "ok"."""
        for command in commands:
            self.check(probe, command, "ok")

    def filled(self, text):
        for mark, value in (("$P", self.port), ("$4", self.addresses[0]),
                            ("$6", self.addresses[1])):
            text = text.replace(mark, str(value))
        return text

    def listen(self, probe, name, family, address, *options, port="$P"):
        """A TCP listener in the probe; what is left of earlier tests' connections is no obstacle."""
        self.do(probe, f"socket {name} tcp {family}", f"reuse {name}", *options,
                f"bind {name} {address} {port}", f"listen {name}")
