"""What the audit log tells is declared once, and every act of a steward is among it."""

from __future__ import annotations

from pipeline.audit.actions import MEANINGS, STEWARD, Action
from pipeline.audit.breach import MEANINGS as BREACHES
from pipeline.audit.breach import Breach
from pipeline.store.steward_actions import Deed


def test_every_action_and_breach_is_explained() -> None:
    assert set(MEANINGS) == set(Action)
    assert set(BREACHES) == set(Breach)


def test_every_act_of_a_steward_is_an_action() -> None:
    assert {STEWARD + deed for deed in Deed} == {a for a in Action if a.startswith(STEWARD)}
