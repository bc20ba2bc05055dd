"""Where somebody stands in the topics: the next offset of each partition, as a text that only we read.

The text is base64url of: one byte of version; for each of `TOPICS` the number of its partitions (0: not read) and
their offsets, as LEB128; CRC-32 of all that, so that a mutilated one is told from one that is merely old.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping

from pipeline.changes.change import Place
from pipeline.changes.kinds import TOPICS
from pipeline.errors import BadInput

Position = Mapping[Place, int]

_VERSION = 1
_CHECK_BYTES = 4
MOST_TEXT = 4_096
_MOST_PARTITIONS = 512
_MOST_OFFSET = 2**63 - 1


def encode(position: Position) -> str:
    """The text of a position; of every topic in it all partitions from 0 on are there."""
    data = bytearray([_VERSION])
    for topic in TOPICS:
        offsets = [position[topic, n] for n in range(sum(place[0] == topic for place in position))]
        for number in (len(offsets), *offsets):
            _write(data, number)
    data += zlib.crc32(data).to_bytes(_CHECK_BYTES, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str, field: str) -> dict[Place, int]:
    """The position of a text that `encode` made. Raises BadInput, which names `field`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        if len(text) > MOST_TEXT or body[0] != _VERSION or zlib.crc32(body).to_bytes(4, "big") != check:
            raise ValueError
        found = _position(iter(body[1:]))
        if encode(found) != text:  # base64 reads several texts as the same
            raise ValueError
        return found
    except (ValueError, IndexError, StopIteration, binascii.Error):
        raise BadInput(
            field, "not the id of an event of this feed; send one as it came, or start with from=latest"
        ) from None


def _position(data: Iterator[int]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for topic in TOPICS:
        count = _read(data)
        if count > _MOST_PARTITIONS:
            raise ValueError
        found |= {(topic, n): _read(data) for n in range(count)}
    if next(data, None) is not None or not found or max(found.values()) > _MOST_OFFSET:
        raise ValueError
    return found


def _write(data: bytearray, number: int) -> None:
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)


def _read(data: Iterator[int]) -> int:
    number = shift = 0
    while (byte := next(data)) & 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
    return number | byte << shift
