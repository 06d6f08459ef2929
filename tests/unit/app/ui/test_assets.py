"""The page is whole, small, and asks nobody but its own service."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from app.rendering.palettes import LEVELS, PALETTES, colours
from app.ui import HEADERS, INDEX, assets, public_paths
from workers.phantom.scenes import LABELS, draw

MOST_BYTES = 300_000
MOST_LINES = 250
MOST_COLUMNS = 110
MOST_PICTURE_BYTES = 10_000
SEEDS = {"nodule": 11, "spiculated-mass": 3, "calcifications": 4, "none": 5}
SCRIPTS = sorted(name for name in assets() if name.endswith(".js"))
TEXTS = sorted(name for name in assets() if not name.endswith(".png"))
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function"


class Tags(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def text(name: str) -> str:
    return assets()[name].content.decode()


def tags() -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text(INDEX))
    return parser.found


def test_the_whole_page_is_small() -> None:
    assert sum(len(asset.content) for asset in assets().values()) < MOST_BYTES


def imported(name: str) -> set[str]:
    """The scripts that a script loads, at once or when they are needed."""
    return set(re.findall(r'(?:from |import\()"\./([^"]+)"', text(name)))


def test_everything_that_the_page_names_is_served() -> None:
    named = {value for _, attributes in tags() for value in attributes.values() if value and value[0] == "/"}
    for name in SCRIPTS:
        named |= {f"/ui/{found}" for found in imported(name)}
        named |= set(re.findall(r'"(/ui/[a-z.]+)"', text(name)))
    assert named >= {"/ui/main.js", "/ui/page.css", "/ui/palettes.json"}
    assert named <= public_paths()


def test_every_script_is_used() -> None:
    assert {found for name in SCRIPTS for found in imported(name)} | {"main.js"} == set(SCRIPTS)


def test_what_a_section_needs_is_loaded_with_it() -> None:
    found, left = set[str](), {"main.js"}
    while left:
        found |= left
        direct = {each for name in left for each in re.findall(r'from "\./([^"]+)"', text(name))}
        left = direct - found
    assert {"decide.js", "causal-graph.js", "chart.js"}.isdisjoint(found)
    assert "decide.css" not in text(INDEX)


@pytest.mark.parametrize("name", TEXTS)
def test_no_other_host_is_named(name: str) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[a-z][a-z0-9-]*\.[^\s\"'`]*", text(name)))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_short_and_make_no_markup_of_texts(name: str) -> None:
    lines = text(name).splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= MOST_COLUMNS
    assert lines[0].startswith("/** ")
    assert not re.search(MARKUP, text(name))


def test_nothing_stands_in_the_page_that_its_policy_forbids() -> None:
    for tag, attributes in tags():
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_ids_are_given_once_and_scripts_ask_for_known_ones() -> None:
    ids = [attributes["id"] for _, attributes in tags() if "id" in attributes]
    assert len(ids) == len(set(ids))
    asked = {found for name in SCRIPTS for found in re.findall(r'byId\("([^"]+)"\)', text(name))}
    assert asked <= set(ids)


def test_tags_are_strong_and_tell_files_apart() -> None:
    tagged = [asset.tag for asset in assets().values()]
    assert len(set(tagged)) == len(tagged)
    assert all(tag.startswith('"') for tag in tagged)


def test_colours_are_those_of_the_pictures() -> None:
    found = json.loads(assets()["palettes.json"].content)
    assert found["levels"] == LEVELS
    assert [each["name"] for each in found["palettes"]] == list(PALETTES)
    for each in found["palettes"]:
        for kind, signed in (("signed", True), ("plain", False)):
            table = np.frombuffer(base64.b64decode(each[kind]), np.uint8).reshape(-1, 3)
            np.testing.assert_array_equal(table, colours(each["name"], signed=signed))


@pytest.mark.parametrize("finding", LABELS)
def test_the_drawn_radiographs_are_those_of_the_phantoms(finding: str) -> None:
    content = assets()[f"phantom-{finding}.png"].content
    assert len(content) < MOST_PICTURE_BYTES
    with Image.open(io.BytesIO(content)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), draw(SEEDS[finding], finding=finding).image)
