"""How the cost grows: hpc-proxy and nginx with 1 to 1,000 connections, the same requests for each.

What `hpc-manager serve` costs with 1 to 500 sessions is in bench_sessions.py, which has them.
"""

import contextlib
import json
import subprocess

import bench_http
import bench_peers
from bench_figures import OURS, Aim, Row, by_turns
from bench_plot import Chart
from bench_processes import CannotRun, first_line, many_files, our_program

CONNECTIONS = (1, 10, 100, 1000)
# The rule for "not faster than linearly": one more at the largest size costs at most so many times
# what one costs at the size below it. A tenth is what rounds of a busy machine differ by.
GROWTH_MAX = 1.1

CHARTS = (
    Chart("connections-processor", "Processor time of a 1 KiB GET, keep-alive",
          "connections, all busy", "µs a request"),
    Chart("connections-memory", "Memory that connections add to the proxy",
          "connections, all busy", "private memory, KiB", dotted=True),
)


@contextlib.contextmanager
def requests(processes, proxy, target, connections, amount):
    """Opens the connections, each for one request; the value makes `amount` more on them, by turns
    of @FILE, when it is called, once: processor µs of each."""
    client = processes.start([our_program("tests/bench/bench_client"), "requests", proxy.port,
                              target, connections, amount, *proxy.fields],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    first_line(client)

    def make():
        before = proxy.seconds()
        client.stdin.write(b"\n")
        client.stdin.flush()
        made = json.loads(first_line(client))["requests"]
        return (proxy.seconds() - before) / made * 1e6

    try:
        yield make
    finally:
        client.stdin.close()
        processes.end(client)


def one_size(processes, start, app_port, connections, amount):
    """{figure: value} of a proxy that is started for it."""
    proxy = start(processes, app_port)
    target = f"{proxy.prefix}/bytes/1024"
    with requests(processes, proxy, target, 1, 200) as make:
        make()  # what the first requests make it load and learn
    before = proxy.private_kib()
    with requests(processes, proxy, target, connections, amount) as make:
        us = make()
        kib = proxy.private_kib() - before
    processes.end(proxy.process)
    return {"us": us, "kib": kib}


def growth_row(bench, what, few, many, few_values, many_values):
    """Holds the largest size against the next: {name: [cost of one, round by round]} of both."""
    return Row(bench, f"{what}, {many:,} by {few:,}", "times",
               {name: [b / a if a else 0 for a, b in zip(few_values[name], many_values[name])]
                for name in few_values}, aims=(Aim(GROWTH_MAX, absolute=True),), compared=False)


def rows_of(found):
    """Of {(name, connections): [{figure: value} of each round]}."""
    names = sorted({name for name, _ in found}, key=lambda name: name != OURS)
    rows = []

    def values(figure, count, by=1):
        return {name: [one[figure] / by for one in found[name, count]] for name in names}

    for figure, what, unit, chart in (
            ("us", "1 KiB GET, {}", "processor µs a request", CHARTS[0]),
            ("kib", "memory that {} busy add", "KiB", CHARTS[1])):
        for count in CONNECTIONS:
            said = f"{count:,} connection{'s' * (count > 1)}"
            rows.append(Row("growth_connections", what.format(said), unit, values(figure, count),
                            point=(chart.name, count)))
    few, many = CONNECTIONS[-2:]
    rows.append(growth_row("growth_connections", "processor time of a request", few, many,
                           values("us", few), values("us", many)))
    rows.append(growth_row("growth_connections", "memory of a connection", few, many,
                           values("kib", few, few), values("kib", many, many)))
    return rows


def growth_connections(quick):
    if many_files() < 3 * CONNECTIONS[-1]:
        raise CannotRun("the connections need more open files than this user may have (ulimit -n)")
    found = {}
    with bench_http.scene() as (processes, _):
        app_port = processes.start_app()
        contestants = [(name, count) for count in CONNECTIONS for name in (OURS, "nginx")]
        for name, count in by_turns(contestants, 1 if quick else 5):
            found.setdefault((name, count), []).append(
                one_size(processes, bench_peers.STARTERS[name], app_port, count,
                         3_000 if quick else 6_000))
    return rows_of(found)


BENCHES = {"growth_connections": growth_connections}
