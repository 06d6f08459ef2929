"""A causal graph as a picture: a column for each layer, the class at the right."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from jobs.causal import CLASSES, CausalGraph, Layer, Node, Role

ROWS = 64  # nodes above each other
STEP = 12  # from node to node
MOST_OTHERS = 128  # nodes without a role that are shown of a layer
RADIUS, SMALL = 4, 2
MOST_EDGES = 1000  # of a layer, the strongest
MANY = 16  # layers beyond which columns are narrower, and the picture half as fine
MARGIN, HEAD, NAME = 40, 64, 130
MOST_LABEL = 60  # characters
PAPER, INK, SOFT = (255, 255, 255), (30, 30, 30), (110, 110, 110)
NECESSARY, DISTRACTING, OTHER = (200, 30, 40), (20, 110, 180), (190, 190, 190)
COLOURS = {Role.NECESSARY: NECESSARY, Role.DISTRACTING: DISTRACTING, None: OTHER}

Point = tuple[float, float]


@dataclass(frozen=True)
class Column:
    """A layer as it is drawn: its nodes with their places, and how many are left out."""

    layer: Layer
    x: float
    width: float
    places: dict[int, Point]
    left_out: int


def drawn(graph: CausalGraph) -> bytes:
    """A PNG. Of a layer with very many nodes some without a role are left out, which is said below it.

    Of very many edges of a layer only the strongest are drawn.
    """
    scale, gap = (2, 130) if len(graph.layers) <= MANY else (1, 70)
    columns = _columns(graph.layers, gap)
    right = columns[-1].x + columns[-1].width + gap if columns else MARGIN
    target = (right, HEAD + ROWS * STEP / 2)
    size = (int(right + NAME + MARGIN) * scale, (HEAD + ROWS * STEP + 2 * MARGIN) * scale)
    sheet = Image.new("RGB", size, PAPER)
    pen = Pen(ImageDraw.Draw(sheet), scale)
    places = {column.layer.name: column.places for column in columns} | {CLASSES: {graph.target: target}}
    for column in columns:
        _draw_edges(pen, column, places)
    for column in columns:
        _draw_nodes(pen, column, gap // 6)
    pen.dot(target, RADIUS + 2, INK)
    pen.text((target[0] + 10, target[1] - 7), _short(graph.label, 20), INK)
    _draw_legend(pen, graph)
    file = io.BytesIO()
    sheet.save(file, "png")
    return file.getvalue()


class Pen:
    """Draws in units of so many pixels."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int) -> None:
        self._draw, self._scale = draw, scale
        self._font = ImageFont.load_default(size=11 * scale)

    def dot(self, place: Point, radius: float, colour: tuple[int, int, int]) -> None:
        """A disc."""
        x, y = place
        box = [(x + side * radius, y + side * radius) for side in (-1, 1)]
        self._draw.ellipse([(x * self._scale, y * self._scale) for x, y in box], fill=colour)

    def line(self, start: Point, end: Point, colour: tuple[int, int, int], width: int) -> None:
        """A straight line, as wide as so many pixels."""
        ends = [(x * self._scale, y * self._scale) for x, y in (start, end)]
        self._draw.line(ends, fill=colour, width=width)

    def text(self, place: Point, words: str, colour: tuple[int, int, int]) -> None:
        """A line of text, from its upper left corner."""
        x, y = place
        self._draw.text((x * self._scale, y * self._scale), words, fill=colour, font=self._font)


def _columns(layers: Sequence[Layer], gap: int) -> list[Column]:
    columns, x = [], float(MARGIN)
    for layer in layers:
        shown = _shown(layer)
        n_columns = max(1, -(-len(shown) // ROWS))
        top = HEAD + (ROWS - min(len(shown), ROWS)) * STEP / 2
        places = {
            node.index: (x + place // ROWS * STEP, top + place % ROWS * STEP)
            for place, node in enumerate(shown)
        }
        columns.append(Column(layer, x, n_columns * STEP, places, len(layer.nodes) - len(shown)))
        x += n_columns * STEP + gap
    return columns


def _shown(layer: Layer) -> list[Node]:
    """All nodes with a role, and the first of the others, in order."""
    others = [node for node in layer.nodes if node.role is None][:MOST_OTHERS]
    with_role = [node for node in layer.nodes if node.role is not None]
    return sorted([*with_role, *others], key=lambda node: node.index)


def _draw_edges(pen: Pen, column: Column, places: dict[str, dict[int, Point]]) -> None:
    """The stronger the response is within its layer, the darker."""
    roles = {node.index: node.role for node in column.layer.nodes}
    most = max((abs(edge.response) for edge in column.layer.edges), default=0.0) or 1.0
    ordered = sorted(column.layer.edges, key=lambda edge: abs(edge.response))
    for edge in ordered[-MOST_EDGES:]:
        start, end = column.places.get(edge.node), places.get(edge.layer, {}).get(edge.child)
        if start and end:
            strength = abs(edge.response) / most
            share = 0.15 + 0.6 * strength
            colour = COLOURS[roles.get(edge.node)]
            pen.line(start, end, _faded(colour, share), 1 + round(2 * strength))


def _draw_nodes(pen: Pen, column: Column, most: int) -> None:
    for node in column.layer.nodes:
        if node.index in column.places:
            radius = SMALL if node.role is None else RADIUS
            pen.dot(column.places[node.index], radius, COLOURS[node.role])
    layer, below = column.layer, HEAD + ROWS * STEP + 6
    pen.text((column.x - 6, below), _end(layer.name, most), INK)
    found = f"{len(layer.having(Role.NECESSARY))} of {len(layer.nodes)}"
    pen.text((column.x - 6, below + 14), found, SOFT)
    if column.left_out:
        pen.text((column.x - 6, below + 28), f"{column.left_out} not shown", SOFT)


def _draw_legend(pen: Pen, graph: CausalGraph) -> None:
    treatment = graph.treatment
    done = treatment.intervention.value
    if treatment.intervention.value == "attenuate":
        done = f"{done} to at most {treatment.highest:g}"
    level = f"level {treatment.level:g}, correction {treatment.correction.value}"
    title = f"{graph.model.id}: {_short(graph.label, MOST_LABEL)} (class {graph.target})"
    pen.text((MARGIN, 8), title, INK)
    pen.text((MARGIN, 24), f"{graph.images} images, {done}, {level}", SOFT)
    x = float(MARGIN)
    for colour, words in ((NECESSARY, "necessary"), (DISTRACTING, "distracting"), (OTHER, "neither")):
        pen.dot((x + RADIUS, 49), RADIUS, colour)
        pen.text((x + 12, 42), words, SOFT)
        x += 90


def _faded(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(share * each + (1 - share) * 255) for each in colour)
    return red, green, blue


def _end(words: str, most: int) -> str:
    return words if len(words) <= most else "…" + words[1 - most :]


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
