"""hpc-proxy beside nginx and HAProxy: requests, bodies, connections, WebSockets, idle memory."""

import json
import re
import subprocess
import tempfile

import bench_peers
import start_time
from bench_figures import OURS, Aim, Row, measure, of_figure
from bench_processes import (MIB, CannotRun, Processes, first_line, many_files,
                             our_program, run_load)

BODY_MIB = 100
# Many short rounds: what else the machine does is then beside all of them alike.
ROUND_SECONDS, ROUNDS = 1, 13
IDLE_CONNECTIONS, IDLE_CONNECTIONS_QUICK = 5000, 1000
# A runtime with a garbage collector: slow enough that a look need not wait for it everywhere.
ALL = ("ours", "nginx", "haproxy", "chp")


def requests_of(text):
    """How many requests wrk made; an answer that was none of the right ones ends the run."""
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", text)
    if wrong:
        raise AssertionError(f"wrk: {wrong.group()}")
    return int(re.search(r"(\d+) requests in", text).group(1))


def wrk(proxy, connections, seconds, *options):
    bench_peers.require("wrk", "wrk")
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *options, *proxy.field_options(),
            proxy.url("/bytes/1024")]


def request_round(seconds, *options, connections=64):
    def one_round(proxy):
        before = proxy.seconds()
        requests = requests_of(run_load(wrk(proxy, connections, seconds, *options)))
        return {"us": (proxy.seconds() - before) / requests * 1e6, "rate": requests / seconds}
    return one_round


def http_keepalive(quick):
    with scene(*ALL) as (_, proxies):
        found = measure(proxies, 3 if quick else ROUNDS, request_round(ROUND_SECONDS))
    return [Row("http_keepalive", "1 KiB GET, 64 connections", "processor µs a request",
                of_figure(found, "us"), aims=(Aim(0.9),)),
            Row("http_keepalive", "the same", "requests/s", of_figure(found, "rate"), less=False)]


def connection_per_request(quick):
    closing = ("-H", "Connection: close")
    with scene(*contestants(quick)) as (_, proxies):
        found = measure(proxies, 2 if quick else ROUNDS, request_round(ROUND_SECONDS, *closing))
    return [Row("connection_per_request", "1 KiB GET, 64 at a time", "processor µs a request",
                of_figure(found, "us"), aims=(Aim(1.0),))]


def body_round(upload_file):
    def one_round(proxy):
        figures = {}
        curl = [bench_peers.require("curl", "curl"), "-sS", "-f", "-o", "/dev/null",
                "-H", "Expect:", *proxy.field_options()]
        for way, options in (("down", [proxy.url(f"/bytes/{BODY_MIB * MIB}")]),
                             ("up", ["-T", upload_file, proxy.url("/upload")])):
            before = proxy.seconds()
            took = float(run_load([*curl, "-w", "%{time_total}", *options]))
            figures[f"{way} s"] = (proxy.seconds() - before) / BODY_MIB * 1024
            figures[f"{way} rate"] = BODY_MIB / took
        return figures
    return one_round


def body(quick):
    with scene("ours", "nginx", "haproxy") as (processes, proxies):
        upload_file = processes.directory / "upload"
        with open(upload_file, "wb") as file:
            file.truncate(BODY_MIB * MIB)
        found = measure(proxies, 3 if quick else 15, body_round(upload_file))
    rows = []
    for way in ("down", "up"):
        rows.append(Row("body", f"{BODY_MIB} MiB {way}", "processor s a GiB",
                        of_figure(found, f"{way} s"), aims=(Aim(1.0),)))
        rows.append(Row("body", f"{BODY_MIB} MiB {way}", "MiB/s", of_figure(found, f"{way} rate"),
                        less=False))
    return rows


def websocket_round(seconds, connections=32):
    def one_round(proxy):
        before = proxy.seconds()
        said = json.loads(run_load([our_program("tests/bench/bench_client"), "echo", proxy.port,
                                    f"{proxy.prefix}/echo", connections, seconds, *proxy.fields]))
        return {"us": (proxy.seconds() - before) / said["round_trips"] * 1e6,
                "p99": said["p99_us"]}
    return one_round


def websocket_echo(quick):
    with scene(*contestants(quick)) as (_, proxies):
        found = measure(proxies, 3 if quick else ROUNDS, websocket_round(ROUND_SECONDS))
    return [Row("websocket_echo", "64 bytes, 32 connections", "processor µs a round trip",
                of_figure(found, "us"), aims=(Aim(0.95),)),
            Row("websocket_echo", "the same", "p99 µs", of_figure(found, "p99"))]


def contestants(quick):
    return ALL[:-1] if quick else ALL


def idle_kib(processes, start, app_port, mode, count):
    """KiB that an idle connection takes in a proxy that was started for it."""
    proxy = start(processes, app_port)
    target = f"{proxy.prefix}/bytes/1024"
    client = [our_program("tests/bench/bench_client"), mode, proxy.port, target]
    warm = processes.start([*client, 1, *proxy.fields], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    first_line(warm)
    before = proxy.private_kib()
    many = processes.start([*client, count, *proxy.fields], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    first_line(many, 120)
    grown = proxy.private_kib() - before
    for process in (many, warm, proxy.process):
        processes.end(process)
    return grown / count


def idle_memory(quick):
    count = IDLE_CONNECTIONS_QUICK if quick else IDLE_CONNECTIONS
    if many_files() < 3 * count:
        raise CannotRun(f"{count} connections need more open files than this user may "
                        "have (ulimit -n)")
    rows = []
    with scene() as (processes, _):
        app_port = processes.start_app()
        starters = {name: bench_peers.STARTERS[name] for name in (OURS, "nginx", "haproxy")}
        for mode, what in (("idle-http", "keep-alive"), ("idle-websocket", "WebSocket")):
            found = measure(starters, 1 if quick else 3, lambda start, mode=mode: {
                "kib": idle_kib(processes, start, app_port, mode, count)}, warm_up=False)
            rows.append(Row("idle_memory", f"{count} idle {what} connections",
                            "KiB each", of_figure(found, "kib"),
                            aims=(Aim(1.0), Aim(2.0, absolute=True))))
    return rows


def start_bench(quick):
    times = start_time.measure(our_program("node-proxy/hpc-proxy"), 5 if quick else 20)
    return [Row("start_time", "start to readable port file", "ms", {OURS: times},
                aims=(Aim(20, absolute=True),))]


class scene:
    """A directory, an app and the proxies in front of it: (processes, {name: Proxy})."""

    def __init__(self, *names):
        self._names = names

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="hpc-bench-")
        self._processes = Processes(self._directory.name)
        try:
            proxies = {}
            if self._names:
                many_files()
                app_port = self._processes.start_app()
                proxies = bench_peers.start_all(self._processes, app_port, self._names)
            return self._processes, proxies
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self._processes.__exit__()
        self._directory.cleanup()


BENCHES = {"http_keepalive": http_keepalive, "body": body, "websocket_echo": websocket_echo,
           "connection_per_request": connection_per_request, "idle_memory": idle_memory,
           "start_time": start_bench}
