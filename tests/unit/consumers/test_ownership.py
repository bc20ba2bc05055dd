"""Who owns what, folded without any server: counts move by differences, and always add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from consumers.ownership import Books, Bought, Changes, Fact, Gone, Profile, State
from tests.support.linked import expected_counts


class Shelf:
    """Texts and counts as Redis would keep them."""

    def __init__(self, most: int = 40) -> None:
        self._most = most
        self._texts: dict[tuple[str, str], str] = {}
        self.fetches = 0
        self.popular: Counter[str] = Counter()
        self.together: Counter[tuple[str, str]] = Counter()

    def fetch(self, profiles: Sequence[str], records: Sequence[str]) -> list[str | None]:
        self.fetches += 1
        keys = [*(("profile", p) for p in profiles), *(("record", r) for r in records)]
        return [self._texts.get(key) for key in keys]

    def fold(self, *facts: Fact) -> Changes:
        books = Books(self.fetch, self._most)
        changes = books.fold(facts)
        for p in books.changed_profiles:
            self._texts["profile", p] = books.profiles[p].text().decode()
        for r in books.changed_records:
            self._texts["record", r] = books.records[r].text().decode()
        self.popular.update(changes["popular"])
        for a, others in changes["together"].items():
            for b, by in others.items():
                self.together[a, b] += by
                self.together[b, a] += by
        return changes

    def owned(self) -> dict[str, set[str]]:
        texts = {name: text for (kind, name), text in self._texts.items() if kind == "profile"}
        return {name: items for name, text in texts.items() if (items := Profile.of(text).owned)}

    def check(self, **owned: str) -> None:
        expected = {profile: set(items) for profile, items in owned.items()}
        assert self.owned() == expected
        assert (+self.popular, +self.together) == expected_counts(expected)
        assert min([0, *self.popular.values(), *self.together.values()]) == 0


def bought(profile: str, version: int, record: str, items: str) -> Bought:
    return Bought(profile, version, record, frozenset(items))


MERGE = (
    State("a", 1, ["r"], ""),
    State("b", 1, ["s"], ""),
    bought("a", 1, "r", "xy"),
    bought("b", 1, "s", "yz"),
    State("a", 2, ["r", "s"], ""),
    State("b", 2, [], "a"),
)


@pytest.mark.parametrize("size", [1, 2, 6])
def test_a_merge_moves_what_was_counted_and_coming_again_changes_nothing(size: int) -> None:
    shelf = Shelf()
    for _ in range(2):
        for start in range(0, len(MERGE), size):
            last = shelf.fold(*MERGE[start : start + size])
        shelf.check(a="xyz")
    assert not last["popular"]
    assert not last["together"]


def test_a_batch_is_fetched_for_at_most_three_times() -> None:
    shelf = Shelf()
    shelf.fold(*MERGE)
    shelf.fetches = 0
    shelf.fold(State("a", 3, ["r"], ""), State("b", 3, ["s"], ""), bought("a", 3, "r", "w"))
    shelf.check(a="wxy", b="yz")
    assert shelf.fetches <= 3


def test_what_is_gone_takes_its_counts_along_and_stays_gone() -> None:
    shelf = Shelf()
    shelf.fold(*MERGE)
    shelf.fold(Gone("a"))
    shelf.check()
    shelf.fold(*MERGE[:4])
    shelf.check()


def test_a_link_ahead_of_its_state_counts_at_once_and_is_settled_by_the_state() -> None:
    shelf = Shelf()
    shelf.fold(bought("a", 3, "r", "xy"))
    shelf.check(a="xy")
    shelf.fold(State("a", 2, [], ""))  # older than the link: it says nothing of it
    shelf.check(a="xy")
    shelf.fold(State("a", 3, [], ""))
    shelf.check()


def test_the_bound_keeps_the_same_items_whatever_came_first() -> None:
    found = []
    for order in ("abcdefgh", "hgfedcba"):
        shelf = Shelf(most=3)
        for item in order:
            shelf.fold(bought("p", 1, "r", item))
        assert (+shelf.popular, +shelf.together) == expected_counts(shelf.owned())
        found.append(shelf.owned())
    assert found[0] == found[1]
    assert len(found[0]["p"]) == 3
