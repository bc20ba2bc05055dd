"""Payloads: what is read, what is left out and said so, and that nothing makes it fail but what is no object."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.payload import MAX_ITEMS, Facts, Item, Order, read_payload


def read(**payload: object) -> Facts:
    return read_payload(orjson.dumps(payload).decode())


def wrong(facts: Facts) -> dict[str, ReasonCode]:
    return {issue.field: issue.reason for issue in facts.issues}


def test_reads_what_it_knows() -> None:
    facts = read(
        channel="app",
        store=12,
        record_id="rec-1-dup-0",
        amount="19.90",
        currency="usd",
        items=[{"sku": "cd-1", "quantity": 2, "price": 9.95}, {"sku": 77}],
        anything={"else": True},
    )
    items = (Item("cd-1", 2.0, 9.95), Item("77", 1.0, None))
    assert facts == Facts("app", "12", "rec-1-dup-0", Order(19.9, "USD", items))


def test_nothing_is_nothing() -> None:
    assert read_payload(None) == read_payload("{}") == Facts()
    assert read(currency="EUR", items=[]).order is None


def test_a_missing_amount_is_the_sum_of_the_items() -> None:
    order = read(items=[{"sku": "a", "quantity": 3, "price": 1.5}, {"sku": "b"}]).order
    assert order is not None
    assert order.amount == 4.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channel", "a channel"),
        ("store", "x" * 65),
        ("store", True),
        ("store", {"id": 1}),
        ("record_id", "two words"),
        ("amount", "1e400"),
        ("amount", "nan"),
        ("amount", False),
        ("amount", []),
        ("currency", "dollars"),
        ("items", "sku"),
    ],
)
def test_a_wrong_value_is_left_out_and_named(field: str, value: object) -> None:
    facts = read(**{field: value})
    assert wrong(facts) == {f"payload.{field}": ReasonCode.INVALID_VALUE}
    assert Facts(issues=facts.issues) == facts


def test_wrong_items_are_left_out_and_the_others_kept() -> None:
    items: list[object] = [
        {"sku": "a", "price": "?"},
        {"sku": "a b"},
        "c",
        {},
        {"sku": "d", "quantity": None},
    ]
    facts = read(items=items)
    assert facts.order == Order(0.0, None, (Item("a", 1.0, None), Item("d", 1.0, None)))
    assert set(wrong(facts)) == {"payload.items.price", "payload.items.sku"}


def test_items_are_bounded() -> None:
    facts = read(items=[{"sku": str(i)} for i in range(MAX_ITEMS + 1)])
    assert facts.order is not None
    assert len(facts.order.items) == MAX_ITEMS
    assert wrong(facts) == {"payload.items": ReasonCode.TOO_LONG}


@pytest.mark.parametrize("text", ["", "[]", "17", '"text"', "null", "{", '{"a": NaN}', "\x00"])
def test_only_an_object_is_a_payload(text: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_payload(text)
    assert caught.value.reason is ReasonCode.SCHEMA_VIOLATION


TEXT = st.text("019.-eaZ \n\x00é🎁", max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(["channel", "store", "record_id", "amount", "currency", "items"])
_ITEM_FIELDS = st.sampled_from(["sku", "quantity", "price", "category"])
ITEMS = st.lists(st.dictionaries(_ITEM_FIELDS, JSON, max_size=3), max_size=4)


@given(st.dictionaries(FIELDS, JSON | ITEMS, max_size=6))
def test_any_object_is_read_and_numbers_are_finite(payload: dict[str, object]) -> None:
    facts = read_payload(orjson.dumps(payload).decode())
    if facts.order is not None:
        numbers = [facts.order.amount] + [n for i in facts.order.items for n in (i.quantity, i.price or 0.0)]
        assert all(map(math.isfinite, numbers))


@pytest.mark.parametrize(
    "category",
    ["tea", "Tea & Coffee", "home/garden > pots", "Thé", "x" * 64, 12, "2025/26", "TV 4K 120 Hz 65"],
)
def test_a_category_is_kept_as_the_shop_calls_it(category: object) -> None:
    order = read(items=[{"sku": "a", "category": category}]).order
    assert order is not None
    assert order.items[0].category == str(category)


@pytest.mark.parametrize(
    "category",
    [
        "",
        " tea",
        "tea ",
        "ann@postbox.io",
        "x" * 65,
        "a\nb",
        ["tea"],
        True,
        4155550101,
        "415 555-0101",
        "tea 5550101",
        "555.01.01",
        "415_555_0101",
        "٤١٥٥٥٥٠١٠١",
    ],
)
def test_what_is_no_category_is_left_out_and_its_item_stays(category: object) -> None:
    facts = read(items=[{"sku": "a", "category": category}])
    assert facts.order is not None
    assert facts.order.items[0].category is None
    assert set(wrong(facts)) == {"payload.items.category"}
