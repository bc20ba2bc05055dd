"""Customers found by what is known of a person, however it is spelt: as a record that just came would find them.

What was asked is made a record: its match keys bring candidates together and the model weighs each against it, just as
resolve does (pipeline/blocks.py, pipeline/identity/compare.py). Nothing is locked or written, and nothing but keyed
hashes is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.blocks import blocks_of
from pipeline.codes import ReasonCode
from pipeline.identity.blocking import match_keys
from pipeline.identity.compare import compare, side
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, Comparison, IdentityRecord, LevelWeight, MatchKey
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.sharing import shared_of
from pipeline.ports import IdentityStore

_ASKED = Id(bytes(16))
"""Stands for what was asked; no record has it: ids are hashes."""


@dataclass(frozen=True, slots=True)
class Match:
    """The record of a profile that is most like what was asked, and how it compares. `weight` in bits; `confidence`
    that both are one person."""

    profile_id: Id
    record_id: Id
    weight: float
    confidence: float
    levels: tuple[LevelWeight, ...]
    veto: ReasonCode | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The profiles found, the likeliest first, equal ones by id.

    `compared` records were compared; `left_out` more share match keys as well and were not. `overfull` are the kinds of
    match keys that too many share to be looked up by.
    """

    matches: tuple[Match, ...]
    compared: int
    left_out: int
    overfull: tuple[str, ...]


def find_alike(
    asked: CanonicalRecord, store: IdentityStore, model: Model, policy: Policy, most: int
) -> Candidates:
    """The profiles with a record like what was asked, none of them left out for its score; `most` records are compared:
    those that share most match keys. Raises StoreUnavailable."""
    keys = match_keys(asked, store.secret)
    query = IdentityRecord(_ASKED, asked.identifiers, asked.traits)
    blocks = blocks_of({_ASKED: (query, keys)}, store, policy)
    via = {low if high == _ASKED else high: shared for (low, high), shared in blocks.pairs.items()}
    chosen = sorted(via, key=lambda r: (-_kinds(via[r]), r))[:most]
    mine = side((query.sharing(shared_of(query.identifiers, blocks.lost)),))
    compared = {
        r: compare(mine, side((content,)), model, policy)
        for r, content in (store.contents(chosen) if chosen else {}).items()
    }
    overfull = sorted({key.kind.name.lower() for key in blocks.overfull[_ASKED]})
    return Candidates(_best(compared, store), len(compared), len(via) - len(chosen), tuple(overfull))


def _kinds(shared: tuple[MatchKey, ...]) -> int:
    return len({key.kind for key in shared})


def _best(compared: Mapping[Id, Comparison], store: IdentityStore) -> tuple[Match, ...]:
    """The best record of each profile."""
    best: dict[Id, Match] = {}
    standing = store.standing(compared.keys()) if compared else {}
    for r, found in sorted(compared.items()):
        if r not in standing:
            continue
        home = standing[r].profile_id
        if home not in best or found.weight > best[home].weight:
            best[home] = Match(home, r, found.weight, found.confidence, found.levels, found.veto)
    return tuple(sorted(best.values(), key=lambda m: (-m.weight, m.profile_id)))
