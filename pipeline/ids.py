"""Ids of new profiles, merges and reviews: UUID version 7 (RFC 9562), so that they index well and sort by time."""

from __future__ import annotations

import os
import time

from pipeline.identity.ids import Id


def new_id() -> Id:
    """48 bits of milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return Id((value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62).to_bytes(16))
