"""What the command line asks of each picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from app.evaluation.folder import pictures_in
from jobs.errors import InvalidRequest, Problem

METHOD = "grad-cam"

Several = Sequence[str] | None
File = tuple[str, Path]  # its name in its folder, and where it is


@dataclass(frozen=True)
class Wanted:
    """One or many methods, each with the same words; `params` and `metric_params` are name=value.

    What is None was left out.
    """

    model: str
    named: Several
    targets: Several
    reference: Path | None
    mask: Path | None
    _: KW_ONLY
    params: Several
    metrics: Several
    metric_params: Several

    @property
    def methods(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(self.named or [METHOD]))

    def words(self) -> dict[str, Any]:  # Any: the words of a client's question
        """As a client's question has them, but for the method. Raises InvalidRequest."""
        return {
            "model": self.model,
            "target": list(self.targets or ()),
            "params": dict(map(_parameter, self.params or ())),
            "metrics": list(self.metrics or ()),
            "metric_params": _of_metrics(self.metric_params or ()),
            "reference": self.reference,
            "mask": self.mask,
        }

    def fields(self) -> dict[str, str | list[str]]:
        """As a form has them, for the first method. Raises InvalidRequest."""
        words = self.words()
        return {
            "model": self.model,
            "method": self.methods[0],
            "target": words["target"],
            "params": json.dumps(words["params"]),
            "metrics": words["metrics"],
            "metric_params": json.dumps(words["metric_params"]),
        }

    def files(self, image: Path) -> dict[str, bytes]:
        """As a form has them."""
        given = {"image": image, "reference": self.reference, "mask": self.mask}
        return {name: path.read_bytes() for name, path in given.items() if path}


def files_of(words: Sequence[str]) -> list[File]:
    """The image files that words name: files, folders, patterns.

    Raises InvalidRequest naming the word that names none.
    """
    found: list[File] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            found += [(picture.name, picture.path) for picture in pictures_in(path)]
        elif path.is_file():
            found.append((path.name, path))
        else:
            anchor = Path(path.anchor) if path.is_absolute() else Path()
            matches = sorted(anchor.glob(str(path.relative_to(anchor)))) if set("*?[") & set(word) else []
            if not matches:
                wrong = Problem(field="images", message=f"{word} names no file and no folder")
                raise InvalidRequest("A picture is missing.", problems=(wrong,))
            found += [(match.name, match) for match in matches if match.is_file()]
    return found


def _of_metrics(texts: Sequence[str]) -> dict[str, dict[str, object]]:
    """Parameters by metric."""
    params: dict[str, dict[str, object]] = {}
    for text in texts:
        metric, separator, rest = text.partition(".")
        if not separator:
            raise _unreadable(f"--metric-param {text}", "metric.name=value")
        name, value = _parameter(rest, f"--metric-param {metric}.", "metric.name=value")
        params.setdefault(metric, {})[name] = value
    return params


def _parameter(text: str, option: str = "--param ", form: str = "name=value") -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator:
        raise _unreadable(f"{option}{text}", form)
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _unreadable(what: str, form: str) -> InvalidRequest:
    wrong = Problem(field=what, message=f"write it as {form}")
    return InvalidRequest("a parameter is not readable", problems=(wrong,))
