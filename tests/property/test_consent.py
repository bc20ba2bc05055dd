"""What holds of all that was said: whatever order it comes in, and whichever records stand together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.consent import ConsentState, Statement, allows, newest

START = datetime(2026, 1, 1, tzinfo=UTC)
STATEMENTS = st.lists(
    st.builds(
        Statement,
        st.sampled_from(["analytics", "marketing"]),
        st.sampled_from([*ConsentState]),
        st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
        st.sampled_from(["app", "web"]),
    ),
    max_size=12,
)


@given(STATEMENTS, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(said: list[Statement], chance: object) -> None:
    mixed = said + said[::2]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert newest(mixed) == newest(said)


@given(STATEMENTS, STATEMENTS)
def test_that_of_a_union_follows_from_its_parts(mine: list[Statement], theirs: list[Statement]) -> None:
    assert newest([*newest(mine).values(), *newest(theirs).values()]) == newest(mine + theirs)


@given(STATEMENTS)
def test_the_last_word_holds_and_of_two_at_once_the_withdrawal(said: list[Statement]) -> None:
    holds = newest(said)
    assert holds.keys() == {s.purpose for s in said}
    for purpose, held in holds.items():
        last = [
            s
            for s in said
            if s.purpose == purpose and s.at == max(o.at for o in said if o.purpose == purpose)
        ]
        assert held in last
        withdrawn = any(s.state is ConsentState.WITHDRAWN for s in last)
        assert (held.state is ConsentState.WITHDRAWN) == withdrawn


def test_while_nothing_was_said_the_policy_tells() -> None:
    purposes = {"marketing": ConsentState.WITHDRAWN, "analytics": ConsentState.GRANTED}
    assert not allows("marketing", {}, purposes)
    assert allows("marketing", {"marketing": ConsentState.GRANTED}, purposes)
    assert allows("analytics", {}, purposes)
    assert not allows("analytics", {"analytics": ConsentState.WITHDRAWN}, purposes)
    assert allows("not declared", {}, purposes)
