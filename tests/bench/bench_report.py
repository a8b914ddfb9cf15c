#!/usr/bin/python3
"""bench_report.py FIGURES.json [TREE]: writes a full run of run.sh --json into docs/performance.md.

The table and the plots of that run stand between two marks of the document; what people have
written around them stays. The pictures go into docs/performance/.
"""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench  # noqa: E402
import bench_figures  # noqa: E402
import bench_plot  # noqa: E402
from bench_processes import ROOT  # noqa: E402

BEGIN = "<!-- bench_report.py: begin -->"
END = "<!-- bench_report.py: end -->"
WIDTH = 120  # of the document's lines


def version_of(name, said):
    """"nginx 1.22.1" of what the program says about itself."""
    found = re.search(r"\d+(\.\d+)+", said)
    return f"{name} {found.group()}" if found else f"{name}: {said}"


def others(about):
    """What other programs took of the machine before each benchmark."""
    shares = sorted(about["others_percent"].values())
    most = max(about["others_percent"], key=about["others_percent"].get)
    return (f"Before each benchmark other programs took {shares[0]} to {shares[-1]} % of the processors "
            f"(median {shares[len(shares) // 2]} %, most before `{most}`).")


def counted(rows):
    """How many aims are met, missed and unclear."""
    verdicts = [bench_figures.verdict(row, met, by) for row in rows
                for _, _, met, by in row.verdicts()]
    missed = [one for one in verdicts if one.startswith("missed")]
    unclear = [one for one in verdicts if one.startswith("unclear")]
    met = len(verdicts) - len(missed) - len(unclear)
    return (f"Of {len(verdicts)} aims {met} are met, {len(missed)} missed and {len(unclear)} unclear "
            f"(rounds and medians say different things); {sum(row.is_noisy() for row in rows)} of "
            f"{len(rows)} rows are noisy.")


def wrapped(text):
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines)


def section(said, plots):
    """What stands between the marks. `plots`: the charts of which there are pictures."""
    about, rows = said["machine"], [bench_figures.from_json(row) for row in said["rows"]]
    versions = ", ".join(version_of(name, text) for name, text in about["versions"].items())
    parts = [wrapped(f"{about['at']}, revision {about['revision']}, {about['seconds']} s: "
                     f"{about['processors']} processors ({about['processor']}), "
                     f"{about['memory_gib']} GiB, Linux {about['kernel']}, {about['system']}: "
                     f"{versions}. {others(about)} {counted(rows)}"),
             bench_figures.table(rows)]
    if plots:
        parts.append("### How the cost grows")
        parts.append("\n".join(f"![{chart.title}](performance/{chart.name}.svg)" for chart in plots))
    return "\n\n".join(parts)


def with_section(document, text):
    """The document with `text` between its marks."""
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"the document needs one line '{BEGIN}' and one '{END}'")
    before, rest = document.split(BEGIN)
    if END not in rest:
        raise ValueError("the marks stand in the wrong order")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def why_not(about):
    """Why these figures are no full run; empty if they are one."""
    if about["quick"]:
        return "these figures are of --quick"
    left_out = [name for name in bench.BENCHES if name not in about["benches"]]
    return f"these figures are without {', '.join(left_out)}" if left_out else ""


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    tree = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT
    said = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    if reason := why_not(said["machine"]):
        sys.exit(f"bench_report.py: {reason}; docs/performance.md is of a full run")
    document = tree / "docs/performance.md"
    plots = bench_plot.write(tree / "docs/performance", bench.CHARTS, said["rows"])
    document.write_text(with_section(document.read_text(encoding="utf-8"), section(said, plots)),
                        encoding="utf-8")
    print(f"{document}: {len(said['rows'])} rows, {len(plots)} plots")


if __name__ == "__main__":
    main()
