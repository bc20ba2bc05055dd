"""What a replay came to, in words."""

from __future__ import annotations

from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.replay.constraints import Followed
from pipeline.replay.difference import Counts, Difference, Word
from pipeline.replay.shown import ShownChange, ShownCustomer
from pipeline.replay.succession import Change, ChangeKind
from pipeline.replay.text import told, told_activation
from tests.support.ids import numbered

COUNTS = Counts(9, 8, 2, 1, 0, 0, 1, 3, 2, 40, 0, 5)
SAID = Constraint(ConstraintKind.CANNOT_LINK, frozenset((numbered(1),)), frozenset((numbered(2),)))
FOUND = Difference(
    counts=COUNTS,
    changes=(Change(ChangeKind.GONE, (numbered(3),), ()), Change(ChangeKind.SPLIT, (numbered(4),), ())),
    moved=(),
    altered={},
    renewed=(numbered(5),),
    gone=frozenset(),
    withheld=frozenset(),
    words=(
        Word(numbered(7), Followed(SAID, lost=frozenset((numbered(1),)), holds=False)),
        Word(numbered(8), Followed(SAID, one=frozenset((numbered(6),)))),
    ),
    kept=(("data_key_missing", 4),),
    before=1_200,
    plan="0123456789abcdef",
)


def test_everything_that_would_change_is_told() -> None:
    gone = ShownCustomer(numbered(3), 1, (("email", "a***@m***.net"),))
    text = told(FOUND, [ShownChange("gone", (gone,), ())], "other", "Look out.")
    for line in (
        "9 customers now, 8 by today's logic",
        "           2 come together with others",
        "          40 events come to another customer",
        "           5 events come to name nobody",
        "       1,200 events are older than asked for and keep their records",
        "           4 events could not be normalized anew and keep their records: data_key_missing",
        f"{numbered(3)} would be gone: nothing names it any more",
        f"    now  {numbered(3)}  1 event  a***@m***.net",
        "and 2 more; --json lists all by ids, --show N shows more",
        "Look out.",
        "  retail-brain replay --activate --shadow other --reason WHY --plan 0123456789abcdef",
    ):
        assert line in text.splitlines()
    assert "events come to name somebody" not in text
    words = " ".join(text.split())
    assert f"cannot-link {numbered(7)}: no event speaks any more of {numbered(1)}, which it names." in words
    assert f"cannot-link {numbered(7)} would say nothing any more: look at it again." in words
    assert f"cannot-link {numbered(8)}: what it parts is one record by today's logic, {numbered(6)}." in words


def test_an_activation_tells_what_was_published() -> None:
    text = told_activation(FOUND, {"identity.merges": 0, "profiles.updates": 1_003}, "tills", None)
    assert "Told: 1,003 on profiles.updates." in text
    assert 'the reason code reprocessed, and why: "tills".' in text
    assert "Told: nothing, for nothing changed." in told_activation(
        FOUND, {"profiles.updates": 0}, "tills", None
    )
