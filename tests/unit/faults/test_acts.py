"""Whether profiles stand as stewards said, and whether records are where the decisions told led them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from faults.acts import Said, contradictions
from faults.events import Link
from faults.finding import FindingKind
from faults.moves import Moves, astray
from faults.state import ProfileState, told
from tests.support.linked import state, uid


def standing(**records: str) -> dict[str, ProfileState]:
    """Profiles by their name, each with its records: one letter is one record."""
    return {uid(p): told(state(p, 1, held)) for p, held in records.items()}


def word(kind: str, left: str, right: str) -> Said:
    return Said(kind, frozenset(map(uid, left)), frozenset(map(uid, right)), f"{kind} {left} {right}", None)


CANNOT = word("cannot_link", "a", "b")
REVOKED = CANNOT._replace(is_revoked=True)


@pytest.mark.parametrize(
    ("words", "profiles", "kinds"),
    [
        ([CANNOT], {"p": "a", "q": "b"}, []),
        ([CANNOT], {"p": "abc"}, [FindingKind.PARTED_TOGETHER]),
        ([REVOKED], {"p": "abc"}, []),
        ([word("must_link", "a", "b"), REVOKED], {"p": "a", "q": "b"}, [FindingKind.JOINED_APART]),
        ([word("must_link", "a", "b")._replace(is_revoked=True)], {"p": "a", "q": "b"}, []),
        ([word("must_link", "a", "bc")], {"p": "abcd"}, []),
        ([word("must_link", "a", "bc")], {"p": "ab", "q": "c"}, [FindingKind.JOINED_APART]),
        ([word("must_link", "a", "b"), CANNOT], {"p": "a", "q": "b"}, []),
        ([word("must_link", "a", "bc"), CANNOT], {"p": "ac", "q": "b"}, []),
        ([word("must_link", "c", "d"), CANNOT], {"p": "ac", "q": "bd"}, []),
        (
            [word("must_link", "a", "bc"), CANNOT],
            {"p": "a", "q": "b", "r": "c"},
            [FindingKind.JOINED_APART] * 2,
        ),
    ],
)
def test_no_profile_contradicts_a_steward(
    words: list[Said], profiles: Mapping[str, str], kinds: list[FindingKind]
) -> None:
    assert [finding.kind for finding in contradictions(words, standing(**profiles))] == kinds


def moved(*steps: tuple[str, str, str, str]) -> Moves:
    """Decisions as (kind, the profile that goes on, the other one, the records that moved)."""
    moves = Moves()
    for kind, stays, other, records in steps:
        moves.take(
            {
                "kind": kind,
                "profile_id": uid(stays),
                "source_profile_id": uid(other),
                "record_ids": list(map(uid, records)),
            }
        )
    return moves


@pytest.mark.parametrize(
    ("moves", "stands", "found"),
    [
        (moved(), "p", False),
        (moved(), "q", True),
        (moved(("merged", "q", "p", "a")), "q", False),
        (moved(("merged", "p", "q", "a")), "q", True),
        (moved(("merged", "q", "p", "b")), "q", True),
        (moved(("split", "p", "q", "a")), "q", False),
        (moved(("rolled_back", "q", "r", "a"), ("merged", "q", "p", "a")), "r", False),
    ],
)
def test_an_event_is_where_it_was_linked_or_where_its_record_was_led(
    moves: Moves, stands: str, found: bool
) -> None:
    links = {uid("event"): frozenset({Link(uid("p"), uid("a"), "linked")})}
    kinds = [finding.kind for finding in astray(links, moves, standing(**{stands: "a"}))]
    assert kinds == [FindingKind.LINK_ASTRAY] * found
