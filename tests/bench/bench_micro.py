"""The micro-benchmarks (micro_bench.cc): one call of what every request or every poll asks for."""

import json

from bench_figures import OURS, Aim, Row
from bench_processes import our_program, run_load

NS = {"ns": 1, "us": 1e3, "ms": 1e6}
FEW, MANY = 100, 10_000


def times_of(text):
    """{name: [processor ns of each repetition]} of Google Benchmark's JSON."""
    found = {}
    for line in json.loads(text)["benchmarks"]:
        if line.get("error_occurred"):
            raise AssertionError(f"{line['name']}: {line['error_message']}")
        if line.get("run_type") == "iteration":
            found.setdefault(line["name"], []).append(line["cpu_time"] * NS[line["time_unit"]])
    return found


def rows_of(times):
    """One for each call; how it grows from 100 sessions to 10,000, where it is asked for both."""
    rows = [Row("micro", name, "ns a call", {OURS: values}) for name, values in times.items()]
    for name in sorted({name.split("/")[0] for name in times if "/" in name}):
        few, many = times[f"{name}/{FEW}"], times[f"{name}/{MANY}"]
        growth = [b / a for a, b in zip(few, many)]
        # A table's cost may grow with its depth, a text's with its length, and no faster.
        rows.append(Row("micro", f"{name}, {MANY:,} by {FEW}", "times", {OURS: growth},
                        aims=(Aim(1.1 * MANY / FEW, absolute=True),)))
    return rows


def micro(quick):
    program = our_program("tests/bench/micro_bench")
    return rows_of(times_of(run_load(
        [program, "--benchmark_format=json", f"--benchmark_min_time={0.02 if quick else 0.2}",
         f"--benchmark_repetitions={3 if quick else 7}"])))


BENCHES = {"micro": micro}
