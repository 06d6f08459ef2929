"""One whole service for all tests that only ask it questions."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from app.session import private_service


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where a service with the phantoms answers."""
    with private_service() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield client
