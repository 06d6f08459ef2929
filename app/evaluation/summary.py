"""What the rows of an evaluation come to, for each metric, model and method."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from app.evaluation.rows import Row


@dataclass(frozen=True)
class Line:
    """One method on one model by one metric; `values` are those of the maps about which it says something.

    `random` and `edges` are means of the peers. The shares count the maps that are better than their own
    peers; None where there are no such peers.
    """

    model: str
    method: str
    metric: str
    higher_is_better: bool
    values: tuple[float, ...]
    silent: int
    random: float | None
    edges: float | None
    beats_random: float | None
    beats_edges: float | None

    @property
    def mean(self) -> float | None:
        """None where the metric says nothing of any map."""
        return fmean(self.values) if self.values else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean; None below two values."""
        n, mean = len(self.values), self.mean
        if n < 2 or mean is None:
            return None
        variance = sum((value - mean) ** 2 for value in self.values) / (n - 1)
        return float((variance / n) ** 0.5)


@dataclass(frozen=True)
class Told:
    """What was found of the maps of one method on one model: how many there are, and how often each code."""

    model: str
    method: str
    maps: int
    codes: Counter[str]


@dataclass(frozen=True)
class Failed:
    """Why a method made no maps on a model, and for how many images."""

    model: str
    method: str
    error: str
    images: int


def lines(rows: Sequence[Row]) -> list[Line]:
    """The best first, by metric and model in the order of the rows."""
    groups: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if not row.error:
            groups[row.metric, row.model, row.method].append(row)
    metrics, models = (_places(key[part] for key in groups) for part in (0, 1))
    made = [_line(*key, group) for key, group in groups.items()]
    return sorted(
        made, key=lambda line: (metrics[line.metric], models[line.model], _badness(line), line.method)
    )


def told(rows: Sequence[Row]) -> list[Told]:
    """By model and method, in the order of the rows."""
    maps: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        if not row.error:
            maps.setdefault((row.model, row.method), {})[row.image, row.label] = row
    return [
        Told(
            model, method, len(ones), Counter(code for row in ones.values() for code in row.findings.split())
        )
        for (model, method), ones in maps.items()
    ]


def failed(rows: Sequence[Row]) -> list[Failed]:
    """By model, method and reason."""
    counts = Counter((row.model, row.method, row.error) for row in rows if row.error)
    return [Failed(*key, images) for key, images in counts.items()]


def _line(metric: str, model: str, method: str, rows: Sequence[Row]) -> Line:
    higher = bool(rows[0].higher_is_better)
    return Line(
        model=model,
        method=method,
        metric=metric,
        higher_is_better=higher,
        values=tuple(row.value for row in rows if row.value is not None),
        silent=sum(row.value is None for row in rows),
        random=_mean([row.random for row in rows]),
        edges=_mean([row.edges for row in rows]),
        beats_random=_share(higher, [(row.value, row.random) for row in rows]),
        beats_edges=_share(higher, [(row.value, row.edges) for row in rows]),
    )


def _places(names: Iterable[str]) -> dict[str, int]:
    """The place of each name among those that are different."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _share(higher: bool, pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    known = [(value, peer) for value, peer in pairs if value is not None and peer is not None]
    better = sum(value > peer if higher else value < peer for value, peer in known)
    return better / len(known) if known else None


def _badness(line: Line) -> float:
    if line.mean is None:
        return float("inf")
    return -line.mean if line.higher_is_better else line.mean
