"""Words the made-up people of the benchmark are put together from, read from names.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Names:
    """`cities` are (city, state, first postcode of a run of ninety)."""

    first_names: tuple[str, ...]
    surnames: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, int], ...]
    area_codes: tuple[str, ...]
    mail_hosts: tuple[str, ...]


@lru_cache(maxsize=1)
def names() -> Names:
    """Every word list, in the file's order."""
    words = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text("utf-8"))
    return Names(
        first_names=tuple(words["first_names"]),
        surnames=tuple(head + tail for head in words["surname_heads"] for tail in words["surname_tails"]),
        streets=tuple(f"{name} {kind}" for name in words["street_names"] for kind in words["street_kinds"]),
        cities=tuple((city, state, first) for city, state, first in words["cities"]),
        area_codes=tuple(words["area_codes"]),
        mail_hosts=tuple(words["mail_hosts"]),
    )
