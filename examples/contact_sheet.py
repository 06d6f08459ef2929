"""Pictures in rows and columns with words above and beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

CELL = 192  # pixels of one picture's side
GAP = 8
HEAD = 28
SIDE = 132
INK = (32, 32, 32)
PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Row:
    """The words on the left (one line each) and the pictures of one row."""

    words: Sequence[str]
    pictures: Sequence[Image.Image]
    captions: Sequence[str]


def contact_sheet(headings: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """One picture of all rows; each cell is scaled to the same square, its caption below it."""
    width = SIDE + len(headings) * (CELL + GAP) + GAP
    height = HEAD + len(rows) * (CELL + HEAD + GAP) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for column, heading in enumerate(headings):
        draw.text((SIDE + column * (CELL + GAP) + CELL // 2, HEAD // 2), heading, INK, font, anchor="mm")
    for number, row in enumerate(rows):
        _draw_row(sheet, draw, row, top=HEAD + number * (CELL + HEAD + GAP))
    return sheet


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, *, top: int) -> None:
    font = ImageFont.load_default(13)
    draw.multiline_text((GAP, top + GAP), "\n".join(row.words), INK, font, spacing=6)
    for column, (picture, caption) in enumerate(zip(row.pictures, row.captions, strict=True)):
        left = SIDE + column * (CELL + GAP)
        sheet.paste(picture.convert("RGB").resize((CELL, CELL), Image.Resampling.NEAREST), (left, top))
        draw.text((left + CELL // 2, top + CELL + HEAD // 2), caption, INK, font, anchor="mm")
