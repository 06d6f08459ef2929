"""Contact sheets: a row of small pictures for each image, some rows to a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont, ImageOps

SIDE = 144  # pixels of a small picture
MARGIN = 8
TEXT = 16  # pixels of a line
ROWS = 40  # of a sheet
BACKGROUND, INK, GREY = "white", "black", "#666666"
LETTERS, LINES = 22, 8  # as many letters and lines as a picture is wide and high


@dataclass(frozen=True)
class Cell:
    """A picture and what stands beneath it; or words alone."""

    picture: Image.Image | None
    words: str


def sheets(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[Image.Image]:
    """As many sheets as it takes, each with the headings above its columns."""
    for start in range(0, len(rows), ROWS):
        yield _sheet(headings, rows[start : start + ROWS])


def _sheet(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Image.Image:
    across, down, head = SIDE + MARGIN, SIDE + TEXT + MARGIN, MARGIN + TEXT + MARGIN
    sheet = Image.new("RGB", (MARGIN + across * len(headings), head + down * len(rows)), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for column, heading in enumerate(headings):
        draw.text((MARGIN + across * column, MARGIN), heading[:LETTERS], INK, font)
    for number, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            left, top = MARGIN + across * column, head + down * number
            if cell.picture is None:
                draw.multiline_text((left, top), "\n".join(wrap(cell.words, LETTERS)[:LINES]), GREY, font)
            else:
                sheet.paste(ImageOps.contain(cell.picture, (SIDE, SIDE)), (left, top))
                draw.text((left, top + SIDE), cell.words[-LETTERS:], INK, font)
    return sheet
