#!/usr/bin/python3
"""hpc-proxy when something is used up, hangs, dies or ends: it goes on, and says what it cannot do."""

import os
import pathlib
import select
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def cpu_seconds(pid):
    """What the process has used, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class FaultCase(harness.TestCase):
    def limited_program(self, descriptors):
        """From here on hpc-proxy may have so many descriptors and no more."""
        wrapper = self.base / "limited"
        wrapper.write_text(f'#!/bin/sh\nulimit -n {descriptors}; exec {self.program} "$@"\n')
        wrapper.chmod(0o755)
        self.program = wrapper

    def open(self, proxy, request=b"", receive_bytes=None):
        """A connection of the user's own, which is not counted as a stranger's."""
        connection = harness.Connection.__new__(harness.Connection)
        with harness.user_sockets():
            connection.socket = socket.socket()
        if receive_bytes:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.socket.settimeout(harness.PATIENCE_SECONDS)
        connection.socket.connect(("127.0.0.1", proxy.port))
        connection._reader = connection.socket.makefile("rb")
        self.addCleanup(connection.close)
        connection.send(request)
        return connection

    def ask(self, proxy, target, **options):
        return self.open(proxy, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", **options)


class DescriptorsTest(FaultCase):
    def setUp(self):
        super().setUp()
        self.ended = threading.Event()
        self.addCleanup(self.ended.set)

    def exhaust(self, proxy):
        """Opens connections until one is refused; the ones that were served."""
        held = []
        while True:
            connection = self.ask(proxy, "/status")
            answer = connection.read_answer()
            if answer.status != 200:
                self.assert_refusal(connection, answer)
                connection.close()
                return held
            held.append(connection)
            self.assertLess(len(held), 100)

    def assert_refusal(self, connection, answer):
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.field("Retry-After"), "2")
        self.assertIn("no descriptor is free", answer.body.decode())
        self.assertTrue(connection.at_end())

    def test_everybody_past_the_last_descriptor_is_answered_and_the_loop_does_not_spin(self):
        self.limited_program(64)
        proxy = self.start()
        held = self.exhaust(proxy)
        before, began = cpu_seconds(proxy.process.pid), time.monotonic()
        waiting = [self.ask(proxy, "/status") for _ in range(30)]
        for connection in waiting:
            self.assert_refusal(connection, connection.read_answer())
        # Some that neither ask nor go, and nothing else for a second.
        silent = [self.open(proxy) for _ in range(10)]
        select.select([], [], [], 1)
        used, elapsed = cpu_seconds(proxy.process.pid) - before, time.monotonic() - began
        print(f"descriptors used up: {used:.2f} s of processor in {elapsed:.1f} s", file=sys.stderr)
        self.assertLess(used, 0.5)
        self.assertIsNone(proxy.process.poll())
        for connection in held[len(held) // 2:] + silent:
            connection.close()
        harness.wait_until(lambda: self.ask(proxy, "/status").read_answer().status == 200,
                           "it serves again")
        # Those that were let in before were never touched.
        held[0].send(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.assertEqual(held[0].read_answer().status, 200)
        self.assertEqual(proxy.end(), 0)

    def test_no_descriptor_for_the_app(self):
        port = self.http_app(harness.EchoHandler)
        asked = threading.Semaphore(0)

        def never_answer(connection):
            with connection:
                connection.recv(65536)
                asked.release()
                self.ended.wait(harness.PATIENCE_SECONDS)

        busy = self.app(never_answer)
        self.limited_program(64)
        proxy = self.start()
        held = self.exhaust(proxy)
        # The refused client leaves one place free, once hpc-proxy has seen it go; this takes it.
        last = held.pop()

        def ask_busy():
            last.send(f"GET /port/{busy}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        def place_taken():
            if select.select([last.socket], [], [], 0)[0]:
                self.assertEqual(last.read_answer().status, 503)
                ask_busy()
            return asked.acquire(blocking=False)

        ask_busy()
        harness.wait_until(place_taken, "the last descriptor is taken")
        request = f"GET /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        held[0].send(request)
        answer = held[0].read_answer()
        self.assertEqual(answer.status, 503)
        self.assertIn("cannot be reached now", answer.body.decode())
        for connection in held[1:]:
            connection.close()

        def works():
            held[0].send(request)
            return held[0].read_answer().status == 200

        harness.wait_until(works, "the app is reached again")


class AppFaultsTest(FaultCase):
    def test_app_that_never_answers_is_left_as_soon_as_the_client_goes(self):
        asked, left = threading.Event(), threading.Event()

        def handle(connection):
            with connection:
                while True:
                    try:
                        data = connection.recv(65536)
                    except ConnectionResetError:
                        data = b""
                    if not data:
                        return left.set()
                    asked.set()

        port = self.app(handle)
        proxy = self.start()
        client = self.ask(proxy, f"/port/{port}/")
        self.assertTrue(asked.wait(harness.PATIENCE_SECONDS))
        self.assertFalse(left.is_set())
        began = time.monotonic()
        client.close()
        self.assertTrue(left.wait(harness.PATIENCE_SECONDS))
        print(f"client gone, app told: {1000 * (time.monotonic() - began):.1f} ms", file=sys.stderr)
        harness.wait_until(lambda: proxy.get("/status").json()["open_exchanges"] == 0, "it is over")

    def check_aborted_upload(self, leave):
        asked, left = threading.Event(), threading.Event()
        poll = select.poll()

        def handle(connection):
            with connection:
                asked.set()  # and not a byte is read
                poll.register(connection, select.POLLRDHUP)
                poll.poll(1000 * harness.PATIENCE_SECONDS)
                left.set()

        port = self.app(handle)
        proxy = self.start()
        client = self.open(proxy, f"PUT /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                  "Content-Length: 1000000000000\r\n\r\n")
        self.assertTrue(asked.wait(harness.PATIENCE_SECONDS))
        client.socket.setblocking(False)
        while select.select([], [client.socket], [], 0.5)[1]:
            client.socket.send(b"x" * 65536)
        self.assertFalse(left.is_set())
        began = time.monotonic()
        leave(client)
        self.assertTrue(left.wait(harness.PATIENCE_SECONDS), proxy.log)
        took_ms = 1000 * (time.monotonic() - began)
        print(f"upload left while the app stalls, app told: {took_ms:.0f} ms", file=sys.stderr)
        self.assertEqual(proxy.get("/status").json()["open_exchanges"], 0)

    def test_closed_upload_to_a_stalled_app_is_left(self):
        self.check_aborted_upload(lambda client: client.close())

    def test_reset_upload_to_a_stalled_app_is_left(self):
        def reset(client):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

        self.check_aborted_upload(reset)

    def test_app_that_dies_inside_its_answer_ends_the_client_at_once(self):
        died = []

        def handle(connection):
            connection.recv(65536)
            connection.sendall(CHUNKED_HEAD + b"5\r\nhello\r\n")
            connection.recv(1)  # the word to die
            died.append(time.monotonic())
            connection.close()

        def cut_after_ms(proxy, port):
            client = self.open(proxy, f"POST /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                      "Content-Length: 1\r\n\r\n")
            self.assertEqual(client.read_answer(head_only=True).status, 200)
            self.assertEqual(client.read(10), b"5\r\nhello\r\n")
            client.send(b"x")
            rest = b"?"
            try:
                rest = client.socket.recv(100)
            except ConnectionResetError:
                rest = b""
            self.assertEqual(rest, b"", "no final chunk")
            return 1000 * (time.monotonic() - died.pop())

        port = self.app(handle)
        proxy = self.start()
        # The machine may keep one of them waiting; something of ours that waits keeps all.
        took_ms = sorted(cut_after_ms(proxy, port) for _ in range(5))
        print(f"app died inside its answer, client cut: {took_ms} ms", file=sys.stderr)
        self.assertLess(took_ms[0], 100)

    def test_app_that_takes_no_connection_is_504(self):
        with harness.user_sockets():
            app = socket.create_server(("127.0.0.1", 0), backlog=0)
            self.addCleanup(app.close)
            port = app.getsockname()[1]
            for _ in range(4):  # its queue is full from here on
                waiting = socket.socket()
                self.addCleanup(waiting.close)
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
        proxy = self.start("--connect-timeout", "1")
        answer = self.ask(proxy, f"/port/{port}/").read_answer()
        self.assertEqual(answer.status, 504, answer.body)


class EndTest(FaultCase):
    BODY = b"0123456789abcdef" * (16 * 1024)  # fits into the queue of one exchange
    LINGER_SECONDS = 3  # longer than an answered client is waited for that takes nothing

    def slow_reader(self, proxy, fields=""):
        """A client that has asked, and does not read, for an answer that the app has finished."""
        sent = threading.Event()

        def handle(connection):
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.BODY)
                                   + self.BODY)
                sent.set()
                connection.recv(1)

        port = self.app(handle)
        client = self.open(proxy, f"GET /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n",
                           receive_bytes=4096)
        self.assertTrue(sent.wait(harness.PATIENCE_SECONDS))
        harness.wait_until(lambda: proxy.get("/status").json()["open_exchanges"] == 0,
                           "the answer is finished")
        return client

    def test_finished_answer_is_not_cut_for_a_slow_reader(self):
        proxy = self.start()
        client = self.slow_reader(proxy, "Connection: close\r\n")
        select.select([], [], [], self.LINGER_SECONDS)
        self.assertEqual(client.read_answer().body, self.BODY)
        self.assertTrue(client.at_end())

    def test_finished_answer_is_not_cut_by_the_end(self):
        proxy = self.start()
        client = self.slow_reader(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        select.select([], [], [], self.LINGER_SECONDS)
        self.assertEqual(client.read_answer().body, self.BODY)
        self.assertTrue(client.at_end())
        self.assertEqual(proxy.process.wait(harness.PATIENCE_SECONDS), 0)

    def test_sigterm_under_load_truncates_nothing(self):
        port = self.http_app(BodyHandler)
        proxy = self.start()
        outcomes, some = [], threading.Semaphore(0)

        def work():
            while True:
                try:
                    with harness.user_sockets(), proxy.connect() as connection:
                        connection.send(f"GET /port/{port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                        "Connection: close\r\n\r\n")
                        answer = connection.read_answer()
                except OSError:
                    return  # refused: it accepts no more
                if answer is None:
                    return
                outcomes.append((answer.status, len(answer.body)))
                some.release()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            self.assertTrue(some.acquire(timeout=harness.PATIENCE_SECONDS))
        code = proxy.end()
        for thread in threads:
            thread.join()
        self.assertEqual(code, 0, proxy.log)
        self.assertEqual(set(outcomes), {(200, len(BodyHandler.BODY))})
        self.assertEqual([path.name for path in (self.home / ".hpc-proxy").iterdir()], ["jobs"])

    def test_daemon_finishes_what_runs_when_its_task_is_killed(self):
        port, asked, go = self.slow_app()
        task = self.task()
        variables = {"SLURM_JOB_ID": "77", "SLURM_TASK_PID": str(task.pid)}
        self.assertEqual(self.run_proxy("--daemon", variables=variables).returncode, 0)
        record = self.home / ".hpc-proxy/jobs/77.json"
        daemon = harness.Proxy(None, self.home, int((self.home / ".hpc-proxy/port").read_text()),
                               None)
        client = self.ask(daemon, f"/port/{port}/")
        self.assertTrue(asked.wait(harness.PATIENCE_SECONDS))
        task.kill()
        task.wait()

        def refused():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", daemon.port)) != 0

        harness.wait_until(refused, "it accepts no more")
        go.set()
        self.assertEqual(client.read_answer().body, b"done")
        harness.wait_until(lambda: not record.exists(), "it has ended")


class BodyHandler(harness.EchoHandler):
    BODY = b"x" * 300_000

    def do_GET(self):
        self.answer(self.BODY, "text/plain")


class SlowClientsTest(FaultCase):
    READERS = 30

    def test_dripping_heads_are_closed_in_time_and_others_are_served(self):
        count, head_timeout, linger = 200, 1, 2
        proxy = self.start("--head-timeout", head_timeout)
        began = time.monotonic()
        clients = {}
        for _ in range(count):
            connection = self.open(proxy, b"G")
            clients[connection.socket] = connection
        answers, closed_after = [], []
        drip = iter("ET / HTTP/1.1\r\nX-Drip: " + "x" * 10_000)
        while clients:
            self.assertLess(time.monotonic() - began, harness.PATIENCE_SECONDS)
            letter = next(drip).encode()
            for sock in list(clients):
                try:
                    sock.send(letter)
                except OSError:
                    pass  # it has been closed; the answer may still be there to read
            readable, _, _ = select.select(list(clients), [], [], 0.05)
            for sock in readable:
                answer = clients.pop(sock).read_answer()
                answers.append(answer.status if answer else None)
                closed_after.append(time.monotonic() - began)
            self.assertEqual(proxy.get("/healthz", token=False).status, 200)
        print(f"{count} dripping heads: closed after {min(closed_after):.1f} to "
              f"{max(closed_after):.1f} s", file=sys.stderr)
        self.assertEqual(set(answers), {408})
        self.assertLess(max(closed_after), head_timeout + linger + 2)
        harness.wait_until(lambda: proxy.get("/status").json()["open_connections"] <= 1,
                           "all of them are gone")

    def test_a_small_buffer_memory_stops_nobody_for_good(self):
        size, full = 3_000_000, threading.Semaphore(0)

        def handle(connection):
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                connection.setblocking(False)
                sent = 0
                while sent < size:
                    if not select.select([], [connection], [], 0.2)[1]:
                        full.release()  # it takes no more, for now
                        select.select([], [connection], [])
                    sent += connection.send(b"y" * min(65536, size - sent))
                full.release()  # or the kernel took all of it
                connection.setblocking(True)
                connection.recv(1)

        port = self.app(handle)
        proxy = self.start("--buffer-memory", "1MiB")
        clients = [self.ask(proxy, f"/port/{port}/", receive_bytes=4096)
                   for _ in range(self.READERS)]
        # Nobody reads until every app has filled what it may.
        for _ in clients:
            self.assertTrue(full.acquire(timeout=harness.PATIENCE_SECONDS))
        for client in clients:
            answer = client.read_answer()
            self.assertEqual((answer.status, len(answer.body)), (200, size))


if __name__ == "__main__":
    harness.main()
