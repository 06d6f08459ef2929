"""Files and functions stay short, and no process loads what its room does not own."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.deployment import ROOT, read

ROOMS = ("app", "jobs", "rationale", "workers", "openapi", "benchmarks", "chaos", "deploy", "examples")
ENDINGS = {".py", ".lua", ".js", ".sh"}
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]

LOADED = """
import importlib, pkgutil, sys
for name in sys.argv[2].split(","):
    module = importlib.import_module(name)
    if name == "jobs":
        for found in pkgutil.walk_packages(module.__path__, "jobs."):
            importlib.import_module(found.name)
unwanted = [name for name in sys.argv[1].split(",") if name in sys.modules]
sys.exit(f"loaded: {unwanted}" if unwanted else 0)
"""

WITHOUT = """
import importlib, sys
absent = set(sys.argv[1].split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r} in this image", name=name)
sys.meta_path.insert(0, Absent())
for name in sys.argv[2].split(","):
    importlib.import_module(name)
from app.cli import main
sys.argv = ["rationale", *sys.argv[3:]]
main()
"""


@pytest.mark.parametrize(("folders", "most"), [(ROOMS, 250), (("tests",), 400)], ids=["code", "tests"])
def test_files_stay_short(folders: tuple[str, ...], most: int) -> None:
    counted = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(folders)}
    assert len(counted) > 3
    long = {str(path.relative_to(ROOT)): lines for path, lines in counted.items() if lines > most}
    assert not long, f"more than {most} lines, split them: {long}"


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} ({lines} lines)"
        for path in sources((*ROOMS, "tests"))
        if path.suffix == ".py"
        for function, lines in functions(path)
        if lines > 50
    ]
    assert not long, f"cut them into parts: {long}"


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("jobs", "torch,torchvision,fastapi,starlette,app,workers"),
        ("app.main,app.server", "torch,torchvision,workers"),
        ("app.cli", "torch,torchvision,fastapi"),
        ("workers", "torch,torchvision"),
        ("workers.main", "torch,torchvision,fastapi,starlette,uvicorn,app"),
        ("chaos.worker,chaos.device", "torch,torchvision,fastapi,starlette,uvicorn,app"),
    ],
)
def test_a_fresh_process_loads_only_what_its_room_owns(modules: str, unwanted: str) -> None:
    run(LOADED, unwanted, modules)


@pytest.mark.parametrize(
    ("extra", "modules", "command"),
    [
        ("api", "app.main,app.server,app.uploads.decoding", "api"),
        ("api", "app.access", "keys"),
        ("worker", "workers.main,workers.device", "worker"),
    ],
)
def test_an_image_has_all_that_its_command_needs(extra: str, modules: str, command: str) -> None:
    ours = {"app", "jobs", "openapi", "rationale", "workers"}
    absent = sorted(set(packages_distributions()) - top_levels(extra) - ours)
    assert {"api": "torch", "worker": "fastapi"}[extra] in absent
    assert command in run(WITHOUT, ",".join(absent), modules, command, "--help")


def test_torchvision_is_imported_in_one_place_which_works_in_a_fresh_process() -> None:
    importing = [
        str(path.relative_to(ROOT))
        for path in sources(ROOMS)
        if re.search(r"^\s*(import|from) torchvision\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["workers/models/torchvision_compat.py"]
    run("from workers.models.torchvision_compat import torchvision; torchvision.models.resnet18()")


def sources(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS)


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Each function of a file with its number of lines, from its `def` to its end."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def top_levels(extra: str) -> set[str]:
    """The modules of all distributions that `pip install .[extra]` brings."""
    brought: set[str] = set()
    left = [
        Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra])
    ]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        if name not in brought:
            brought.add(name)
            left.extend(requirements(requirement))
    return {
        module
        for module, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} & brought
    }


def requirements(of: Requirement) -> Iterator[Requirement]:
    """What a distribution requires here, with the extras that were asked for."""
    for text in distribution(of.name).requires or ():
        needed = Requirement(text)
        extras = of.extras or {""}
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            yield needed
