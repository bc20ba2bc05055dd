"""Every field in which two configurations differ, by its path."""

from __future__ import annotations

from dataclasses import replace

from pipeline.identity.explain.weighing import Configuration
from pipeline.whatif.settings_diff import Setting, differing
from tests.support.people import model, policy
from tests.unit.whatif.test_simulation import heavier

ACTIVE = Configuration(model(), policy())


def test_equal_ones_differ_in_nothing_but_their_version() -> None:
    assert (
        differing(ACTIVE, Configuration(replace(model(), version="x"), replace(policy(), version="y"))) == ()
    )


def test_numbers_members_and_entries_are_told_by_their_path() -> None:
    other = replace(
        policy(),
        auto_merge=0.99,
        source_trust={**policy().source_trust, "kiosk": 10},
        role_mailboxes=policy().role_mailboxes - {"info"} | {"office2"},
        placeholders=policy().placeholders | {"zzz"},
    )
    found = differing(ACTIVE, Configuration(heavier("email", "exact", 1.5), other))
    weight = model().levels["email"]["exact"].weight
    assert found == (
        Setting("policy", "auto_merge", policy().auto_merge, 0.99),
        Setting("policy", "source_trust.kiosk", None, 10),
        Setting("policy", "placeholders.zzz", None, "listed"),
        Setting("policy", "role_mailboxes.info", "listed", None),
        Setting("policy", "role_mailboxes.office2", None, "listed"),
        Setting("model", "levels.email.exact.weight", weight, weight + 1.5),
    )
    assert [s.path for s in found if not s.is_simulated] == ["placeholders.zzz"]
