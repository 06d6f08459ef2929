"""Labels as text: a JSON object, or lines of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from pydantic_core import from_json

HEADING = ["name", "label"]

Labels = Iterable[tuple[str, object]]


def labels_of_json(text: str | bytes) -> Labels:
    """Names and labels of a JSON object; raises `ValueError` with what goes on after "it "."""
    try:
        labels = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"must be a JSON object of names of images to labels: {error}") from None
    if not isinstance(labels, dict):
        raise ValueError("must be a JSON object of names of images to labels: it is no object")
    return labels.items()


def labels_of_csv(content: bytes) -> Labels:
    """Names and labels of lines of CSV in UTF-8, perhaps below a heading; raises `ValueError` likewise."""
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        numbered = [(rows.line_num, row) for row in rows if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"must be lines of CSV in UTF-8, each a name and a label: {error}") from None
    wrong = [str(number) for number, row in numbered if len(row) != len(HEADING)]
    if wrong:
        message = f"must have a name and a label in each line, with a comma between; see line {wrong[0]}"
        raise ValueError(message + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""))
    return [(row[0], row[1]) for _, row in numbered if row != HEADING or row is not numbered[0][1]]
