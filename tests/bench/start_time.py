#!/usr/bin/python3
"""start_time.py [HPC_PROXY]: time from starting hpc-proxy to a readable port file.

Prints the median of 20 starts, each with a new home; the default program is the release build.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 20
GIVE_UP_SECONDS = 10


def one_start(program, home):
    """Milliseconds until the port file can be read; the file appears whole or not at all."""
    port_file = home / ".hpc-proxy/port"
    environment = {**os.environ, "HOME": str(home)}
    with open(home / "log", "w", encoding="utf-8") as log:
        started = time.perf_counter()
        proxy = subprocess.Popen([program, "--port", "0"], env=environment, stderr=log,
                                 stdout=log, stdin=subprocess.DEVNULL)
        try:
            while True:
                try:
                    text = port_file.read_text()
                    break
                except FileNotFoundError:
                    if proxy.poll() is not None or time.perf_counter() > started + GIVE_UP_SECONDS:
                        sys.exit(f"hpc-proxy did not start:\n{(home / 'log').read_text()}")
                    # Busy polling would take the processor from the program that is measured.
                    time.sleep(0.0005)
            elapsed = (time.perf_counter() - started) * 1000
            int(text)
            return elapsed
        finally:
            proxy.terminate()
            proxy.wait()


def measure(program, runs):
    """Milliseconds of so many starts, each with a new home."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as home:
            times.append(one_start(program, pathlib.Path(home)))
    return times


def main():
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                           else root / "build/release/node-proxy/hpc-proxy")
    if not program.is_file():
        sys.exit(f"{program} is not built")
    times = measure(program.resolve(), RUNS)
    print(f"start to readable port file: median {statistics.median(times):.1f} ms, "
          f"fastest {min(times):.1f} ms, slowest {max(times):.1f} ms, {RUNS} starts")


if __name__ == "__main__":
    main()
