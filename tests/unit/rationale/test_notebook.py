"""How a notebook shows an explanation."""

from __future__ import annotations

from html.parser import HTMLParser

from rationale import Explained, Explanation
from rationale.documents import Document
from tests.unit.rationale.script import MAP, document, png

EVIL = "<img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shown() -> Tags:
    told = document()
    told["targets"][0]["label"] = told["predictions"][0]["label"] = EVIL
    told["trust"]["targets"] = [
        {
            "index": 2,
            "label": EVIL,
            "score": 1.0,
            "rank": 2,
            "is_predicted": False,
            "native_grid": [1, 1],
            "findings": [{"code": "not-predicted", "text": f"not {EVIL}"}],
        }
    ]
    told["trust"]["pair"] = {
        "images": 4,
        "checks": [],
        "findings": [{"code": "insensitive", "text": "hardly change"}],
    }
    read = Document.model_validate(told)
    explained = {target.index: Explained(target, MAP, png(1)) for target in read.targets}
    page = Tags()
    page.feed(Explanation(read, explained)._repr_html_())
    return page


def test_it_shows_every_class_and_what_a_reader_should_know() -> None:
    page = shown()
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 2
    assert all(str(one["src"]).startswith("data:image/png;base64,") for one in pictures)
    words = " ".join(page.words)
    assert "grad-cam on m" in words
    assert f"not {EVIL}" in words
    assert "hardly change" in words
    assert "does not show where a finding is" in words


def test_words_of_a_model_stay_words() -> None:
    assert not [attributes for _, attributes in shown().tags if "onerror" in attributes]
