"""What a retailer would say of two customers: the shipped policy and priors, judged by their outcome."""

from __future__ import annotations

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.compare import compare, side
from pipeline.identity.model import Comparison, IdentityRecord
from tests.support.ids import numbered
from tests.support.people import model, person, policy

ADDRESS = {"address": "1304 Poppy Hills Dr, Blacklick OH 43004"}
ADA = {"first_name": "Ada", "last_name": "Lovelace"}


def record(number: int, values: dict[str, str]) -> IdentityRecord:
    kinds = {"email", "phone", "whatsapp", "cookie_id", "device_id", "loyalty_id", "crm_id", "marketplace_id"}
    made = person(
        {k: v for k, v in values.items() if k in kinds}, **{k: v for k, v in values.items() if k not in kinds}
    )
    return IdentityRecord(numbered(number), made.canonical.identifiers, made.canonical.traits)


def evidence(a: dict[str, str], b: dict[str, str]) -> Comparison:
    one, other = side([record(1, a)]), side([record(2, b)])
    found = compare(one, other, model(), policy())
    assert found == compare(other, one, model(), policy())
    assert found.weight == pytest.approx(
        model().prior + sum(level.weight for level in found.levels), abs=0.01
    )
    return found


def outcome(a: dict[str, str], b: dict[str, str]) -> str:
    found = evidence(a, b)
    if found.veto is not None:
        return str(found.veto)
    if found.confidence >= policy().auto_merge:
        return "link"
    return "review" if found.confidence >= policy().review else "apart"


@pytest.mark.parametrize(
    "shared",
    [
        {"email": "ada@lovelace.example"},
        {"phone": "+1 702 919 1300"},
        {"loyalty_id": "L-1001"},
        {"crm_id": "C-1001"},
        {"cookie_id": "c-77ab12"},
        {"device_id": "d-77ab12"},
        {"marketplace_id": "m-77ab12"},
    ],
)
def test_a_lone_identifier_links_where_nothing_contradicts(shared: dict[str, str]) -> None:
    assert outcome(shared, {**shared, "city": "Hull"}) == "link"
    assert outcome(shared, {**shared, **ADA}) == "link"
    assert outcome({**shared, **ADA}, {**shared, **ADA}) == "link"


@pytest.mark.parametrize("kind", ["email", "phone", "cookie_id", "device_id"])
def test_a_household_shares_but_stays_apart(kind: str) -> None:
    shared = {kind: "ada@lovelace.example" if kind == "email" else "+1 702 919 1300", **ADDRESS}
    assert outcome(
        {**shared, "first_name": "Mary", "last_name": "Kusha"},
        {**shared, "first_name": "Mark", "last_name": "Kusha"},
    ) in ("apart", "review")
    assert outcome(
        {**shared, "first_name": "Ada", "last_name": "Kusha", "date_of_birth": "1980-03-04"},
        {**shared, "first_name": "George", "last_name": "Kusha", "date_of_birth": "1956-07-09"},
    ) == str(ReasonCode.VETO_CONTRADICTING_PERSON)


def test_a_whatsapp_account_is_a_phone() -> None:
    assert outcome({"whatsapp": "14155550123"}, {"phone": "+1 415 555 0123"}) == "link"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # a name alone names nobody
        (ADA, ADA, "apart"),
        ({**ADA, "gender": "f"}, {**ADA, "gender": "f"}, "apart"),
        # nor does a common one beside a town
        (
            {"first_name": "John", "last_name": "Smith", "city": "Hull"},
            {"first_name": "John", "last_name": "Smith", "city": "Hull"},
            "review",
        ),
        # with a date of birth or an address it does
        ({**ADA, "date_of_birth": "1985-06-21"}, {**ADA, "date_of_birth": "1985-06-21"}, "link"),
        ({**ADA, **ADDRESS}, {**ADA, **ADDRESS}, "link"),
        # misspelt, swapped, short for
        (
            {**ADA, "date_of_birth": "1985-06-21"},
            {"first_name": "Ada", "last_name": "Lovelase", "date_of_birth": "1985-06-21"},
            "link",
        ),
        (
            {**ADA, "date_of_birth": "1985-06-21"},
            {"first_name": "Lovelace", "last_name": "Ada", "date_of_birth": "1985-06-21"},
            "link",
        ),
        (
            {"first_name": "Robert", "last_name": "Lovelace", "date_of_birth": "1985-06-21"},
            {"first_name": "Bob", "last_name": "Lovelace", "date_of_birth": "1985-06-21"},
            "link",
        ),
        # the day and month the other way round
        ({**ADA, **ADDRESS, "date_of_birth": "1985-06-11"}, {**ADA, "date_of_birth": "1985-11-06"}, "link"),
        # father and son at one address
        (
            {**ADA, **ADDRESS, "date_of_birth": "1954-06-21"},
            {**ADA, **ADDRESS, "date_of_birth": "1988-02-02"},
            "review",
        ),
        (
            {"first_name": "Ada", "last_name": "Lovelace Sr", **ADDRESS},
            {"first_name": "Ada", "last_name": "Lovelace Jr", **ADDRESS},
            str(ReasonCode.VETO_CONTRADICTING_PERSON),
        ),
        # spouses
        (
            {"first_name": "Ada", "last_name": "Lovelace", **ADDRESS},
            {"first_name": "George", "last_name": "Lovelace", **ADDRESS},
            "apart",
        ),
        # a firm's mailbox
        (
            {"email": "info@lovelace.example", "first_name": "Ada"},
            {"email": "info@lovelace.example", "first_name": "Bo"},
            "apart",
        ),
    ],
)
def test_people(a: dict[str, str], b: dict[str, str], expected: str) -> None:
    assert outcome(a, b) == expected


