"""Weights that torchvision publishes, without a network: the file is put where a download would leave it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jobs.errors import ModelUnavailable
from workers.models import published

TENSORS = {"weight": torch.arange(4.0)}


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that torchvision would have published, in torch's cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    unnamed = tmp_path / "unnamed"
    torch.save(TENSORS, unnamed)
    digest = hashlib.sha256(unnamed.read_bytes()).hexdigest()
    path = tmp_path / "checkpoints" / f"net-{digest[:8]}.pth"
    path.parent.mkdir()
    unnamed.rename(path)

    class Weights:
        url = f"https://nowhere.invalid/models/{path.name}"

    monkeypatch.setattr(published, "_weights", lambda *_: Weights)
    return path


def read() -> dict[str, Tensor]:
    return dict(published.read_published("torchvision:net", "V1"))


def test_a_file_in_the_cache_is_read(cached: Path) -> None:
    assert torch.equal(read()["weight"], TENSORS["weight"])


def test_a_file_that_was_changed_is_refused(cached: Path) -> None:
    cached.write_bytes(cached.read_bytes() + b"!")

    with pytest.raises(ModelUnavailable, match="is not the published file"):
        read()


def test_a_file_that_is_not_there_is_downloaded_and_its_hash_checked(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, asked = cached.read_bytes(), []
    cached.unlink()

    def download(url: str, path: str, *, hash_prefix: str, progress: bool) -> None:
        asked.append((url.rpartition("/")[2], hash_prefix, progress))
        Path(path).write_bytes(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)

    assert torch.equal(read()["weight"], TENSORS["weight"])
    assert asked == [(cached.name, cached.stem.removeprefix("net-"), False)]


def test_no_network_is_said_with_the_address(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached.unlink()

    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ModelUnavailable, match=r"https://nowhere.*no route to host"):
        read()


def test_the_name_of_a_published_file_ends_in_its_hash() -> None:
    assert published.published_file("torchvision:resnet18", "IMAGENET1K_V1").name == "resnet18-f37072fd.pth"
