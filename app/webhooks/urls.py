"""Which URLs a webhook may have; the same parser reads them here and when they are called."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

import httpx
from pydantic import Field

HTTPS_PORT = 443
HOST_PATTERN = (
    r"^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?(:[1-9][0-9]{0,4})?$"
)

WebhookHost = Annotated[
    str,
    Field(
        max_length=260,
        pattern=HOST_PATTERN,
        description="A name, never an address, and a port where it is not 443: `example.org:8443`.",
    ),
]


def check_url(text: str, hosts: Collection[str]) -> None:
    """Raise ValueError with the rule that a URL breaks; it may only go to one of `hosts`."""
    if not (text.isascii() and text.isprintable()) or " " in text or "\\" in text:
        raise ValueError("must be a URL of printable ASCII characters without spaces and backslashes")
    try:
        url = httpx.URL(text)
        place = place_of(url)
    except (httpx.InvalidURL, ValueError):
        raise ValueError("must be a URL") from None
    if url.scheme != "https":
        raise ValueError("must begin with https://")
    if "@" in re.split(r"[/?#]", text.partition("://")[2])[0]:
        raise ValueError("must not carry a user name or a password")
    if "#" in text:
        raise ValueError("must not have a fragment (#)")
    if place not in hosts:
        there_are = ", ".join(hosts) or "none"
        raise ValueError(
            f"may not go to {place}: the API key has other hosts registered ({there_are}); "
            "a port that is not 443 is registered with its host"
        )


def place_of(url: httpx.URL) -> str:
    """Host and port as they are registered."""
    host = url.raw_host.decode("ascii").lower()
    return host if url.port in (None, HTTPS_PORT) else f"{host}:{url.port}"
