"""What the README asks with curl is asked here, and the answers that it prints must be true."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
HERE = "http://127.0.0.1:8000"
VOLATILE = {"id", "image_set", "timings", "links", "device", "versions"}  # differ from server to server

# Any: JSON.
Json = Any


def test_every_command_is_answered_and_every_printed_answer_is_true(client: httpx.Client) -> None:
    blocks = re.findall(r"^```(sh|json)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    ids: dict[str, str] = {}  # those that are printed, and those that were given
    answers: list[Json] = []
    compared = 0

    for kind, text in blocks:
        if kind == "json":
            printed = json.loads(text)
            assert_within(printed, answers[-1])
            if "id" in printed:
                ids[printed["id"]] = answers[-1]["id"]
            compared += 1
            continue
        for command in curl_commands(text):
            response = run(client, [given(word, ids) for word in command])
            assert response.status_code in {200, 201, 202, 422}, response.text
            if response.headers["Content-Type"].endswith("json"):
                answers.append(response.json())
    assert compared >= 3


def given(word: str, ids: dict[str, str]) -> str:
    """A word with the ids that this server gave."""
    for printed, real in ids.items():
        word = word.replace(printed, real)
    return word


def curl_commands(block: str) -> Iterator[list[str]]:
    """The words after each `curl` of a shell block."""
    words = shlex.split(block.replace("\\\n", " "), comments=True)
    starts = [place for place, word in enumerate(words) if word == "curl"]
    for start, end in pairwise([*starts, len(words)]):
        yield words[start + 1 : end]


def run(client: httpx.Client, words: list[str]) -> httpx.Response:
    """What curl would do, as far as the README uses it."""
    files: dict[str, tuple[str, bytes]] = {}
    fields: dict[str, list[str]] = {}
    headers: dict[str, str] = {}
    path, body = "", ""
    while words:
        match words.pop(0):
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-F":
                add_part(words.pop(0), files, fields)
            case "--json":
                body = words.pop(0)
            case word if word.startswith(HERE):
                path = word.removeprefix(HERE)
            case _:  # -s, and -o with its file
                pass
    if body:
        return client.post(path, content=body, headers=headers | {"Content-Type": "application/json"})
    if files:
        return client.post(path, files=files, data=fields, headers=headers)
    return client.get(path, headers=headers)


def add_part(word: str, files: dict[str, tuple[str, bytes]], fields: dict[str, list[str]]) -> None:
    """A part of a form, which is a file when it begins with @."""
    name, _, value = word.partition("=")
    if value.startswith("@"):
        file = ROOT / value[1:]
        files[name] = (file.name, file.read_bytes())
    else:
        fields.setdefault(name, []).append(value)


def assert_within(printed: Json, answer: Json) -> None:
    """Everything that is printed is in the answer; numbers up to the last digits of another machine."""
    if isinstance(printed, dict):
        for name in printed.keys() - VOLATILE:
            assert_within(printed[name], answer[name])
    elif isinstance(printed, list):
        for expected, found in zip(printed, answer, strict=False):
            assert_within(expected, found)
    elif isinstance(printed, float):
        assert answer == pytest.approx(printed, rel=1e-2, abs=1e-3)
    else:
        assert answer == printed
