"""How much the requests under way may hold in memory: what is more is refused, so that it is sent again later."""

from __future__ import annotations

from pipeline import metrics

LEAST_BYTES = 4096
"""What a request takes however small its body."""


class UnderWay:
    """Counts the bytes of requests that are not answered yet, up to `most`. Used by one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._held

    def take(self, count: int, own: int = 0) -> bool:
        """Whether a request that holds `own` bytes may hold so many more; then it does. One alone may hold anything."""
        if count and self._held > own and self._held + count > self._most:
            return False
        self._held += count
        metrics.HTTP_UNDER_WAY_BYTES.set(self._held)
        return True

    def give(self, count: int) -> None:
        """So many bytes are held no longer."""
        self._held -= count
        metrics.HTTP_UNDER_WAY_BYTES.set(self._held)
