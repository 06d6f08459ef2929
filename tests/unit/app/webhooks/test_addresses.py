"""Where webhooks may go: to public addresses, in every spelling; within the house when that is allowed."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from app.webhooks.addresses import Forbidden, addresses_of, is_allowed, resolve

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
HOUSE = [
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.1.2.3", "100.64.0.1"),
    *("::1", "fd00::1", "fc00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::"),
]
NEVER = [
    *("0.1.2.3", "0.255.255.255", "169.254.169.254", "224.0.0.1", "239.255.255.255", "255.255.255.255"),
    *("240.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "192.88.99.1", "192.0.0.8"),
    *(
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "2001::1",
        "::7f00:1",
        "::808:808",
    ),
    *(
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "64:ff9b:1::1",
        "100::1",
        "3fff::1",
    ),
    *("2606:4700::1%1", "::ffff:0.0.0.0", "5f00::1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_called(text: str) -> None:
    assert is_allowed(ip_address(text), private=False)
    assert is_allowed(ip_address(text), private=True)


@pytest.mark.parametrize("text", HOUSE)
def test_addresses_within_the_house_need_to_be_allowed(text: str) -> None:
    assert not is_allowed(ip_address(text), private=False)
    assert is_allowed(ip_address(text), private=True)


@pytest.mark.parametrize("text", NEVER)
def test_all_others_are_never_called(text: str) -> None:
    assert not is_allowed(ip_address(text), private=False)
    assert not is_allowed(ip_address(text), private=True)


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(Forbidden, match=r"10\.0\.0\.1"):
        await addresses_of("example.org", 443, mixed, private=False)
    assert len(await addresses_of("example.org", 443, mixed, private=True)) == 2


async def test_a_name_without_addresses_is_an_error() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(OSError, match="no address"):
        await addresses_of("example.org", 443, nothing, private=False)
    with pytest.raises(OSError, match=r"."):
        await resolve("name.invalid", 443)


async def test_the_system_knows_this_machine() -> None:
    assert "127.0.0.1" in await resolve("localhost", 443)
