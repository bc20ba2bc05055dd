"""Explaining, piece by piece: evidence laid out, trees, stories, and words for everything the model can say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as Xml

import pytest

from pipeline.codes import ReasonCode
from pipeline.explain import words
from pipeline.explain.picture import drawn
from pipeline.identity.compare import compare, side
from pipeline.identity.explain.content import ATTRIBUTES, Part, part_of, values, with_part
from pipeline.identity.explain.explain import explain_sides
from pipeline.identity.explain.explanation import (
    Becomes,
    Change,
    Direction,
    Link,
    Meeting,
    Origin,
    SidesExplanation,
    StepKind,
    Verdict,
)
from pipeline.identity.explain.meeting import meeting, shared_keys
from pipeline.identity.explain.story import Arrived, Logged, story
from pipeline.identity.explain.tree import path, spanning_tree
from pipeline.identity.explain.weighing import Configuration, StoredComparison
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Edge,
    Identifier,
    IdentifierType,
    IdentityRecord,
    MatchKeyKind,
)
from pipeline.identity.twins import Circle, HoldersCompared
from tests.support.ids import number_of, numbered
from tests.support.people import model, person, policy

HOME = "1304 Poppy Hills Dr, Blacklick OH 43004"
ADA = {"first_name": "Ada", "last_name": "Lovelace", "date_of_birth": "1985-06-21"}
KINDS = {"email", "phone", "whatsapp", "cookie_id", "loyalty_id"}


def by() -> Configuration:
    return Configuration(model(), policy())


def record(number: int, **given: str) -> IdentityRecord:
    identifiers = {k: v for k, v in given.items() if k in KINDS}
    made = person(identifiers, **{k: v for k, v in given.items() if k not in KINDS})
    return IdentityRecord(numbered(number), made.canonical.identifiers, made.canonical.traits)


def explained(
    left: list[IdentityRecord], right: list[IdentityRecord], *constraints: Constraint
) -> SidesExplanation:
    return explain_sides(left, right, constraints, by(), lambda _, value: value)


def one_pair() -> SidesExplanation:
    return explained(
        [record(1, **ADA, address=HOME, email="ada@lovelace.org", loyalty_id="L-1")],
        [
            record(
                2,
                **{**ADA, "date_of_birth": "1985-06-22"},
                address=HOME,
                phone="+14155550123",
                loyalty_id="L-2",
            )
        ],
    )


def test_every_attribute_of_either_side_is_told_and_adds_up() -> None:
    found = one_pair().best
    told = {a.attribute: a for a in found.attributes}
    assert list(told) == [
        "given_name", "surname", "date_of_birth", "address", "email", "phone", "loyalty_id"
    ]  # fmt: skip
    assert (told["email"].left, told["email"].right, told["email"].level) == (("ada@lovelace.org",), (), None)
    assert told["date_of_birth"].level == "digit"
    assert found.household < 0
    total = found.prior + sum(a.bits for a in found.attributes) + found.household
    assert total == pytest.approx(found.weight, abs=1e-9)


def test_a_verdict_has_its_reason_and_its_veto() -> None:
    found = one_pair()
    assert (found.verdict, found.reason) == (Verdict.REVIEW, ReasonCode.VETO_EXCLUSIVE_IDENTIFIER)
    together, apart = found.would_change
    assert together.direction is Direction.TOGETHER
    assert together.smallest[0].changes == (Change("loyalty_id", Becomes.ABSENT),)
    assert apart.direction is Direction.APART
    assert apart.smallest


@pytest.mark.parametrize(
    ("kind", "given", "verdict", "reason"),
    [
        (ConstraintKind.CANNOT_LINK, {"email": "ada@lovelace.org"}, Verdict.APART, ReasonCode.CANNOT_LINK),
        (ConstraintKind.MUST_LINK, {"cookie_id": "c-1"}, Verdict.MERGE, ReasonCode.MUST_LINK),
    ],
)
def test_a_steward_s_word_counts_for_more_and_can_be_revoked(
    kind: ConstraintKind, given: Mapping[str, str], verdict: Verdict, reason: ReasonCode
) -> None:
    one, other = record(1, **ADA, email="ada@lovelace.org"), record(2, first_name="Ada", **given)
    found = explained(
        [one], [other], Constraint(kind, frozenset((one.record_id,)), frozenset((other.record_id,)))
    )
    assert (found.verdict, found.reason) == (verdict, reason)
    (would,) = found.would_change
    assert [c.changes for c in would.smallest] == [(Change(kind.value, Becomes.LIFTED),)]


def test_profiles_are_judged_by_their_best_pair_and_as_wholes() -> None:
    left = [record(1, **ADA, loyalty_id="L-1"), record(2, **ADA, email="ada@lovelace.org")]
    right = [record(3, email="ada@lovelace.org"), record(4, loyalty_id="L-2", email="ada@lovelace.org")]
    found = explained(left, right)
    assert found.best_pair[0] == left[1].record_id
    assert found.best.veto is None
    assert found.wholes.veto is ReasonCode.VETO_EXCLUSIVE_IDENTIFIER
    assert (found.verdict, found.reason) == (Verdict.REVIEW, ReasonCode.VETO_EXCLUSIVE_IDENTIFIER)
    assert (found.pairs, found.compared) == (4, 4)
    assert found.would_change[0].smallest[0].changes == (Change("loyalty_id", Becomes.ABSENT),)


@pytest.mark.parametrize(("more", "origin"), [(0.0, Origin.CONFIRMED), (0.5, Origin.DIFFERS)])
def test_what_was_stored_is_what_counts(more: float, origin: Origin) -> None:
    one, other = record(1, **ADA, email="ada@lovelace.org"), record(2, email="ada@lovelace.org")
    now = compare(side((one,)), side((other,)), model(), policy())
    then = now._replace(weight=now.weight + more)
    edge = Edge(one.record_id, other.record_id, then)
    kept = StoredComparison(then, model().version, policy().version)
    found = explain_sides([one], [other], (), by(), lambda _, v: v, [(edge, kept)])
    assert (found.best.weight, found.best.origin) == (then.weight, origin)


def test_evidence_of_another_version_is_computed_again_by_the_one_that_decided() -> None:
    one, other = record(1, **ADA, email="ada@lovelace.org"), record(2, email="ada@lovelace.org")
    now = compare(side((one,)), side((other,)), model(), policy())
    stale = now._replace(weight=1.0)
    kept = (Edge(one.record_id, other.record_id, stale), StoredComparison(stale, "older", policy().version))
    found = explain_sides([one], [other], (), by(), lambda _, v: v, [kept])
    assert (found.best.weight, found.best.origin) == (now.weight, Origin.COMPUTED)


def test_an_identifier_that_many_share_says_less_and_would_say_more_if_they_did_not() -> None:
    till = Identifier(IdentifierType.EMAIL, "front7@shop.org")
    one, other = (
        record(1, first_name="Ada", email=till.value).sharing(((till, 30.0),)),
        record(2, first_name="Ada", email=till.value, cookie_id="c-1").sharing(((till, 30.0),)),
    )
    found = explained([one], [other])
    email = next(a for a in found.best.attributes if a.attribute == "email")
    assert (email.level, email.bits, found.verdict) == ("shared", 0.0, Verdict.APART)
    (would,) = found.would_change
    assert (Change("email", Becomes.UNSHARED),) in [c.changes for c in would.smallest]
    assert (
        words.change(Change("email", Becomes.UNSHARED), both=True) == "the e-mail were not shared by so many"
    )


def test_what_brings_two_together_is_told_and_what_is_over_full() -> None:
    one, other = record(1, **ADA, email="ada@lovelace.org"), record(2, **ADA, address=HOME)
    keys = shared_keys(one, other, b"secret")
    assert {key.kind.name for key in keys} >= {"NAME_DATE_OF_BIRTH", "NAMES"}
    met = meeting(one, other, b"secret")
    assert (met.candidates, met.overfull) == (True, ())
    worn = meeting(one, other, b"secret", {key.key for key in keys})
    assert (worn.candidates, worn.overfull) == (False, met.shared)
    stranger = record(3, first_name="Bert", cookie_id="c-9")
    assert meeting(one, stranger, b"secret") == Meeting((), (), candidates=False)


def test_who_shares_an_identifier_with_many_is_said_to_meet_others() -> None:
    one, twin = record(1, email="ada@lovelace.org", **ADA), record(9, email="ada@lovelace.org", **ADA)
    keys = {key for key in shared_keys(one, twin, b"secret") if key.kind is MatchKeyKind.IDENTIFIER}
    (mail,) = {key.key for key in keys}

    def circle(*, speaks: bool) -> Circle:
        return Circle(dict.fromkeys(map(numbered, range(1, 10)), "Ada"), HoldersCompared(2, 3, 3), speaks)

    near = meeting(one, record(3, email="ada@lovelace.org"), b"secret", (), {mail: circle(speaks=True)})
    assert (near.candidates, near.by_others) == (True, False)
    far = meeting(one, twin, b"secret", (), {mail: circle(speaks=True)})
    assert (far.candidates, far.by_others) == (False, True), "whatever else they have in common"
    worn = meeting(one, twin, b"secret", (), {mail: circle(speaks=False)})
    assert (worn.candidates, worn.by_others) == (True, False)
    fallen = meeting(one, twin, b"secret", {mail})
    assert (fallen.candidates, fallen.by_others) == (True, False)


def test_what_may_come_or_be_mended_is_likelier_than_that_a_difference_is_none() -> None:
    one = record(1, **{**ADA, "first_name": "John"}, cookie_id="c-1", phone="+14155550123")
    other = record(2, first_name="John", last_name="Smith", date_of_birth="1985-06-21", cookie_id="c-2")
    found = explained([one], [other])
    together = found.would_change[0]
    ranked = [c.changes[0] for c in together.smallest]
    assert ranked.index(Change("phone", Becomes.SAME)) < ranked.index(Change("cookie_id", Becomes.SAME))


# ── content ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_attribute_of_the_model_has_its_content_and_its_words() -> None:
    assert set(model().levels) == set(ATTRIBUTES) == set(words.ATTRIBUTE)
    levels = [(a, level) for a, reached in model().levels.items() for level in reached]
    assert [pair for pair in levels if not words.has_words(*pair)] == []


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_part_can_be_taken_away_and_put_back(attribute: str) -> None:
    whole = record(
        1, **ADA, middle_name="May", name_suffix="Jr", gender="f", national_id="ssn:294669999", employer="Acme",
        address=HOME, email="ada@lovelace.org", phone="+14155550123", whatsapp="+14155550124", cookie_id="c-1",
        loyalty_id="L-1",
    ).having_bought(frozenset((1, 2)))  # fmt: skip
    whole = whole.sharing(tuple((i, 2.0) for i in whole.identifiers if i.type is not IdentifierType.WHATSAPP))
    without = with_part(whole, attribute, Part())
    assert part_of(without, attribute) == Part()
    assert values((without,), attribute) == ()
    for other in ATTRIBUTES:
        if other != attribute:
            assert part_of(without, other) == part_of(whole, other)
    assert with_part(without, attribute, part_of(whole, attribute)) == whole


# ── trees ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def link(low: int, high: int, weight: float | None) -> Link:
    return Link(numbered(low), numbered(high), weight, None if weight is None else 0.9)


def ends(links: tuple[Link, ...]) -> list[tuple[int, int]]:
    return [(number_of(edge.low), number_of(edge.high)) for edge in links]


def test_the_tree_takes_the_strongest_links_and_names_the_weakest() -> None:
    links = [link(1, 2, 9), link(2, 3, 5), link(1, 3, 4), link(3, 4, 2), link(1, 9, 99)]
    tree = spanning_tree([numbered(n) for n in (1, 2, 3, 4)], links)
    assert ends(tree.links) == [(1, 2), (2, 3), (3, 4)]
    assert tree.weakest is not None
    assert ends((tree.weakest.link,)) == [(3, 4)]
    assert ([number_of(r) for r in tree.weakest.one], [number_of(r) for r in tree.weakest.other]) == (
        [1, 2, 3],
        [4],
    )
    assert tree.weakest.others == 0
    assert ends(path(tree, numbered(1), numbered(4))) == [(1, 2), (2, 3), (3, 4)]
    assert path(tree, numbered(1), numbered(9)) == ()


def test_a_link_that_others_stand_in_for_parts_nothing() -> None:
    tree = spanning_tree([numbered(n) for n in (1, 2, 3)], [link(1, 2, 9), link(2, 3, 5), link(1, 3, 4)])
    assert tree.weakest is not None
    assert (ends((tree.weakest.link,)), tree.weakest.others) == ([(2, 3)], 1)


def test_a_must_link_is_stronger_than_any_evidence_and_groups_may_be_apart() -> None:
    tree = spanning_tree([numbered(n) for n in (1, 2, 3, 4)], [link(1, 2, 50), link(2, 3, None)])
    assert ends(tree.links) == [(2, 3), (1, 2)]
    assert [[number_of(r) for r in g] for g in tree.groups] == [[1, 2, 3], [4]]
    assert spanning_tree([numbered(1)], []).weakest is None


# ── stories ───────────────────────────────────────────────────────────────────────────────────────────────────────

START = datetime(2026, 1, 1, tzinfo=UTC)


def arrived(number: int, second: int, decision: str) -> Arrived:
    return Arrived(numbered(number), START + timedelta(seconds=second), decision, (decision,), "web")


def logged(number: int, second: int, kind: StepKind, evidence: Link, before: set[int]) -> Logged:
    at = START + timedelta(seconds=second)
    held = frozenset(numbered(n) for n in before)
    return Logged(
        numbered(number), kind, at, numbered(102), numbered(101), (numbered(2),), held, (evidence,), "resolve", "why",
        False, "m", "p",
    )  # fmt: skip


def test_a_record_that_brought_a_merge_is_told_of_before_it() -> None:
    arrivals = [
        arrived(1, 0, "created"),
        arrived(2, 1, "created"),
        arrived(3, 6, "merged"),
        arrived(4, 9, "linked"),
    ]
    bridge = link(2, 3, 5.0)
    steps = story(
        arrivals,
        [
            logged(900, 5, StepKind.MERGED, bridge, {1, 2}),
            logged(901, 7, StepKind.ROLLED_BACK, bridge, {1, 2, 3}),
        ],
        [link(1, 3, 9.0), bridge, link(3, 4, 4.0)],
    )
    told = [(s.kind, number_of(s.records[0])) for s in steps]
    assert told == [
        (StepKind.CREATED, 1), (StepKind.CREATED, 2), (StepKind.LINKED, 3), (StepKind.MERGED, 2),
        (StepKind.ROLLED_BACK, 2), (StepKind.LINKED, 4),
    ]  # fmt: skip
    assert [ends(s.evidence) for s in steps if s.kind is StepKind.LINKED] == [[(1, 3), (2, 3)], [(3, 4)]]
    assert steps[3].evidence == (bridge,)


# ── the picture ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_picture_tells_what_the_numbers_tell_and_no_value() -> None:
    found = one_pair()
    picture = drawn(found)
    root = Xml.fromstring(picture)
    described = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
    for said in ("date of birth +6.5", "loyalty id −6.0", "e-mail 0.0", "household", "one customer at +2.0"):
        assert said in described
    for value in ("ada", "lovelace", "1985", "poppy", "L-1"):
        assert value not in picture.lower().replace("policy", "")


def test_odds_and_percentages_are_said_without_false_certainty() -> None:
    assert words.odds(0.0) == "1.0 to 1 for one customer"
    assert words.odds(10.0) == "1,024 to 1 for one customer"
    assert words.odds(-3.0) == "8.0 to 1 against one customer"
    assert [words.percent(c) for c in (1.0, 0.0, 0.5, 0.9951, 0.002)] == [
        "over 99.99 %", "under 0.01 %", "50.0 %", "99.51 %", "0.20 %"
    ]  # fmt: skip
