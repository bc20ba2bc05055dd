"""Which addresses webhooks may be sent to: public ones, so that nobody reaches into the house's own network by us.

A name is looked up anew for each connection, and the address that was checked is the one connected to: what a name
led to when the webhook was added, or a moment ago, says nothing (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from pipeline.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LookUp = Callable[[str, int], Sequence[str]]
"""The addresses of a host; blocks. Raises OSError, UnicodeError."""

MOST_URL = 2_000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class TargetRefused(Exception):
    """An address that webhooks may not be sent to; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send: the parts of a URL. `host` is in ASCII, `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str, *, allow_private: bool) -> Target:
    """The parts of a URL that is of an allowed form. Raises BadInput, which says what would do."""
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise BadInput("url", "not a URL; send one such as https://example.com/hooks") from None
    if len(url) > MOST_URL:
        raise BadInput("url", f"over {MOST_URL} characters; send a shorter one")
    if parsed.scheme not in (("https", "http") if allow_private else ("https",)):
        raise BadInput(
            "url", "has to begin with https:// (http:// too where RB_WEBHOOK_ALLOW_PRIVATE is set)"
        )
    if not host or parsed.userinfo or parsed.fragment:
        raise BadInput("url", "needs a host, and takes neither a user nor a fragment (#); leave those out")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if not 0 < port < 65_536:
        raise BadInput("url", "a port is from 1 to 65535; send another one, or none")
    return Target(parsed.scheme, host.strip("[]"), port, parsed.raw_path.decode("ascii"))


def look_up(host: str, port: int) -> list[str]:
    """The addresses that a host has now, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def addresses(target: Target, *, allow_private: bool, resolve: LookUp = look_up) -> Sequence[str]:
    """The addresses to connect to; blocks. Raises TargetRefused where one of them is not public, or there is none."""
    try:
        found = resolve(target.host, target.port)
    except (OSError, UnicodeError) as exc:
        raise TargetRefused(f"{target.host} has no address ({type(exc).__name__})") from exc
    if not found:
        raise TargetRefused(f"{target.host} has no address")
    if not allow_private:
        for address in found:
            if not public(ipaddress.ip_address(address.partition("%")[0])):
                raise TargetRefused(f"{target.host} leads to {address}, which is not a public address")
    return found


def public(address: Address) -> bool:
    """Whether an address, and any IPv4 address inside it, is one of the public internet for a single receiver."""
    return all(
        one.is_global
        and not (
            one.is_multicast or one.is_reserved or one.is_loopback or one.is_link_local or one.is_unspecified
        )
        and not (isinstance(one, ipaddress.IPv6Address) and one.is_site_local)
        for one in _all(address)
    )


def _all(address: Address) -> Iterator[Address]:
    """The address, or those that it stands for: mapped, translated and tunnelled ones reach an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _NAT64 or address in _COMPATIBLE:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    else:
        yield address
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
