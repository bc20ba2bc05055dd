"""Match keys on the wire: packed, since every event carries a dozen and only new records are asked for theirs."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from pipeline.identity.model import MatchKey, MatchKeyKind

_PACKED = struct.Struct(">bq")
_KINDS = {kind.value: kind for kind in MatchKeyKind}  # a look-up is far cheaper than MatchKeyKind(number)


def pack_match_keys(keys: Iterable[MatchKey]) -> bytes:
    """9 bytes a key: the kind, then the key, big-endian."""
    return b"".join([_PACKED.pack(k.kind, k.key) for k in keys])


def unpack_match_keys(packed: bytes) -> tuple[MatchKey, ...]:
    """The keys. Raises ValueError where the bytes are none."""
    try:
        return tuple([MatchKey(_KINDS[kind], key) for kind, key in _PACKED.iter_unpack(packed)])
    except (struct.error, KeyError) as exc:
        raise ValueError("no packed match keys") from exc
