"""Which URLs a webhook may have, and which hosts a key may have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from app.access import ApiKey
from app.requests import Fields
from app.webhooks.urls import WebhookHost, check_url
from app.webhooks.wishes import webhook_of
from jobs.errors import Problem
from jobs.job import Webhook

HOSTS = ("example.org", "hooks.example.org:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org/path?token=a%20b",
        "https://EXAMPLE.org:443/x",
        "https://hooks.example.org:8443/",
    ],
)
def test_a_url_of_a_registered_host_is_taken(url: str) -> None:
    check_url(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://example.org/", "https"),
        ("ftp://example.org/", "https"),
        ("example.org/x", "https"),
        ("https://user:secret@example.org/", "user name"),
        ("https://user@example.org/", "user name"),
        ("https://@example.org/", "user name"),
        ("https://example.org/#part", "fragment"),
        ("https://example.org/#", "fragment"),
        ("https://example.org:8443/", "may not go to example.org:8443"),
        ("https://example.org:0/", "may not go to"),
        ("https://hooks.example.org/", "may not go to hooks.example.org"),
        ("https://evil.example/", "may not go to evil.example"),
        ("https://example.org.evil.example/", "may not go to"),
        ("https://evil.example/example.org", "may not go to"),
        ("https://evil.example\\@example.org/", "user name|must be a URL|may not go to"),
        ("https://example.org./", "may not go to"),
        ("https://127.0.0.1/", "may not go to"),
        ("https://[::1]/", "may not go to"),
        ("https://2130706433/", "may not go to"),
        ("https:///x", "may not go to|must be a URL"),
        ("https://example.org:99999/", "must be a URL|may not go to"),
        ("https://exa mple.org/", "printable ASCII"),
        ("https://example.org/\n", "printable ASCII"),
        ("https://exämple.org/", "printable ASCII"),
        ("", "must"),
    ],
)
def test_a_url_that_breaks_a_rule_is_refused_by_its_name(url: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_url(url, HOSTS)


@pytest.mark.parametrize("host", ["example.org", "a", "hooks-1.example.org:8443", "xn--bcher-kva.example"])
def test_a_host_is_a_name_with_or_without_a_port(host: str) -> None:
    assert TypeAdapter(WebhookHost).validate_python(host) == host


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "2130706433", "0x7f000001", "1.2", "example.org.", ".example.org"),
        *("Example.org", "*.example.org", "https://example.org", "example.org/x", "example.org:0", "a b", ""),
    ],
)
def test_nothing_else_is_a_host(host: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WebhookHost).validate_python(host)


def key(*hosts: str) -> ApiKey:
    return ApiKey(
        id="0" * 12,
        name="x",
        tenant="clinic",
        sha256="0" * 64,
        created=datetime.now(UTC),
        webhook_hosts=hosts,
    )


def wished(fields: Fields, owner: ApiKey | None) -> tuple[Webhook | None, dict[str, str]]:
    problems: list[Problem] = []
    webhook = webhook_of(fields, owner, problems)
    return webhook, {problem.field: problem.message for problem in problems}


def test_a_wish_carries_who_signs_for_it() -> None:
    webhook, wrong = wished({"webhook": "https://example.org/x"}, key("example.org"))
    assert webhook == Webhook(tenant="clinic", key="0" * 12, url="https://example.org/x")
    assert not wrong


def test_what_stands_in_the_way_of_a_wish_is_said() -> None:
    url = "https://example.org/x"
    assert "no key is asked for" in wished({"webhook": url}, None)[1]["webhook"]
    assert "no host registered" in wished({"webhook": url}, key())[1]["webhook"]
    assert "may not go to" in wished({"webhook": url}, key("example.com"))[1]["webhook"]
    assert "without `webhook`" in wished({"webhook_events": ("started",)}, key("a"))[1]["webhook_events"]
    assert wished({}, None) == (None, {})
