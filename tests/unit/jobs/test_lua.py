"""The scripts: each says what it is for, names its keys, and is loaded under its own name."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from jobs import moves, registry
from jobs.lua import SHARED, load

FOLDER = Path(str(files("jobs") / "scripts"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.lua") if path.stem not in SHARED)


def loaded(file: Path) -> set[str]:
    return set(re.findall(r'load\("(\w+)"\)', file.read_text()))


def test_every_script_is_loaded_by_a_function() -> None:
    files = (*Path(moves.__path__[0]).glob("*.py"), Path(registry.__file__))
    assert set().union(*map(loaded, files)) == set(NAMES)


@pytest.mark.parametrize("name", [*NAMES, *SHARED])
def test_a_script_says_what_it_is_for(name: str) -> None:
    assert (FOLDER / f"{name}.lua").read_text().startswith("-- ")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_spells_no_key(name: str) -> None:
    assert "{" + "namespace" not in (FOLDER / f"{name}.lua").read_text()
    assert not re.search(r"'[a-z-]+:'", (FOLDER / f"{name}.lua").read_text())


def test_the_digest_is_that_of_the_whole_text() -> None:
    script = load("submit")
    assert script.digest == hashlib.sha1(script.text, usedforsecurity=False).hexdigest()
    assert script.text.startswith((FOLDER / "shared.lua").read_bytes())
