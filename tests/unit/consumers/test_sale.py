from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from consumers.insights import counts, sale_of
from tests.support.linked import START, linked


def test_money_is_counted_in_whole_ten_thousandths() -> None:
    assert sale_of(1, linked("a", 1, "r", amount=0.1)).amount == 1_000
    assert sale_of(1, linked("a", 1, "r", amount=-12.3456)).amount == -123_456
    assert sale_of(1, linked("a", 1, "r")).amount is None


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), float("-inf")])
def test_an_amount_that_is_no_number_still_is_an_order(amount: float) -> None:
    assert sale_of(1, linked("a", 1, "r", amount=amount)).amount == 0


@pytest.mark.parametrize("currency", [None, "", "euro", "eur", "💶"])
def test_what_is_no_currency_code_is_no_currency(currency: str | None) -> None:
    assert sale_of(1, linked("a", 1, "r", amount=1, currency=currency)).currency == "XXX"


def test_the_channel_named_like_the_whole_does_not_count_twice() -> None:
    sale = sale_of(1, linked("a", 1, "r", channel="*", store="*"))
    assert (sale.channel, sale.store) == ("?", "?")
    assert sale_of(1, linked("a", 1, "r", channel=None)).channel == ""


def test_an_event_dated_after_its_own_commit_counts_at_its_commit() -> None:
    committed = datetime(2026, 6, 1, tzinfo=UTC)
    assert sale_of(1, linked("a", 1, "r", at=committed + timedelta(days=400))).at == committed.timestamp()
    assert sale_of(1, linked("a", 1, "r", at=START)).at == START.timestamp()


def test_an_event_that_is_told_again_since_it_was_reprocessed_counts_once() -> None:
    assert counts({**linked("a", 1, "r"), "reasons": ["exact_match"]})
    assert not counts({**linked("a", 1, "r"), "reasons": ["known_record", "reprocessed"]})
