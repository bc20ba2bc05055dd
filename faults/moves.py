"""Where records went after events were linked to their profiles, by the decisions that were told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from faults.events import Links
from faults.finding import Finding, FindingKind
from faults.state import ProfileState


class Moves:
    """What the messages of identity.merges say of each record, whatever their order."""

    def __init__(self) -> None:
        self._steps: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)

    def take(self, message: Mapping[str, object]) -> None:
        """A decoded message."""
        stays, other = str(message["profile_id"]), str(message["source_profile_id"])
        step = (other, stays) if message["kind"] == "merged" else (stays, other)
        for record in cast(Sequence[str], message["record_ids"]):
            self._steps[record].add(step)

    def lead(self, record: str, start: str, end: str) -> bool:
        """Whether they lead the record from one profile to the other."""
        reached, before = {start}, 0
        while len(reached) > before and end not in reached:
            before = len(reached)
            reached |= {there for here, there in self._steps[record] if here in reached}
        return end in reached


def astray(links: Links, moves: Moves, profiles: Mapping[str, ProfileState]) -> Iterator[Finding]:
    """Events that were told to be of a profile where their record does not stand, and from where no decision led it."""
    home = {record: profile for profile, state in profiles.items() for record in state.record_ids}
    for event, said in links.items():
        for link in said:
            stands = home.get(link.record)
            if stands is not None and not moves.lead(link.record, link.profile, stands):
                expected = f"profile {stands}, or one that its record was moved from"
                yield Finding(
                    FindingKind.LINK_ASTRAY, f"event {event}", f"told profile {link.profile}", expected
                )
