"""What the benchmarks count with: rounds by turns, medians, ratios, and the table. Pure.

A figure of ours means nothing by itself on a shared machine: what counts is the ratio to the best
peer of the same run, from pairs of rounds that were beside each other.
"""

import dataclasses
import statistics

OURS = "ours"
# A row whose rounds disagree: the middle half of them is further apart than this part of their
# median.
NOISY_PART = 0.2
NOISY_ROUNDS_MIN = 4


def by_turns(names, rounds):
    """The order of the rounds, A B C C B A A B C ...: each name `rounds` times, so that nobody has
    the quiet half of the run for himself."""
    order = []
    for number in range(rounds):
        order += list(names) if number % 2 == 0 else list(reversed(names))
    return order


def measure(contestants, rounds, one_round, warm_up=True):
    """{name: {figure: [value of each round]}} of one_round(contestant) -> {figure: value}."""
    if warm_up:
        for contestant in contestants.values():
            one_round(contestant)
    values = {name: {} for name in contestants}
    for name in by_turns(list(contestants), rounds):
        for figure, value in one_round(contestants[name]).items():
            values[name].setdefault(figure, []).append(value)
    return values


def of_figure(measured, figure):
    """{name: [values]} of one figure, for those who have it."""
    return {name: figures[figure] for name, figures in measured.items() if figure in figures}


@dataclasses.dataclass(frozen=True)
class Aim:
    """`most`: at most so much, else at least; of the best peer's figure, or in the row's unit."""

    limit: float
    most: bool = True
    absolute: bool = False

    def text(self, unit=""):
        sign = "≤" if self.most else "≥"
        return f"{sign} {self.limit:g} {unit}".rstrip() if self.absolute else \
            f"{sign} {self.limit:g} ×"

    def is_met(self, value):
        return value <= self.limit if self.most else value >= self.limit

    def missed_by(self, value):
        """In percent of the limit; 0 where it is met."""
        return 0.0 if self.is_met(value) else abs(value - self.limit) / self.limit * 100


@dataclasses.dataclass
class Row:
    """One line of the table. `less`: less is better. Without values `why_not` says why.
    `compared`: beside the best peer. `point`: (name of a chart, its x) when it is one of a plot."""

    bench: str
    what: str
    unit: str
    values: dict = dataclasses.field(default_factory=dict)
    less: bool = True
    aims: tuple = ()
    why_not: str = ""
    compared: bool = True
    point: tuple = ()

    def median(self, name):
        return statistics.median(self.values[name])

    def best_peer(self):
        """The name of the peer with the best median; None without one."""
        peers = [name for name in self.values if name != OURS]
        choose = min if self.less else max
        asked = self.compared and peers and self.values.get(OURS)
        return choose(peers, key=self.median) if asked else None

    def ratios(self):
        """Ours by the best peer's, round by round."""
        best = self.best_peer()
        if best is None:
            return []
        return [ours / peer for ours, peer in zip(self.values[OURS], self.values[best]) if peer]

    def ratio(self):
        return statistics.median(self.ratios()) if self.ratios() else None

    def by_medians(self):
        """Our median by the best peer's: far from ratio() where the machine was not the same for
        both of a pair."""
        best = self.best_peer()
        return self.median(OURS) / self.median(best) if best else None

    def spread(self):
        """(least, largest) ratio of a round; without a peer of our own figure."""
        values = self.ratios() or self.values.get(OURS, [])
        return (min(values), max(values)) if values else None

    def is_noisy(self):
        """Do the rounds disagree, so that the median says little?"""
        values = self.ratios() or self.values.get(OURS, [])
        if len(values) < NOISY_ROUNDS_MIN:
            return False
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return high - low > NOISY_PART * middle

    def verdicts(self):
        """For each aim: (text of the aim, value, is it met, missed by how many percent)."""
        found = []
        for aim in self.aims:
            value = self.median(OURS) if aim.absolute and self.values.get(OURS) else self.ratio()
            if value is not None:
                found.append((aim.text(self.unit), value, aim.is_met(value), aim.missed_by(value)))
        return found


def short(value):
    """Three digits that count."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def verdict(row, aim_met, by):
    text = "met" if aim_met else f"missed by {by:.0f} %"
    for aim in row.aims:
        if not aim.absolute and row.ratio() is not None and \
                aim.is_met(row.ratio()) != aim.is_met(row.by_medians()):
            return f"unclear: by the medians {short(row.by_medians())}"
    return text


def cells(row, peers):
    if row.why_not:
        return [row.bench, row.what, *["–"] * (len(peers) + 3),
                "; ".join(aim.text(row.unit) for aim in row.aims) or "–",
                f"not measured: {row.why_not}"]
    figures = [short(row.median(name)) if row.values.get(name) else "–" for name in (OURS, *peers)]
    low, high = row.spread()
    met = [verdict(row, is_met, by) for _, _, is_met, by in row.verdicts()]
    aims = [text for text, *_ in row.verdicts()] or [aim.text(row.unit) for aim in row.aims]
    noisy = ["noisy"] if row.is_noisy() else []
    return [row.bench, f"{row.what}, {row.unit}", *figures, short(row.ratio()),
            f"{short(low)} to {short(high)}", "; ".join(aims) or "–", "; ".join(met + noisy) or "–"]


def peers_of(rows):
    """All peers, in the order in which they come up."""
    found = []
    for row in rows:
        found += [name for name in row.values if name != OURS and name not in found]
    return found


def table(rows):
    """Markdown."""
    peers = peers_of(rows)
    lines = [["Bench", "Figure", OURS, *peers, "ratio to the best", "of a round", "aim", ""]]
    lines.append(["---"] * len(lines[0]))
    lines += [cells(row, peers) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_json(row):
    return {"bench": row.bench, "what": row.what, "unit": row.unit, "less_is_better": row.less,
            "values": row.values, "best_peer": row.best_peer(), "ratio": row.ratio(),
            "medians": {name: row.median(name) for name in row.values},
            "aims": [dataclasses.asdict(aim) for aim in row.aims],
            "verdicts": [{"aim": text, "value": value, "met": met, "missed_by_percent": round(by, 1)}
                         for text, value, met, by in row.verdicts()],
            "compared": row.compared,
            "point": list(row.point) or None, "noisy": row.is_noisy(),
            "not_measured": row.why_not or None}


def from_json(said):
    """The row of which as_json() said this."""
    return Row(said["bench"], said["what"], said["unit"], said["values"], said["less_is_better"],
               tuple(Aim(**aim) for aim in said["aims"]), said["not_measured"] or "",
               said["compared"], tuple(said["point"] or ()))
