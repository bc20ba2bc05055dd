"""Which quotas a request counts in, and what its answer says of them.

The fields are those of draft-ietf-httpapi-ratelimit-headers: RateLimit-Limit, -Remaining and -Reset as of its version
06, which most clients read, RateLimit and RateLimit-Policy as of version 10.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from hashlib import blake2b

from gateway.limiter import WINDOW_S, Quota, Standing
from gateway.rights import Caller
from pipeline.settings import Settings


class Quotas:
    """`secret` keys what addresses are counted by: they are kept nowhere as they are."""

    def __init__(self, given: Settings, secret: bytes) -> None:
        self._per_key = given.rate_limit_per_minute
        self._per_address = given.address_limit_per_minute
        self._per_refused = given.refused_limit_per_minute
        self._secret = blake2b(secret, person=b"rb:address").digest()

    def of(self, caller: Caller | None, address: str) -> list[Quota]:
        """A known key's own quota, else that of the address for requests without one; and the address's for all."""
        found: list[Quota] = []
        if caller is not None:
            per_key = self._per_key if caller.per_minute is None else caller.per_minute
            if per_key:
                found.append(Quota("key", caller.name, per_key))
        elif self._per_refused:
            found.append(Quota("refused", self._named(address), self._per_refused))
        if self._per_address:
            found.append(Quota("address", self._named(address), self._per_address))
        return found

    def _named(self, address: str) -> str:
        return blake2b(_network(address).encode(), key=self._secret, digest_size=12).hexdigest()


def _network(address: str) -> str:
    """The address; of IPv6 its /64, as whoever has one address has them all."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((found, 64), strict=False))


def told(standing: Standing | None) -> Mapping[str, str]:
    """The header fields of an answer that say how the caller stands."""
    if standing is None:
        return {}
    quota = standing.quota
    fields = {
        "RateLimit-Limit": str(quota.per_minute),
        "RateLimit-Remaining": str(standing.remaining),
        "RateLimit-Reset": str(standing.reset_s),
        "RateLimit": f'"{quota.policy}";r={standing.remaining};t={standing.reset_s}',
        "RateLimit-Policy": f'"{quota.policy}";q={quota.per_minute};w={WINDOW_S}',
    }
    return {**fields, "Retry-After": str(standing.wait_s)} if standing.wait_s else fields
