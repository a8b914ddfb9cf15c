"""libhpc_ports.so in front of a C program: each rule of docs/ports-library.md.

The kernel's view of a socket is asked past the library ("real"), the program's through it."""

import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import ports_probe  # noqa: E402

# (name, family, options, what is bound, where the kernel has it, what the program is shown)
TCP_BINDS = (
    ("loopback", 4, (), "127.0.0.1", "$4", "127.0.0.1"),
    ("wildcard", 4, (), "0.0.0.0", "$4", "0.0.0.0"),
    ("another_loopback", 4, (), "127.0.0.2", "127.0.0.2", "127.0.0.2"),
    ("private_itself", 4, (), "$4", "$4", "127.0.0.1"),
    ("ipv6_loopback", 6, (), "::1", "::ffff:$6", "::1"),
    ("ipv6_loopback_only", 6, ("only a 1",), "::1", "::ffff:$6", "::1"),
    ("dual_stack", 6, ("only a 0",), "::", "::ffff:$4", "::"),
    ("ipv6_alone", 6, ("only a 1",), "::", "::ffff:$6", "::"),
    ("mapped_loopback", 6, (), "::ffff:127.0.0.1", "::ffff:$4", "::ffff:127.0.0.1"),
    ("mapped_wildcard", 6, (), "::ffff:0.0.0.0", "::ffff:$4", "::ffff:0.0.0.0"),
    ("mapped_elsewhere", 6, (), "::ffff:127.0.0.2", "::ffff:127.0.0.2", "::ffff:127.0.0.2"),
)

UDP_BINDS = (
    ("loopback", 4, (), "127.0.0.1", "$4", "127.0.0.1"),
    ("wildcard", 4, (), "0.0.0.0", "0.0.0.0", "0.0.0.0"),
    ("ipv6_loopback", 6, (), "::1", "::ffff:$6", "::1"),
    ("ipv6_loopback_only", 6, ("only a 1",), "::1", "::ffff:$6", "::1"),
    ("dual_stack", 6, ("only a 0",), "::", "::", "::"),
    ("ipv6_alone", 6, ("only a 1",), "::", "::", "::"),
    ("mapped_loopback", 6, (), "::ffff:127.0.0.1", "::ffff:$4", "::ffff:127.0.0.1"),
    ("mapped_wildcard", 6, (), "::ffff:0.0.0.0", "::ffff:0.0.0.0", "::ffff:0.0.0.0"),
)

