"""Plots of how something grows, as SVG files: both axes logarithmic, readable on light and on dark
pages, each line with its name at its end. Pure, and without any library.
"""

import dataclasses
import html
import math
import pathlib

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 104, 80, 48, 64  # room for what stands around the plot
# Points are told apart by their shape as well as by their colour.
SHAPES = ("circle", "square", "triangle")
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .grid { stroke: #d1d9e0; } .axis { stroke: #59636e; }
  .line { fill: none; stroke-width: 2.5; }
  .linear { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 2 5; }
  .s0 { stroke: #0969da; } .p0 { fill: #0969da; }
  .s1 { stroke: #bc4c00; } .p1 { fill: #bc4c00; }
  .s2 { stroke: #1a7f37; } .p2 { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .grid { stroke: #3d444d; } .axis, .linear { stroke: #9198a1; }
    .s0 { stroke: #58a6ff; } .p0 { fill: #58a6ff; }
    .s1 { stroke: #f0883e; } .p1 { fill: #f0883e; }
    .s2 { stroke: #3fb950; } .p2 { fill: #3fb950; }
  }
"""


@dataclasses.dataclass(frozen=True)
class Chart:
    """What a plot shows; `name` is its file's, without .svg. `dotted`: a dotted line through our
    first point shows what grows exactly as x does."""

    name: str
    title: str
    x_label: str
    y_label: str
    dotted: bool = False


def ticks(low, high):
    """Powers of ten over the range; within few of them also 2 and 5 times those."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def bounds(values):
    """(low, high) of an axis: powers of ten around the values, so that what hardly grows looks so.
    """
    low = 10.0 ** math.floor(math.log10(min(values) * 1.0001))
    high = 10.0 ** math.ceil(math.log10(max(values) * 0.9999))
    return (low, high) if low < high else (low, 10 * low)


def label(value):
    if value >= 1:
        return f"{value:,.0f}"
    return f"{value:.{max(1, -math.floor(math.log10(value)))}f}"


class Scale:
    """From values to places: logarithmic, from `begin` to `end` of the picture."""

    def __init__(self, low, high, begin, end):
        self.low, self.high, self._begin, self._end = low, high, begin, end

    def __call__(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self._begin + part * (self._end - self._begin), 1)


def text(x, y, said, anchor="middle", css="", turn=""):
    css = f' class="{css}"' if css else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{css}{turn}>{html.escape(said)}</text>'


def line(x1, y1, x2, y2, css):
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{css}"/>'


def mark(x, y, number):
    css = f'class="p{number % 3}"'
    shape = SHAPES[number % 3]
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="5" {css}/>'
    if shape == "square":
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" {css}/>'
    return f'<path d="M{x} {y - 6:.1f} l6 10 h-12 z" {css}/>'


def axes(chart, x_scale, y_scale, x_values):
    left, right = LEFT, WIDTH - RIGHT
    top, bottom = TOP, HEIGHT - BOTTOM
    parts = [text(left, 26, chart.title, "start", "title")]
    for value in ticks(y_scale.low, y_scale.high):
        y = y_scale(value)
        parts += [line(left, y, right, y, "grid"), text(left - 8, y + 5, label(value), "end")]
    for value in x_values:
        x = x_scale(value)
        parts += [line(x, bottom, x, bottom + 6, "axis"), text(x, bottom + 24, label(value))]
    parts += [line(left, bottom, right, bottom, "axis"), line(left, top, left, bottom, "axis"),
              text((left + right) / 2, HEIGHT - 14, chart.x_label)]
    middle = (top + bottom) / 2
    turned = f' transform="rotate(-90 18 {middle})"'
    return parts + [text(18, middle, chart.y_label, turn=turned)]


def apart(places, least=17):
    """The same heights in the same order, none nearer to the next than `least`."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    found = list(places)
    for before, index in zip(order, order[1:]):
        found[index] = max(found[index], found[before] + least)
    return found


def dotted(points, last_x, y_scale):
    """From the first point on, what grows as x does; as far as the picture goes."""
    x, y = points[0]
    end = min(last_x, x * y_scale.high / y)
    return [(x, y), (end, y * end / x)]


def svg(chart, series):
    """The picture of {name: [(x, y)]}, ours first; what is not above 0 has no place in it."""
    series = {name: [(x, y) for x, y in points if x > 0 and y > 0]
              for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    x_values = sorted({x for points in series.values() for x, _ in points})
    y_values = [y for points in series.values() for _, y in points]
    x_scale = Scale(*bounds(x_values), LEFT, WIDTH - RIGHT)
    y_scale = Scale(*bounds(y_values), HEIGHT - BOTTOM, TOP)
    parts = axes(chart, x_scale, y_scale, x_values)
    lines = [(name, points, f"s{number % 3}", f"p{number % 3}")
             for number, (name, points) in enumerate(series.items())]
    if chart.dotted:  # below the others
        lines.insert(0, ("linear", dotted(lines[0][1], x_values[-1], y_scale), "linear", ""))
    ends = apart([y_scale(points[-1][1]) for _, points, *_ in lines])
    for (name, points, line_css, mark_css), end in zip(lines, ends):
        places = [(x_scale(x), y_scale(y)) for x, y in points]
        drawn = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" class="line {line_css}"/>')
        if mark_css:
            parts += [mark(x, y, int(mark_css[1:])) for x, y in places]
        parts.append(text(places[-1][0] + 12, end + 5, name, "start", mark_css))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img">\n'
            f"<title>{html.escape(chart.title)}</title>\n<style>{STYLE}</style>\n"
            + "\n".join(parts) + "\n</svg>\n")


def series_of(rows, name):
    """{name: [(x, median)]} of the rows (as in the JSON) that are points of that chart."""
    found = {}
    for row in rows:
        chart, x = row.get("point") or ("", 0)
        if chart == name:
            for who, value in row["medians"].items():
                found.setdefault(who, []).append((x, value))
    return {who: sorted(points) for who, points in found.items()}


def write(directory, charts, rows):
    """A file for each chart that the rows have points of; the charts that were written."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in charts:
        series = series_of(rows, chart.name)
        if series:
            (directory / f"{chart.name}.svg").write_text(svg(chart, series), encoding="utf-8")
            written.append(chart)
    return written
