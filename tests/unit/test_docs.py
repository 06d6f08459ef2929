"""What the documents say exists; what exists and must be explained is in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest

from app.image_sets.sent import SetLimits
from app.image_sets.unpacking import unpacked
from app.settings import ApiSettings
from jobs.catalogue import load_catalogue
from jobs.errors import JobFailed, RationaleError
from jobs.trust import FindingCode
from tests.unit.commands import check_command, commands_in
from tests.unit.deployment import ROOT, read
from workers.phantom.scenes import LABELS
from workers.settings import WorkerSettings

DECISIONS = ROOT / "docs" / "decisions"
NUMBERED = sorted(DECISIONS.glob("[0-9]*.md"))
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
HEADINGS = ["Context", "Options", "Choice", "Cost"]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in NUMBERED]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 6


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_a_decision_is_short_has_every_part_and_stands_in_the_index(path: Path) -> None:
    text = path.read_text()
    number, title = text.partition("\n")[0].removeprefix("# ").split(". ", 1)
    assert path.name.startswith(number)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert re.search(r"^State: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE)
    assert len(text.splitlines()) <= 60, f"{path.name} is longer than a page"
    rows = [line for line in (DECISIONS / "README.md").read_text().splitlines() if f"({path.name})" in line]
    assert len(rows) == 1, f"docs/decisions/README.md lists {path.name} {len(rows)} times"
    assert f"| {title} |" in rows[0], f"the index calls {path.name} by another title than {title!r}"


@pytest.mark.parametrize("settings", [ApiSettings, WorkerSettings])
def test_every_setting_has_a_row_in_operations(settings: type[ApiSettings] | type[WorkerSettings]) -> None:
    names = {f"RATIONALE_{name.upper()}" for name in settings.model_fields}
    missing = sorted(names - rows("docs/operations.md"))
    assert not missing, f"docs/operations.md has no row `| \\`NAME\\` |` for {settings.__name__}: {missing}"


def test_operations_has_rows_for_no_setting_that_is_gone() -> None:
    known = {
        f"RATIONALE_{name.upper()}" for model in (ApiSettings, WorkerSettings) for name in model.model_fields
    }
    named = set(re.findall(r"RATIONALE_[A-Z_]+[A-Z]", "".join(path.read_text() for path in DOCUMENTS)))
    assert named <= known, f"the documents name {sorted(named - known)}, which no settings class reads"


def test_every_metric_has_a_section_and_every_finding_a_row() -> None:
    text = read("docs/metrics.md")
    sections = re.findall(r"^### `(.*)`$", text, re.MULTILINE)
    assert sorted(sections) == sorted(card.name for card in load_catalogue().metrics)
    for card in load_catalogue().metrics:
        section = text.partition(f"### `{card.name}`")[2].partition("\n#")[0]
        assert card.reference in section, f"docs/metrics.md does not cite {card.reference!r} for {card.name}"
        assert ("higher" if card.higher_is_better else "lower") + " is better" in section
    table = "".join(line for line in text.splitlines() if line.startswith("| `"))
    assert not [code for code in FindingCode if f"`{code.value}`" not in table]


def test_every_error_code_has_a_row_in_operations() -> None:
    missing = sorted(set(error_codes()) - rows("docs/operations.md"))
    assert not missing, f"docs/operations.md has no row `| \\`code\\` |` for the errors {missing}"


def test_every_method_of_the_catalogue_has_a_section() -> None:
    headings = re.findall(r"^##+ .*$", read("docs/methods.md"), re.MULTILINE)
    missing = [
        card.name
        for card in load_catalogue().methods
        if not any(f"`{card.name}`" in line for line in headings)
    ]
    assert not missing, f"docs/methods.md has no heading `## ... \\`name\\`` for the methods {missing}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            pointed = (path.parent / file).resolve() if file else path
            assert pointed.exists(), f"{path.name} links to {target}, which is not there"
            if anchor:
                assert anchor in anchors(pointed), f"{path.name} links to {target}; no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_target_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text()
    for words in commands_in(text, r"(?:\.venv/bin/|\$ )?"):
        check_command(words)
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)\b(?=`|\s*$|\s+#)", text, re.MULTILINE))
    known = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert targets <= known, f"{path.name} names the targets {sorted(targets - known)} of no Makefile"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_sends_is_there_or_drawn_above(path: Path) -> None:
    text = path.read_text()
    for block in re.finditer(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for name in re.findall(r"-F \w+=@(\S+)", block[1]):
            drawn = f'"{name}", "w"' in text[: block.start()]
            assert drawn or (ROOT / name).exists(), f"{path.name} sends {name}, which nobody has"


def test_the_pictures_of_the_analyses_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = re.search(r"^```python\n(.*?)^```", read("docs/analyses.md"), re.MULTILINE | re.DOTALL)
    assert drawing is not None
    monkeypatch.chdir(tmp_path)
    Path("draw.py").write_text(drawing[1])
    run_path("draw.py")
    limits = SetLimits(images=80, file_bytes=10**6, body_bytes=10**7, pixel_bytes=10**7, seconds=9)
    sent = unpacked((tmp_path / "set.zip").read_bytes(), limits)
    assert not sent.problems
    assert len(sent.images) == 80
    assert min(Counter(sent.labels.values()).values()) >= 10
    assert set(sent.labels.values()) == set(LABELS)


def error_codes() -> Iterator[str]:
    """The codes that a client can meet: those of the leaves, and that of a failure that is not known here."""
    yield JobFailed.code
    left = [RationaleError]
    while left:
        kind = left.pop()
        left.extend(kind.__subclasses__())
        if not kind.__subclasses__() and kind.__module__ == RationaleError.__module__:
            yield kind.code


def rows(path: str) -> set[str]:
    """What stands in backticks in the first cell of the tables of a document."""
    return set(re.findall(r"^\| `([^`]+)` \|", read(path), re.MULTILINE))


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, spelled as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
