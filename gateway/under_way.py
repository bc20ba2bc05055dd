"""How much the requests under way may hold in memory: what is more is refused, so that it is sent again later.

It is a bound for requests of the API, `/v1/`. One elsewhere counts by its body alone: `/healthz` and `/metrics`, which
have none, are always answered.
"""

from __future__ import annotations

from pipeline import metrics

LEAST_BYTES = 4096
"""What a request of the API takes however small its body."""


class UnderWay:
    """Counts the bytes of requests that are not answered yet, up to `most`. Used by one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._held

    def fits(self, count: int, own: int = 0) -> bool:
        """Whether a request that holds `own` bytes may hold so many more. One alone may hold anything."""
        return not count or self._held <= own or self._held + count <= self._most

    def take(self, count: int, own: int = 0) -> bool:
        """Hold so many bytes more, if they fit; else False."""
        if not self.fits(count, own):
            return False
        self._held += count
        metrics.HTTP_UNDER_WAY_BYTES.set(self._held)
        return True

    def give(self, count: int) -> None:
        """So many bytes are held no longer."""
        self._held -= count
        metrics.HTTP_UNDER_WAY_BYTES.set(self._held)