# Where a listener is bound (family, options, address), who finds it: (family, address asked for,
# where the kernel connects, what the client is shown of itself and of the peer, what the server
# is shown of itself and of the client). No entry: nobody is there.
CONNECTS = (
    ("loopback", 4, (), "127.0.0.1", {
        (4, "127.0.0.1"): ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (4, "0.0.0.0"): ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (6, "::ffff:127.0.0.1"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1",
                                  "127.0.0.1"),
        (6, "::ffff:0.0.0.0"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1",
                                "127.0.0.1")}),
    ("wildcard", 4, (), "0.0.0.0", {
        (4, "127.0.0.1"): ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (4, "0.0.0.0"): ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (6, "::ffff:127.0.0.1"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1",
                                  "127.0.0.1"),
        (6, "::ffff:0.0.0.0"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1",
                                "127.0.0.1")}),
    ("ipv6_loopback", 6, (), "::1", {
        (6, "::1"): ("::1", "::1", "::1", "::1"),
        (6, "::"): ("::1", "::1", "::1", "::1")}),
    ("ipv6_alone", 6, ("only a 1",), "::", {
        (6, "::1"): ("::1", "::1", "::1", "::1"),
        (6, "::"): ("::1", "::1", "::1", "::1")}),
    ("dual_stack", 6, ("only a 0",), "::", {
        (4, "127.0.0.1"): ("127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (4, "0.0.0.0"): ("127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (6, "::1"): ("::1", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (6, "::"): ("::1", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (6, "::ffff:127.0.0.1"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1",
                                  "::ffff:127.0.0.1"),
        (6, "::ffff:0.0.0.0"): ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1",
                                "::ffff:127.0.0.1")}),
)
ASKED_FOR = ((4, "127.0.0.1"), (4, "0.0.0.0"), (6, "::1"), (6, "::"), (6, "::ffff:127.0.0.1"),
             (6, "::ffff:0.0.0.0"))


def host(shown):
    return shown.rsplit(" ", 1)[0]


class BindTest(ports_probe.TestCase):
    def check_binds(self, kind, table):
        for name, family, options, address, real, shown in table:
            with self.subTest(kind=kind, bind=name):
                probe = self.probe()
                self.do(probe, f"socket a {kind} {family}", *options, f"bind a {address} $P")
                self.check(probe, "real a", f"{real} $P", "local a", f"{shown} $P")
                probe.end()

    def test_tcp(self):
        self.check_binds("tcp", TCP_BINDS)

    def test_mptcp(self):
        if self.probe()("socket a mptcp 4") != "ok":
            self.skipTest("no MPTCP in this kernel")
        self.check_binds("mptcp", TCP_BINDS)

    def test_udp(self):
        self.check_binds("udp", UDP_BINDS)

    def test_port_0_is_not_moved(self):
        for family, address in ((4, "127.0.0.1"), (4, "0.0.0.0"), (6, "::1"), (6, "::")):
            with self.subTest(address=address):
                probe = self.probe()
                self.do(probe, f"socket a tcp {family}", f"bind a {address} 0")
                self.assertEqual(host(probe("real a")), address)
                self.assertEqual(host(probe("local a")), address)

    def test_both_families_have_one_port(self):
        for family, first, second, only in ((4, "0.0.0.0", "::", 1), (4, "127.0.0.1", "::1", 0)):
            with self.subTest(first=first):
                probe = self.probe()
                self.listen(probe, "a", family, first)
                self.listen(probe, "b", 6, second, f"only b {only}")
                self.check(probe, "real a", "$4 $P", "real b", "::ffff:$6 $P")
                probe.end()

    def test_what_is_in_use_is_in_use(self):
        for first, family, second in (("0.0.0.0", 4, "127.0.0.1"), ("127.0.0.1", 4, "0.0.0.0"),
                                      ("::", 4, "0.0.0.0"), ("::1", 6, "::1")):
            with self.subTest(first=first, second=second):
                probe = self.probe()
                self.listen(probe, "a", 6 if ":" in first else 4, first)
                self.do(probe, f"socket b tcp {family}")
                self.check(probe, f"bind b {second} $P", "EADDRINUSE")
                probe.end()

    def test_two_runs_have_the_same_port(self):
        for family, address in ((4, "0.0.0.0"), (4, "127.0.0.1"), (6, "::"), (6, "::1")):
            with self.subTest(address=address):
                probes = [self.probe(ports_probe.private_addresses(n)) for n in (0, 1)]
                for probe in probes:
                    self.listen(probe, "a", family, address)
                    self.check(probe, "local a", f"{address} $P")
                for probe in probes:
                    probe.end()

    def test_ipv6_alone_beside_the_ipv4_port_that_the_kernel_chose(self):
        # As Tornado does: 0.0.0.0 on any port, then [::] alone on the same.
        probe = self.probe()
        self.do(probe, "socket a tcp 4", "bind a 0.0.0.0 0", "listen a")
        port = probe("local a").split()[1]
        self.do(probe, "socket b tcp 6", "only b 1", f"bind b :: {port}", "listen b")
        self.check(probe, "local b", f":: {port}", "real b", f":: {port}")
        # And it is for IPv6 alone: a listener for IPv4 on the same port would be refused else.
        self.do(probe, "socket c tcp 6", f"connect c ::1 {port}")
        self.check(probe, "peer c", f"::1 {port}")

    def test_a_refused_bind_leaves_the_socket_for_ipv6_alone(self):
        probe = self.probe()
        self.listen(probe, "a", 6, "::", "only a 1")
        self.do(probe, "socket b tcp 6", "only b 1")
        self.check(probe, "bind b :: $P", "EADDRINUSE")
        self.check(probe, "bind b ::ffff:127.0.0.1 $P", "EINVAL")

    def test_errors_are_the_kernels(self):
        probe = self.probe()
        self.do(probe, "socket a tcp 4", "socket b unix 4")
        self.check(probe, "bind a :: $P", "EAFNOSUPPORT", "bind b 127.0.0.1 $P", "EINVAL")
        self.do(probe, "socket z tcp 4", "close z")
        self.check(probe, "bind z 127.0.0.1 $P", "EBADF", "connect z 127.0.0.1 $P", "EBADF",
                   "local z", "EBADF")
        self.do(probe, "bind a 127.0.0.1 $P")
        self.check(probe, "bind a 127.0.0.1 $P", "EINVAL", "peer a", "ENOTCONN")

    def test_low_ports_are_as_the_kernel_decides(self):
        probe = self.probe()
        self.do(probe, "socket a tcp 4")
        answer = probe("bind a 0.0.0.0 1")
        self.assertIn(answer, ("ok", "EACCES"))
        if answer == "ok":
            self.check(probe, "real a", "$4 1")

    def test_a_short_buffer_is_not_written_past(self):
        probe = self.probe()
        self.listen(probe, "a", 4, "0.0.0.0")
        port = f"{self.port:04x}"
        real = port + socket.inet_aton(self.addresses[0]).hex()
        end = "00" * 8 + "78" * 12
        # Half an address is left as it is: there is nothing to show in its place.
        for size, seen in ((16, port + "00000000"), (8, port + "00000000"), (7, real), (6, real),
                           (4, real), (0, real)):
            with self.subTest(size=size):
                answer = probe(f"short a {size}").split()
                self.assertEqual(answer[0], "16")
                self.assertEqual(answer[1], seen + end)


class ConnectTest(ports_probe.TestCase):
    def test_who_finds_which_listener(self):
        for name, family, options, address, found in CONNECTS:
            for asked in ASKED_FOR:
                with self.subTest(listener=name, asked=asked):
                    self.check_connect((family, options, address), asked, found.get(asked))

    def check_connect(self, listener, asked, shown):
        family, options, address = listener
        server, client = self.probe(), self.probe()
        self.listen(server, "a", family, address, *options)
        self.do(client, f"socket c tcp {asked[0]}")
        if shown is None:
            self.check(client, f"connect c {asked[1]} $P", "ECONNREFUSED")
        else:
            self.do(client, f"connect c {asked[1]} $P")
            near, far, server_local, server_peer = shown
            port = client("real c").split()[1]
            self.check(client, "local c", f"{near} {port}", "peer c", f"{far} $P")
            self.check(server, "accept a s", f"{server_peer} {port}",
                       "local s", f"{server_local} $P", "peer s", f"{server_peer} {port}")
        client.end()
        server.end()

    def test_accept4_shows_the_same(self):
        probe = self.probe()
        self.listen(probe, "a", 6, "::1")
        self.do(probe, "socket c tcp 6", "connect c ::1 $P")
        port = probe("real c").split()[1]
        self.check(probe, "accept4 a s", f"::1 {port}")

    def test_nobody_there_stays_with_the_machine(self):
        for family, address in ((4, "127.0.0.1"), (6, "::1")):
            with self.subTest(address=address), socket.create_server(
                    (address, 0), family=socket.AF_INET6 if family == 6 else socket.AF_INET) as out:
                port = out.getsockname()[1]
                probe = self.probe()
                self.do(probe, f"socket c tcp {family}", f"connect c {address} {port}")
                self.check(probe, "peer c", f"{address} {port}")

    def test_the_private_listener_comes_first(self):
        with socket.create_server(("127.0.0.1", self.port)):
            probe = self.probe()
            self.listen(probe, "a", 4, "127.0.0.1")
            self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")
            port = probe("real c").split()[1]
            self.check(probe, "accept a s", f"127.0.0.1 {port}")

    def test_bound_but_not_listening_is_nobody(self):
        probe = self.probe()
        self.do(probe, "socket a tcp 4", "bind a 127.0.0.1 $P", "socket c tcp 4")
        self.check(probe, "connect c 127.0.0.1 $P", "ECONNREFUSED")

    def test_a_wildcard_listener_of_the_machine_is_not_taken_for_ours(self):
        # The kernel offers it when it is asked for the private address.
        with socket.create_server(("0.0.0.0", 0)) as out:
            port = out.getsockname()[1]
            probe = self.probe()
            self.do(probe, "socket c tcp 4", f"connect c 127.0.0.1 {port}")
            accepted, _ = out.accept()
            self.assertEqual(accepted.getsockname()[0], "127.0.0.1")
            accepted.close()

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_another_users_listener_at_the_private_address_is_not_ours(self):
        with socket.socket() as theirs:
            os.fchown(theirs.fileno(), 20002, 20002)
            theirs.bind((self.addresses[0], self.port))
            theirs.listen()
            probe = self.probe()
            self.do(probe, "socket c tcp 4")
            self.check(probe, "connect c 127.0.0.1 $P", "ECONNREFUSED")
            # It is the kernel's word that counts, not that of the address.
            self.do(probe, "socket d tcp 4", "connect d $4 $P")

    def test_a_client_for_ipv6_alone(self):
        probe = self.probe()
        self.listen(probe, "a", 6, "::1")
        self.do(probe, "socket c tcp 6", "only c 1", "connect c ::1 $P")
        self.check(probe, "peer c", "::1 $P")

    def test_a_client_that_was_bound_before(self):
        for family, bound, listener in ((4, "127.0.0.1 0", "127.0.0.1"), (4, "0.0.0.0 0", "0.0.0.0"),
                                        (6, ":: 0", "::1"), (6, ":: 0", "::")):
            with self.subTest(bound=bound, listener=listener):
                probe = self.probe()
                self.listen(probe, "a", family, listener)
                asked = "::1" if family == 6 else "127.0.0.1"
                self.do(probe, f"socket c tcp {family}", f"bind c {bound}", f"connect c {asked} $P")
                port = probe("real c").split()[1]
                self.check(probe, "local c", f"{asked} {port}", "peer c", f"{asked} $P")
                probe.end()

    def test_a_client_that_cannot_leave_ipv6_stays(self):
        probe = self.probe()
        self.listen(probe, "a", 6, "::1")
        self.do(probe, "socket c tcp 6", "bind c ::1 0", "socket d tcp 6", "only d 1", "bind d :: 0")
        self.check(probe, "connect c ::1 $P", "ECONNREFUSED", "connect d ::1 $P", "ECONNREFUSED")

    def test_a_client_that_was_bound_to_a_port_of_the_wildcard(self):
        probe = self.probe()
        self.listen(probe, "a", 4, "127.0.0.1")
        port = ports_probe.free_port()
        self.do(probe, "socket c tcp 4", f"bind c 0.0.0.0 {port}")
        self.check(probe, "local c", f"0.0.0.0 {port}")
        self.do(probe, "connect c 127.0.0.1 $P")
        self.check(probe, "local c", f"127.0.0.1 {port}", "accept a s", f"127.0.0.1 {port}")

    def test_a_client_of_the_wildcard_that_leaves_the_run(self):
        with socket.create_server(("127.0.0.1", 0)) as out:
            probe = self.probe()
            self.do(probe, "socket c tcp 4", "bind c 0.0.0.0 $P",
                    f"connect c 127.0.0.1 {out.getsockname()[1]}")
            self.check(probe, "local c", "127.0.0.1 $P", "real c", "$4 $P")

    def test_fast_open_goes_where_connect_goes(self):
        for how in ("fastopen", "fastopenmsg"):
            with self.subTest(how=how):
                probe = self.probe()
                self.listen(probe, "a", 4, "127.0.0.1")
                self.do(probe, "socket c tcp 4")
                answer = probe(self.filled(f"send c 127.0.0.1 $P {how}"))
                if answer == "EOPNOTSUPP":
                    self.skipTest("no TCP Fast Open in this kernel")
                self.assertEqual(answer, "1")
                self.check(probe, "peer c", "127.0.0.1 $P")
                probe.end()

    def test_a_copied_descriptor_is_shown_as_loopback(self):
        probe = self.probe()
        self.listen(probe, "a", 4, "0.0.0.0")
        self.do(probe, "dup a b")
        self.check(probe, "local b", "127.0.0.1 $P", "local a", "0.0.0.0 $P")

    def test_a_reused_descriptor_forgets_what_it_was(self):
        probe = self.probe()
        self.listen(probe, "a", 4, "0.0.0.0")
        self.do(probe, "close a")
        self.listen(probe, "a", 4, "127.0.0.1")
        self.check(probe, "local a", "127.0.0.1 $P")
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")


    def test_an_accepted_connection_forgets_what_its_descriptor_was(self):
        probe = self.probe()
        self.listen(probe, "a", 6, "::", "only a 0")
        port = ports_probe.free_port()
        self.do(probe, "socket c tcp 6", "connect c ::1 $P", "socket d tcp 4",
                f"bind d 127.0.0.1 {port}")
        self.check(probe, "peer c", "::1 $P")
        self.assertEqual(host(probe("accept a s")), "::ffff:127.0.0.1")
        self.do(probe, "close c", "connect d 127.0.0.1 $P")
        self.check(probe, "accept a t", f"::ffff:127.0.0.1 {port}",
                   "peer t", f"::ffff:127.0.0.1 {port}")


class UdpTest(ports_probe.TestCase):
    def exchange(self, server, client, family, address, send, receive):
        """A datagram there and one back; what each is shown of the other."""
        self.do(client, f"socket c udp {family}")
        count = "20" if send == "sendmmsg" else "1"
        self.check(client, f"send c {address} $P {send}", count)
        came_from = server(f"receive a {receive}")
        self.assertEqual(host(came_from), address)
        self.check(server, f"send a {came_from} sendto", "1")
        self.check(client, f"receive c {receive}", f"{address} $P")

    def test_there_and_back(self):
        for family, address in ((4, "127.0.0.1"), (6, "::1"), (6, "::ffff:127.0.0.1")):
            for send, receive in (("sendto", "recvfrom"), ("sendmsg", "recvmsg"),
                                  ("sendmmsg", "recvmmsg"), ("sendto", "chk")):
                with self.subTest(address=address, send=send, receive=receive):
                    server, client = self.probe(), self.probe()
                    self.do(server, f"socket a udp {family}", f"bind a {address} $P")
                    self.exchange(server, client, family, address, send, receive)
                    server.end()
                    client.end()

    def test_connected(self):
        for family, address in ((4, "127.0.0.1"), (6, "::1")):
            with self.subTest(address=address):
                probe = self.probe()
                self.do(probe, f"socket a udp {family}", f"bind a {address} $P",
                        f"socket c udp {family}", f"connect c {address} $P")
                port = probe("real c").split()[1]
                self.check(probe, "peer c", f"{address} $P", "local c", f"{address} {port}")

    def test_a_wildcard_server_is_found_where_it_is(self):
        server, client = self.probe(), self.probe()
        self.do(server, "socket a udp 4", "bind a 0.0.0.0 $P")
        self.exchange(server, client, 4, "127.0.0.1", "sendto", "recvfrom")

    def test_a_sender_is_not_written_past_its_room(self):
        probe = self.probe()
        port = ports_probe.free_port()
        self.do(probe, "socket a udp 4", "bind a 127.0.0.1 $P", "socket c udp 4",
                f"bind c 127.0.0.1 {port}")
        self.check(probe, "send c 127.0.0.1 $P sendto", "1", f"tight a {port}", "ok")

    def test_netlink_knows_udp_too(self):
        probe = self.probe()
        self.do(probe, "forbid files", "socket a udp 6", "bind a ::1 $P", "socket c udp 6",
                "connect c ::1 $P")
        self.check(probe, "peer c", "::1 $P", "real a", "::ffff:$6 $P")
        self.assertNotEqual(host(probe("real c")), "::1")

    def test_two_runs_have_the_same_port(self):
        probes = [self.probe(ports_probe.private_addresses(n)) for n in (0, 1)]
        for probe in probes:
            self.do(probe, "socket a udp 4", "bind a 127.0.0.1 $P")
        for probe in probes:
            self.do(probe, "socket c udp 4")
            self.check(probe, "send c 127.0.0.1 $P sendto", "1")
            self.assertEqual(host(probe("receive a recvfrom")), "127.0.0.1")


class SettingsTest(ports_probe.TestCase):
    def test_shared_ports_are_neither_moved_nor_asked_for(self):
        probe = self.probe(shared=f"1-2,{self.port}")
        self.listen(probe, "a", 4, "0.0.0.0")
        self.check(probe, "real a", "0.0.0.0 $P")
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P", "socket d tcp 4",
                f"bind d 0.0.0.0 {ports_probe.free_port()}")
        self.assertEqual(host(probe("real d")), self.addresses[0])

    def test_a_shared_port_at_the_private_address_is_not_looked_for(self):
        probe = self.probe(shared=str(self.port))
        self.listen(probe, "a", 4, "$4")
        self.do(probe, "socket c tcp 4")
        self.check(probe, "connect c 127.0.0.1 $P", "ECONNREFUSED")

    def check_nothing_changes(self, probe):
        self.listen(probe, "a", 4, "127.0.0.1")
        self.check(probe, "real a", "127.0.0.1 $P", "local a", "127.0.0.1 $P")
        self.do(probe, "socket c tcp 4", "connect c 127.0.0.1 $P")
        probe.end()

    def test_settings_of_a_run_that_is_not_here_change_nothing(self):
        # Of another node of the job, or of one that has ended: nobody claims the address.
        address = ports_probe.private_addresses()[0].rsplit(".", 2)[0] + ".255.252"
        self.check_nothing_changes(self.probe((address, "")))

    def test_settings_of_a_run_outside_of_a_network_of_ones_own_change_nothing(self):
        made = subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True)
        if made.returncode != 0:
            self.skipTest("no network namespaces")
        for lo in ("true", "ip link set lo up"):
            probe = ports_probe.Probe(ports_probe.environment(self.addresses), before=(
                "unshare", "-rn", "sh", "-c", lo + ' && exec "$0"'))
            self.addCleanup(probe.end)
            self.do(probe, "socket a tcp 4", "bind a 0.0.0.0 $P")
            self.check(probe, "real a", "0.0.0.0 $P")

    def test_the_claim_is_looked_for_once(self):
        addresses = ports_probe.private_addresses(2)
        probe = self.probe(addresses)
        self.do(probe, "socket a tcp 4")
        ports_probe.give_up_claim(2)
        self.check(probe, "bind a 0.0.0.0 $P", "ok", "real a", f"{addresses[0]} $P")

    def test_without_good_settings_nothing_changes(self):
        for address, shared in ((None, ""), ("", ""), ("10.0.0.4", ""), ("127.64.9.5", ""),
                                (self.addresses[0] + " ", ""), (self.addresses[0], "80,"),
                                (self.addresses[0], "none")):
            with self.subTest(address=address, shared=shared):
                addresses = None if address is None else (address, "")
                self.check_nothing_changes(self.probe(addresses, shared=shared))


if __name__ == "__main__":
    unittest.main()
