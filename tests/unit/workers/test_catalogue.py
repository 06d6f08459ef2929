"""The printed menu and the words on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.catalogue import load_catalogue
from workers import catalogue
from workers.declare import Method, index_by_name
from workers.methods import METHODS


def test_the_printed_menu_is_what_the_methods_say() -> None:
    assert catalogue.main(["--check"]) == 0
    assert load_catalogue() == catalogue.catalogue()


def test_printing_writes_the_file_and_checking_compares_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "catalogue.json"
    monkeypatch.setattr(catalogue, "CATALOGUE_PATH", path)

    assert catalogue.main(["--check"]) == 1
    assert "make openapi" in capsys.readouterr().err
    assert catalogue.main([]) == 0
    assert catalogue.main(["--check"]) == 0
    path.write_text("{}")
    assert catalogue.main(["--check"]) == 1


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_parameter_is_described_bounded_and_has_a_default(
    method: Method[Any],  # Any: parameters of methods
) -> None:
    schema = method.params.model_json_schema()

    assert schema["additionalProperties"] is False
    method.params()
    for name, field in schema["properties"].items():
        assert field["description"], name
        for kind in field.get("anyOf", [field]):
            if kind.get("type") in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & kind.keys(), name
                assert {"maximum", "exclusiveMaximum"} & kind.keys(), name
            if kind.get("type") == "string" and "enum" not in kind:
                assert "maxLength" in kind, name


def test_a_name_is_taken_once() -> None:
    [one, *_] = METHODS.values()
    with pytest.raises(ValueError, match=one.name):
        index_by_name([one, one])
