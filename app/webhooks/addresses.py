"""From the name of a host to an address that may be called: names are resolved by us, at every try."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

LOOKUPS = 32
HOUSE = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
            *("fc00::/7", "::1/128"),
        ),
    )
)
# What the standard library takes for public and is not: protocol assignments, 6to4 relays, documentation.
NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
IPV4_BITS = 0xFFFFFFFF
# Lookups cannot be cancelled; in threads of their own the ones that hang hold up nothing else.
_THREADS = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="webhook-names")


class Forbidden(Exception):
    """A name leads where webhooks must not go."""


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system tells them; raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(
        _THREADS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def addresses_of(host: str, port: int, resolve: Resolve, *, private: bool) -> list[Address]:
    """The addresses of a host; raises OSError when there is none, `Forbidden` when any may not be called.

    One that may not is enough: whoever mixes them wants us to take our pick.
    """
    found = [ip_address(text) for text in await resolve(host, port)]
    if not found:
        raise OSError(f"{host} has no address")
    for address in found:
        if not is_allowed(address, private=private):
            raise Forbidden(f"{host} leads to {address}, which is not public")
    return found


def is_allowed(address: Address, *, private: bool) -> bool:
    """Whether a webhook may go to an address: to a public one, or with `private` also within the house.

    Addresses that carry another one (IPv4-mapped, NAT64, 6to4) are as good as that one.
    """
    if (embedded := _embedded(address)) is not None:
        return is_allowed(embedded, private=private)
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address not in GLOBAL_UNICAST):
        return private and address.scope_id is None and _is_in(address, HOUSE)
    if address.is_global and not address.is_multicast and not _is_in(address, NOT_PUBLIC):
        return True
    return private and _is_in(address, HOUSE)


def _is_in(address: Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64:
        return IPv4Address(int(address) & IPV4_BITS)
    return address.ipv4_mapped or address.sixtofour
