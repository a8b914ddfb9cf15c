"""hpc-manager connect and hpc-proxy beside nginx, ssh -L and nginx: loopback, and a long line."""

import contextlib
import json
import os
import subprocess
import tempfile
import time

import bench_http
import bench_path
from bench_figures import Aim, Row, measure, of_figure
from bench_processes import LOAD_CORE, MIB, Processes, many_files, our_program, run_load

STREAMS = (1, 8)
ROUND_TRIP_MS = 25
SLOW_KBIT = 50_000
CONNECTIONS = 32


@contextlib.contextmanager
def paths(round_trip_ms=0, kbit_per_s=0):
    """(Processes, Paths) on loopback, or over a line of that delay."""
    many_files()
    with tempfile.TemporaryDirectory(prefix="hpc-bench-") as directory, \
            Processes(directory) as processes:
        near = far = bench_path.Here()
        address = "127.0.0.1"
        if round_trip_ms:
            near, far = bench_path.long_line(processes, round_trip_ms, kbit_per_s)
            address = bench_path.FAR
        running = bench_path.Paths(processes, near, far, address)
        try:
            yield processes, running
        finally:
            running.close()
            if round_trip_ms:
                near.close()
                far.close()


def upload_file(processes, mib):
    path = processes.directory / f"upload-{mib}"
    with open(path, "wb") as file:
        file.truncate(mib * MIB)
    return path


def curl(path, way, streams, mib, upload):
    """The command that moves `mib` in all over so many connections."""
    each = mib * MIB // streams
    command = ["curl", "-sS", "-f", "-Z", "--parallel-immediate", "--parallel-max", streams,
               "-H", "Expect:", "-w", "%{size_upload} %{size_download}\\n"]
    for _ in range(streams):
        where = ["-T", upload, path.url("/upload")] if way == "up" else [path.url(f"/bytes/{each}")]
        command += ["-o", "/dev/null", *where]
    return command


def moved_bytes(text, way):
    """Of all of curl's transfers: what -w of curl() above makes it say."""
    return sum(int(line.split()[way == "down"]) for line in text.splitlines())


def stream_round(processes, near, way, streams, mib):
    upload = upload_file(processes, mib // streams)

    def one_round(path):
        with near.entered():
            front, begin = path.front_seconds(), time.perf_counter()
            said = run_load(curl(path, way, streams, mib, upload))
            took = time.perf_counter() - begin
        moved = moved_bytes(said, way)
        if moved != mib // streams * streams * MIB:
            raise AssertionError(f"{path.name}: {moved} bytes {way} instead of {mib} MiB")
        return {"rate": mib / took, "front s": (path.front_seconds() - front) / mib * 1024}
    return one_round


def tunnel(quick):
    rows = []
    with paths() as (processes, running):
        for streams in STREAMS:
            for way in ("down", "up"):
                one_round = stream_round(processes, running.near, way, streams,
                                         128 if quick else 256)
                found = measure(running.both, 2 if quick else 9, one_round)
                what = f"{streams} stream{'s' * (streams > 1)} {way}"
                rows.append(Row("tunnel", what, "MiB/s", of_figure(found, "rate"), less=False,
                                aims=(Aim(1.0, most=False),)))
                rows.append(Row("tunnel", f"{what}, front", "processor s a GiB",
                                of_figure(found, "front s"), aims=(Aim(0.7),)))
        one_round = bench_http.request_round(1 if quick else 2, connections=CONNECTIONS)
        found = measure(running.both, 2 if quick else 9, one_round)
        rows.append(Row("tunnel", f"1 KiB GET, {CONNECTIONS} connections", "requests/s",
                        of_figure(found, "rate"), less=False, aims=(Aim(1.3, most=False),)))
        rows.append(Row("tunnel", "the same, whole path", "processor µs a request",
                        of_figure(found, "us"), aims=(Aim(0.7),)))
    return rows


def requests_inside(near, seconds, *options):
    of_path = bench_http.request_round(seconds, *options, connections=CONNECTIONS)

    def one_round(path):
        with near.entered():
            return of_path(path)
    return one_round


def echo_beside_download(near, seconds):
    """p99 of WebSocket round trips while one download runs, and what that moved."""
    def one_round(path):
        with near.entered():
            with subprocess.Popen(
                    ["curl", "-s", "-o", "/dev/null", "--max-time", str(seconds + 1), "-w",
                     "%{size_download}", path.url(f"/bytes/{100_000 * MIB}")],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                    preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE})) as bulk:
                time.sleep(0.5)  # until the download is at its full speed
                said = json.loads(run_load([our_program("tests/bench/bench_client"), "echo",
                                            path.port, f"{path.prefix}/echo", 4, seconds]))
                moved = int(bulk.communicate()[0])
        return {"p99": said["p99_us"] / 1000, "rate": moved / MIB / (seconds + 1)}
    return one_round


def beside_rows(found, bench, aim, moved_aims=()):
    return [Row(bench, "WebSocket beside a download, p99", "ms", of_figure(found, "p99"),
                aims=(aim,)),
            Row(bench, "the download meanwhile", "MiB/s", of_figure(found, "rate"), less=False,
                aims=moved_aims)]


def long_path(quick):
    rows, name, seconds = [], f"path_{ROUND_TRIP_MS}ms", 2 if quick else 3
    with paths(ROUND_TRIP_MS) as (processes, running):
        for way in ("down", "up"):
            one_round = stream_round(processes, running.near, way, 1, 64 if quick else 128)
            found = measure(running.both, 1 if quick else 5, one_round, warm_up=not quick)
            rows.append(Row(name, f"1 stream {way}", "MiB/s", of_figure(found, "rate"), less=False,
                            aims=(Aim(3.0, most=False),) if way == "down" else ()))
        for what, options, aims in (("", (), (Aim(1.5, most=False),)),
                                    (", each for one request", ("-H", "Connection: close"), ())):
            one_round = requests_inside(running.near, 1 if quick else 2, *options)
            found = measure(running.both, 1 if quick else 5, one_round)
            rows.append(Row(name, f"1 KiB GET, {CONNECTIONS} connections{what}", "requests/s",
                            of_figure(found, "rate"), less=False, aims=aims))
        found = measure(running.both, 1 if quick else 5,
                        echo_beside_download(running.near, seconds), warm_up=not quick)
        rows += beside_rows(found, name, Aim(1.2), (Aim(2.0, most=False),))
    with paths(ROUND_TRIP_MS, SLOW_KBIT) as (_, running):
        found = measure(running.both, 1 if quick else 5,
                        echo_beside_download(running.near, seconds), warm_up=not quick)
        rows += beside_rows(found, f"{name}_{SLOW_KBIT // 1000}mbit", Aim(0.5))
    return rows


BENCHES = {"tunnel": tunnel, "long_path": long_path}
