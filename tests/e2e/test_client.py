"""The Python client against a real service: its documents' examples, and a batch that outlives a worker."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.session import private_service
from rationale import Client, Explanation
from tests.waiting import wait_until
from workers.phantom.scenes import draw

ROOT = Path(__file__).parents[2]
DOCUMENTS = "".join((ROOT / name).read_text() for name in ("README.md", "docs/client.md"))
ADDRESS = "http://127.0.0.1:8000"
IMAGES = 500
IN_FLIGHT = 16


def test_every_example_of_the_documents_runs(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENTS, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {"__name__": "example"}
    for block in blocks:
        if "import workers" in block:
            continue  # the other road: explaining a network of one's own, without a service
        text = block.replace(ADDRESS, address).replace("/tmp", str(tmp_path))  # noqa: S108 - a reader's
        exec(compile(text, "an example", "exec"), names)  # noqa: S102 - our own words
    assert len(blocks) >= 10
    assert (tmp_path / "nodule.png").exists()
    words = capsys.readouterr().out
    assert "nodule deletion 0.0" in words
    assert "('target', 'unicorn is no class of phantom-resnet" in words
    assert "gelu" in words
    assert "(96, 96)" in words


@pytest.fixture
def own_address() -> Iterator[str]:
    with private_service() as address:
        yield address


def test_a_worker_is_killed_halfway_and_every_image_is_answered_once(own_address: str) -> None:
    images = [draw(1_000 + number, finding="nodule").image for number in range(IMAGES)]
    halfway = threading.Event()

    def kill_when_halfway() -> None:
        halfway.wait()
        wait_until(lambda: bool(workers()), what="a worker")
        os.kill(workers()[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_when_halfway)
    killer.start()
    found = []
    try:
        with Client(own_address) as client:
            for one in client.explain_many(images, model="phantom-resnet", in_flight=IN_FLIGHT):
                found.append(one)
                if len(found) == IMAGES // 2:
                    halfway.set()
            assert len(found) == IMAGES
            explanations = [one for one in found if isinstance(one, Explanation)]
            assert len(explanations) == IMAGES, [one for one in found if not isinstance(one, Explanation)][:3]
            assert len({one.id for one in explanations}) == IMAGES
            # Each answer is that of its image, and not that of its neighbour.
            for place in (0, 249, 250, 499):
                again = client.explain(images[place], model="phantom-resnet")
                assert again.id == explanations[place].id
                assert np.array_equal(again.map, explanations[place].map)
    finally:
        halfway.set()
        killer.join()


def workers() -> list[int]:
    """The workers of a service that this process started."""
    return [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if "workers.main" in process.cmdline()
    ]
