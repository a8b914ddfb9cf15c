#!/usr/bin/python3
"""bench.py [--quick] [--only NAME]... [--json FILE] [--plots DIR]: hpc-proxy and hpc-manager beside
nginx, HAProxy and ssh -L; prints a Markdown table. run.sh installs and builds what it takes.

The programs are those of build/release, or of HPC_BUILD_DIR. Nothing here passes or fails by a
time: the exit code is 1 only when a benchmark broke.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_figures  # noqa: E402
import bench_growth  # noqa: E402
import bench_http  # noqa: E402
import bench_micro  # noqa: E402
import bench_page  # noqa: E402
import bench_plot  # noqa: E402
import bench_sessions  # noqa: E402
import bench_tunnel  # noqa: E402
from bench_processes import LOAD_CORE, PROXY_CORE, ROOT, CannotRun, say  # noqa: E402

BENCHES = {**bench_http.BENCHES, **bench_growth.BENCHES, **bench_tunnel.BENCHES,
           **bench_page.BENCHES, **bench_sessions.BENCHES, **bench_micro.BENCHES}
CHARTS = bench_growth.CHARTS + bench_sessions.CHARTS
PLOTS = ROOT / "build/bench-plots"


def first_line_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return "not installed"
    return ((done.stdout + done.stderr).splitlines() or ["?"])[0].strip()


def machine():
    """What the figures depend on."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    revision = first_line_of("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    return {"at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "revision": revision, "processor": cpu, "processors": os.cpu_count(),
            "memory_gib": memory, "kernel": platform.release(),
            "system": platform.freedesktop_os_release()["PRETTY_NAME"],
            "load_core": LOAD_CORE, "proxy_core": PROXY_CORE,
            "versions": {"nginx": first_line_of("/usr/sbin/nginx", "-v"),
                         "HAProxy": first_line_of("/usr/sbin/haproxy", "-v"),
                         "OpenSSH": first_line_of("ssh", "-V"),
                         "Node.js": first_line_of("node", "--version"),
                         "Chromium": first_line_of("chromium", "--version")}}


def busy_ticks(text):
    """(ticks in which a processor had work, all ticks) of /proc/stat so far."""
    ticks = [int(word) for word in text.splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def others_percent(before, after):
    """Of all processors, between two of busy_ticks()."""
    every = after[1] - before[1]
    return round((after[0] - before[0]) / every * 100) if every else 0


def look_at_others(seconds=0.5):
    """What other programs take while none of ours runs."""
    stat = pathlib.Path("/proc/stat")
    before = busy_ticks(stat.read_text(encoding="utf-8"))
    time.sleep(seconds)
    return others_percent(before, busy_ticks(stat.read_text(encoding="utf-8")))


def run(name, quick):
    """The rows of a benchmark; one that says why it has none when it could not run here."""
    started = time.monotonic()
    say(f"bench: {name} ...")
    try:
        return BENCHES[name](quick), False
    except CannotRun as reason:
        say(f"bench: {name}: {reason}")
        return [bench_figures.Row(name, "", "", why_not=str(reason))], False
    except Exception as error:  # the others still have something to say
        traceback.print_exc()
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return [bench_figures.Row(name, "", "", why_not=f"broke: {reason}")], True
    finally:
        say(f"bench: {name}: {time.monotonic() - started:.0f} s")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look")
    parser.add_argument("--only", action="append", choices=list(BENCHES), metavar="NAME",
                        help="this one; may be repeated; " + ", ".join(BENCHES))
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--plots", metavar="DIR", default=PLOTS,
                        help="where the plots go (default: build/bench-plots)")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    about, load_before = machine(), os.getloadavg()[0]
    started = time.monotonic()
    rows, broken, others = [], False, {}
    names = list(options.only or BENCHES)
    for name in names:
        others[name] = look_at_others()
        found, broke = run(name, options.quick)
        rows, broken = rows + found, broken or broke
    about.update(quick=options.quick, seconds=round(time.monotonic() - started),
                 load_average_before=round(load_before, 1), benches=names, others_percent=others)
    print(bench_figures.table(rows))
    print(f"\n{about['at']}, revision {about['revision']}, {about['seconds']} s"
          f"{' (--quick)' if options.quick else ''}; {about['processors']} × {about['processor']}, "
          f"{about['memory_gib']} GiB, Linux {about['kernel']}; load average before the run "
          f"{about['load_average_before']}; other programs before each benchmark: "
          f"{min(others.values())} to {max(others.values())} % of the processors.")
    written = [bench_figures.as_json(row) for row in rows]
    for chart in bench_plot.write(options.plots, CHARTS, written):
        say(f"bench: {options.plots}/{chart.name}.svg")
    if options.json:
        text = json.dumps({"machine": about, "rows": written}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
