"""What a customer buys as a unit vector: products and categories hashed into 768 dimensions; what two share.

Feature hashing (Weinberger, Dasgupta, Langford, Smola and Attenberg 2009, "Feature Hashing for Large Scale Multitask
Learning", ICML): a keyless hash names a feature's dimension, one more bit its sign, so that features that fall together
cancel as often as they add, and the inner product of two vectors is unbiased. No dictionary is kept, so a vector is a
function of its customer alone: nobody else's purchases, and no order of events, can change it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 768
MOST_ORDERS = 1_000
"""The newest orders of a customer that count: what somebody buys is what they bought lately, and it bounds the work."""

Bought = Mapping[str, int]
"""How many orders hold each feature: `sku:T-1` a product, `category:tea` a category."""


def embedding(bought: Bought) -> NDArray[np.float32] | None:
    """The vector of what was bought, of length 1 and shape (768,); None where nothing was.

    A feature weighs log(1 + orders): the tenth order of one thing says less than the first of another. Features are
    added in the order of their names, so that equal purchases are equal vectors to the last bit.
    """
    vector = np.zeros(DIMENSIONS)
    for feature in sorted(bought):
        dimension, sign = _place(feature)
        vector[dimension] += sign * math.log1p(bought[feature])
    length = float(np.linalg.norm(vector))
    # all of it may cancel, as two features do that share a dimension: that says as little as nothing
    return (vector / length).astype(np.float32) if length else None


@lru_cache(maxsize=1 << 16)
def _place(feature: str) -> tuple[int, float]:
    """The dimension and sign of a feature: of the first 64 bits of its BLAKE2b, the lowest is the sign."""
    number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
    return (number >> 1) % DIMENSIONS, 1.0 if number & 1 else -1.0


class Common(NamedTuple):
    """A product or category that two customers buy, and in how many orders each."""

    kind: str
    name: str
    orders: int
    others_orders: int


def in_common(one: Bought, other: Bought) -> list[Common]:
    """What speaks for two customers buying alike: what weighs most in both first, then by name."""
    shared = one.keys() & other.keys()
    heaviest = sorted(shared, key=lambda f: (-math.log1p(one[f]) * math.log1p(other[f]), f))
    return [Common(*_named(f), one[f], other[f]) for f in heaviest]


def _named(feature: str) -> tuple[str, str]:
    kind, _, name = feature.partition(":")
    return kind, name
