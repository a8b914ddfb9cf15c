#!/usr/bin/python3
"""bench_profile.py [FUNCTIONS]: where hpc-proxy's time goes with 1 KiB keep-alive requests.

Prints a Markdown table of its most expensive functions (default 15), from samples of perf, and
how many instructions a request takes, from callgrind; each without the other where one is missing.
"""

import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_http  # noqa: E402
import bench_peers  # noqa: E402
from bench_processes import (PROXY_CORE, CannotRun, Processes, our_program, run_load,  # noqa: E402
                             say)

SECONDS = 10
# Of perf report: "    4.03%  [.] hpc::HttpDecoder::feed(...)".
LINE = re.compile(r"^\s*(\d+\.\d+)%\s+\[([.k])\]\s+(.+?)\s*$", re.M)


def functions_of(report):
    """[(percent, "kernel" or "ours", name without arguments)] of a report's text."""
    found = []
    for percent, where, name in LINE.findall(report):
        found.append((float(percent), "kernel" if where == "k" else "ours", plain_name(name)))
    return found


def plain_name(name):
    """Without arguments and the compiler's marks: they fill the table and say little."""
    name = re.sub(r"\(anonymous namespace\)::", "", name)
    name = re.sub(r"\(.*", "", name)
    return re.sub(r"\.(isra|part|constprop|cold|lto_priv)\.?\d*", "", name).strip()


def sampled(proxy, directory):
    """The text of perf report about SECONDS of load."""
    data = directory / "perf.data"
    # A virtual machine has no counters to sample by; the clock is everywhere.
    recorder = subprocess.Popen(
        [bench_peers.require("perf", "linux-perf"), "record", "-q", "-e", "cpu-clock", "-F", "1999",
         "-p", str(proxy.worker), "-o", str(data)], stdin=subprocess.DEVNULL)
    try:
        run_load(bench_http.wrk(proxy, 64, SECONDS))
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
    return subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--no-children",
                           "-F", "overhead,sym", "--percent-limit", "0"],
                          capture_output=True, text=True, check=True).stdout


def counted(processes, app_port, load):
    """(instructions, text) of callgrind, which counts outside of the kernel, around load(proxy)."""
    valgrind = bench_peers.require("valgrind", "valgrind")
    out = processes.directory / "callgrind.out"
    wrapper = processes.directory / "under-valgrind"
    wrapper.write_text(f"#!/bin/sh\nexec {valgrind} --tool=callgrind --callgrind-out-file={out} "
                       f"{our_program('node-proxy/hpc-proxy')} \"$@\"\n")
    wrapper.chmod(0o755)
    proxy = bench_peers.start_ours(processes, app_port, program=str(wrapper))
    load(proxy)
    processes.end(proxy.process)
    annotate = [shutil.which("callgrind_annotate"), "--auto=no", "--threshold=60", str(out)]
    text = subprocess.run(annotate, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"([\d,]+) \(100", text).group(1).replace(",", "")), text


def instructions(processes, app_port):
    """(instructions a request, the functions' lines), without start and end."""
    requests = []
    idle, _ = counted(processes, app_port, lambda proxy: None)
    busy, text = counted(processes, app_port, lambda proxy: requests.append(
        bench_http.requests_of(run_load(bench_http.wrk(proxy, 64, 5)))))
    return (busy - idle) / requests[0], text


def print_samples(count):
    with bench_http.scene("ours") as (processes, proxies):
        run_load(bench_http.wrk(proxies["ours"], 64, 1))
        functions = functions_of(sampled(proxies["ours"], processes.directory))
    kernel = sum(percent for percent, where, _ in functions if where == "kernel")
    print(f"{kernel:.0f} % of the time is the kernel's.\n\n| % | Function |\n|---|---|")
    for percent, where, name in functions[:count]:
        print(f"| {percent:.1f} | {'kernel: ' * (where == 'kernel')}`{name}` |")
    ours = [one for one in functions if one[1] == "ours"][:count]
    print("\nOf our own program:\n\n| % | Function |\n|---|---|")
    for percent, _, name in ours:
        print(f"| {percent:.1f} | `{name}` |")


def print_instructions():
    with tempfile.TemporaryDirectory(prefix="hpc-bench-") as directory, \
            Processes(directory) as processes:
        each, text = instructions(processes, processes.start_app())
    print(f"\n{each:.0f} instructions a request outside of the kernel.\n")
    print(text)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    say(f"profile: hpc-proxy on core {PROXY_CORE}")
    for work in (lambda: print_samples(count), print_instructions):
        try:
            work()
        except CannotRun as reason:
            say(f"profile: {reason}")


if __name__ == "__main__":
    main()
