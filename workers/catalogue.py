"""Prints the menu: `python -m workers.catalogue` writes openapi/catalogue.json, `--check` compares it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jobs.catalogue import Catalogue
from workers.methods import METHODS
from workers.metrics import METRICS

CATALOGUE_PATH = Path(__file__).parents[1] / "openapi" / "catalogue.json"


def catalogue() -> Catalogue:
    """The menu of the methods and metrics that these workers have."""
    return Catalogue(
        methods=tuple(method.card() for method in METHODS.values()),
        metrics=tuple(metric.card() for metric in METRICS.values()),
    )


def printed() -> str:
    """The menu as it stands in the file."""
    document = catalogue().model_dump(mode="json")
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the file; with `--check` only says whether it is up to date (0 yes, 1 no)."""
    if "--check" not in arguments:
        CATALOGUE_PATH.write_text(printed(), encoding="utf-8")
        return 0
    if CATALOGUE_PATH.is_file() and CATALOGUE_PATH.read_text(encoding="utf-8") == printed():
        return 0
    sys.stderr.write("openapi/catalogue.json is not what methods and metrics say: run `make openapi`.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
