"""The deployment files as data: a small reader of Dockerfiles, compose with its anchors, the manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"

Document = dict[str, Any]  # Any: YAML as it stands in the file


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile; `words` is the list of a JSON form, else the text cut at spaces."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        start = self.text.find("[")
        if start >= 0 and self.text.endswith("]") and self.name in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}:
            words: list[str] = json.loads(self.text[start:])
            return words
        return self.text.split()


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    name: str
    parent: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> Instruction:
        found = self.all(name)
        assert found, f"the target {self.name} of the Dockerfile has no {name}"
        return found[-1]


@cache
def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name."""
    lines = [line for line in read("Dockerfile").splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            parent, _, stage = text.partition(" AS ")
            found[stage] = current = Stage(stage, parent)
        elif name:
            current.instructions.append(Instruction(name, text.strip()))
    return found


@cache
def compose() -> Document:
    """docker-compose.yml with its anchors merged and `${NAME:-default}` replaced by the default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", read("docker-compose.yml"))
    document: Document = yaml.safe_load(text)
    return document


@cache
def manifests() -> tuple[Document, ...]:
    """Every document of every Kubernetes file but kustomization.yaml."""
    files = sorted(path for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml")
    return tuple(document for path in files for document in yaml.safe_load_all(path.read_text()))


@cache
def kustomization() -> Document:
    document: Document = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    return document


def manifest(kind: str, name: str) -> Document:
    """The one document of this kind and name."""
    (found,) = (
        document
        for document in manifests()
        if document["kind"] == kind and document["metadata"]["name"] == name
    )
    return found


def container(kind: str, name: str) -> Document:
    """The one container of a workload."""
    (found,) = manifest(kind, name)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(of: Document) -> dict[str, str]:
    """The variables of a container that have a value in the file; a secret has a stand-in."""
    return {item["name"]: item.get("value", "s" * 64) for item in of.get("env", [])}


def files() -> dict[str, str]:
    """The text of every deployment file by its path."""
    paths = ["Dockerfile", ".dockerignore", "docker-compose.yml", "deploy/worker_alive.py"]
    paths += [str(path.relative_to(ROOT)) for path in sorted(MANIFESTS.glob("*.yaml"))]
    return {path: read(path) for path in paths}


def values(tree: object, name: str) -> Iterator[Any]:  # Any: YAML as it stands in the file
    """Every value under a key of this name, at any depth."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                yield value
            yield from values(value, name)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from values(value, name)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
