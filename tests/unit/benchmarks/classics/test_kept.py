"""What was measured once is not measured again, unless something of it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.classics.kept import Figures, folder, kept


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class Measured:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Figures:
        self.times += 1
        return {"value": float(self.times)}


def test_the_second_time_it_is_read() -> None:
    measured = Measured()

    assert kept("roar-lrp", {"version": 1}, measured) == kept("roar-lrp", {"version": 1}, measured)
    assert measured.times == 1
    assert [path.suffix for path in folder().iterdir()] == [".json"]


@pytest.mark.parametrize(("name", "key"), [("roar-rise", {"version": 1}), ("roar-lrp", {"version": 2})])
def test_another_name_or_key_is_measured_anew(name: str, key: dict[str, object]) -> None:
    measured = Measured()
    kept("roar-lrp", {"version": 1}, measured)

    assert kept(name, key, measured) == {"value": 2}


def test_what_failed_is_not_kept() -> None:
    def broken() -> Figures:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept("roar-lrp", {}, broken)

    assert kept("roar-lrp", {}, Measured()) == {"value": 1}
