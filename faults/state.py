"""A profile as Postgres holds it, and as a message of profiles.updates tells it: in one form, to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast

from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class ProfileState:
    """What both tell of a profile. An identifier is its type, value hash (hex) and hash key version.

    The times of records are left out: they move with events that change nothing else and make no version.
    """

    profile_id: str
    version: int
    status: str
    merged_into: str | None
    record_ids: tuple[str, ...]
    identifiers: tuple[str, ...]
    golden_record: Mapping[str, str]

    def differences(self, other: ProfileState) -> list[tuple[str, object, object]]:
        """(field, ours, the other's) of each field but the version that differs."""
        named = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return [(name, a, b) for name, a, b in named if a != b and name != "version"]


def told(message: Mapping[str, object]) -> ProfileState:
    """The state that a decoded message tells."""
    identifiers = cast(Sequence[Mapping[str, object]], message["identifiers"])
    return ProfileState(
        profile_id=str(message["profile_id"]),
        version=cast(int, message["version"]),
        status=str(message["status"]),
        merged_into=cast(str | None, message["merged_into"]),
        record_ids=tuple(sorted(cast(Sequence[str], message["record_ids"]))),
        identifiers=tuple(
            sorted(f"{i['type']} {i['value_hash']} {i['hash_key_version']}" for i in identifiers)
        ),
        golden_record=cast(Mapping[str, str], message["golden_record"]),
    )


def stored(tx: Transaction) -> dict[str, ProfileState]:
    """Every profile of Postgres by its id."""
    return {
        profile: ProfileState(
            profile_id=profile,
            version=version,
            status="merged" if is_merged else "active",
            merged_into=merged_into,
            record_ids=tuple(sorted(records or ())),
            identifiers=tuple(sorted(identifiers or ())),
            golden_record=golden,
        )
        for profile, version, is_merged, merged_into, golden, records, identifiers in tx.rows(
            "faults_profiles"
        )
    }