def test_two_values_of_an_exclusive_identifier_are_two_customers() -> None:
    same = {**ADA, "date_of_birth": "1985-06-21", "email": "ada@lovelace.example"}
    assert outcome({**same, "loyalty_id": "L-1001"}, {**same, "loyalty_id": "L-1002"}) == str(
        ReasonCode.VETO_EXCLUSIVE_IDENTIFIER
    )
    assert outcome({**same, "loyalty_id": "L-1001"}, {**same, "loyalty_id": "L-1001"}) == "link"
    assert outcome({**same, "loyalty_id": "L-1001"}, same) == "link"


def test_missing_is_neutral() -> None:
    assert evidence({"first_name": "Ada"}, {"last_name": "Lovelace"}).levels == ()


def test_common_names_say_less_than_rare_ones() -> None:
    smith = {"first_name": "John", "last_name": "Smith"}
    rare = {"first_name": "Zbigniew", "last_name": "Lovelace"}
    assert evidence(smith, smith).weight < evidence(rare, rare).weight


def test_purchases_help_a_little_and_never_hurt() -> None:
    a, b = record(1, ADA), record(2, ADA)

    def bought(*products: int) -> IdentityRecord:
        return IdentityRecord(b.record_id, b.identifiers, b.traits, frozenset(products))

    one = side([IdentityRecord(a.record_id, a.identifiers, a.traits, frozenset((1, 2, 3, 4)))])
    weights = [
        compare(one, side([bought(*range(9, 9 - n, -1))]), model(), policy()).weight
        for n in (0, 1, 6, 7, 8, 9)
    ]
    assert weights[0] == weights[1]
    assert weights[1] < weights[2] < weights[3] < weights[4] == weights[5]


def test_a_chain_of_names_does_not_join_its_ends() -> None:
    born = {"date_of_birth": "1985-06-21", **ADDRESS, "last_name": "Lovelace"}
    chain = side([record(1, {**born, "first_name": "Ada"}), record(2, {**born, "first_name": "A"})])
    other = side([record(3, {**born, "first_name": "Augusta"})])
    direct = compare(side([record(2, {**born, "first_name": "A"})]), other, model(), policy())
    assert compare(chain, other, model(), policy()).weight < direct.weight


def test_below_the_floor_only_weight_and_confidence_are_told() -> None:
    a, b = (
        side([record(1, {"first_name": "Ann", "last_name": "Lee", "date_of_birth": "1984-05-01"})]),
        side([record(2, {"first_name": "Zoltan", "last_name": "Kowalski", "date_of_birth": "1951-11-30"})]),
    )
    whole = compare(a, b, model(), policy())
    told = compare(a, b, model(), policy(), floor=whole.weight + 1)
    assert (told.weight, told.confidence, told.levels, told.veto) == (
        whole.weight,
        whole.confidence,
        (),
        None,
    )
    assert compare(a, b, model(), policy(), floor=whole.weight) == whole


def test_a_record_remembers_its_side_and_stays_equal() -> None:
    one, other = (record(1, {"first_name": "Ann", "last_name": "Lee"}) for _ in range(2))
    assert side([one]) is side([one])
    assert one == other
    assert "own_side" not in repr(one)
