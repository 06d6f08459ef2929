"""docs/adding-a-method.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-method.md").read_text()
ROOMS = ("app", "jobs", "openapi", "tests", "workers", "pyproject.toml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the page's first three steps were taken."""
    copy = tmp_path_factory.mktemp("project")
    for room in ROOMS:
        source = ROOT / room
        if source.is_dir():
            shutil.copytree(source, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / room)
    for path, code in re.findall(r"^`(\S+\.py)`:\n\n```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL):
        (copy / path).write_text(code)
    _add_the_line(copy / "workers" / "methods" / "__init__.py")
    _run(copy, "-m", "workers.catalogue")
    _run(copy, "-m", "app.main")
    return copy


def test_the_menu_shows_the_new_method_with_its_parameters(project: Path) -> None:
    menu = json.loads((project / "openapi" / "catalogue.json").read_text())

    card = next(method for method in menu["methods"] if method["name"] == "squared-gradient")

    assert card["parameters"]["properties"]["factor"]["maximum"] == 100


def test_its_oracle_and_the_invariants_of_every_method_hold(project: Path) -> None:
    tests = project / "tests" / "unit" / "workers" / "methods"

    printed = _run(
        project,
        *("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
        *("-k", "squared", str(tests / "test_squared_gradient.py"), str(tests / "test_every_method.py")),
    )

    passed = re.search(r"(\d+) passed", printed)
    assert passed is not None
    assert int(passed[1]) > 1, printed


def _add_the_line(path: Path) -> None:
    """Take the import and the list entry from the page."""
    imported = re.search(r"^ +squared_gradient,$", PAGE, re.MULTILINE)
    entry = re.search(r"^ +squared_gradient\.METHOD,$", PAGE, re.MULTILINE)
    assert imported
    assert entry
    text = path.read_text().replace("\n)\n", f"\n{imported[0]}\n)\n", 1)
    path.write_text(text.replace("    ]\n)", f"{entry[0]}\n    ]\n)"))


def _run(project: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(project)}
    done = subprocess.run(
        [sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
