"""Cursors: where the next page of a list begins, as text that nobody needs to understand.

A cursor names the last item of a page by its place in the list's order, never a count of items: what comes or goes in
front of it moves nothing. It belongs to one list as it was asked for, filters included, and a keyed hash says so: one
of another list is refused, and one that was made up. It holds times, scores and ids, and nothing that was searched.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import orjson

from pipeline.errors import BadInput
from pipeline.identity.hashing import keyed_number
from pipeline.privacy.keyring import KeyRing

MAX_CURSOR = 512
_DOMAIN = "cursor"
_MEND = "send a cursor as a page of this very list gave it, or none to begin at the front"

Place = Sequence[str | float | int]


class Cursors:
    """The cursors of one list: `asked` is all that makes it this list."""

    def __init__(self, ring: KeyRing, *asked: object) -> None:
        self._secret = ring.naming  # a page goes on after a rotation
        self._asked = orjson.dumps(asked, default=str, option=orjson.OPT_SORT_KEYS).decode()

    def write(self, place: Place) -> str:
        """The cursor behind an item."""
        body = orjson.dumps([*place]).decode()
        return urlsafe_b64encode(orjson.dumps([self._seal(body), body])).decode().rstrip("=")

    def read(self, cursor: str) -> list[object]:
        """The place it names. Raises BadInput."""
        try:
            seal, body = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            genuine = isinstance(body, str) and seal == self._seal(body)
        except (ValueError, TypeError):
            genuine = False
        if not genuine:
            raise BadInput("cursor", f"it is none of this list; {_MEND}")
        found: list[object] = orjson.loads(body)
        return found

    def _seal(self, body: str) -> str:
        return f"{keyed_number(self._secret, _DOMAIN, f'{self._asked}{body}'):x}"
