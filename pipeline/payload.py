"""What the pipeline itself reads from an event's payload: where it happened, and what was bought.

Known fields: `channel`, `store`, `record_id` (the source's own id of the record), `amount`, `currency`, and `items`
with `sku`, `quantity`, `price`, `category`. All else stays in the raw event. A wrong value is left out with an issue.
They are stored in clear. Their forms keep out e-mail addresses and, of a category, numbers of seven digits and more;
not a name that a source writes there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.identity.model import Issue

MAX_ITEMS = 500
_PLACE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SKU = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NO_NUMBER = (
    r"(?!.{0,63}\d(?:[ &'/.+>_-]{0,4}\d){6})"  # of seven digits: a phone's, a card's, a date of birth
)
# as shops name them: Tea & Coffee, home/garden; stored in clear, and words in any script may be a name all the same
_CATEGORY = re.compile(_NO_NUMBER + r"\w(?:[\w &'/.+>-]{0,62}[\w])?")
_RECORD_ID = re.compile(r"[A-Za-z0-9._:/=-]{1,128}")  # stored in clear: an e-mail address is not taken
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")  # shops send prices as text, to keep them exact


class Item(NamedTuple):
    """One product of an order. `price` is for one piece, in the order's currency; `category` as the shop calls it."""

    sku: str
    quantity: float
    price: float | None
    category: str | None = None


class Order(NamedTuple):
    """What was bought; `amount` is the order's total, 0 where nothing tells it."""

    amount: float
    currency: str | None
    items: tuple[Item, ...]


class Facts(NamedTuple):
    """What a payload says, and what of it was left out."""

    channel: str | None = None
    store: str | None = None
    record_id: str | None = None
    order: Order | None = None
    issues: tuple[Issue, ...] = ()


_NOTHING = Facts()


def read_payload(text: str | None) -> Facts:
    """The facts in a payload. Raises BadMessage (SCHEMA_VIOLATION) where it is no JSON object."""
    if text is None:
        return _NOTHING
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "payload: text that is a JSON object is needed")
    return _Reader(payload).facts()


class _Reader:
    """Reads known fields and gathers issues about those that are wrong."""

    def __init__(self, payload: Mapping[str, object]) -> None:
        self._payload = payload
        self._issues: list[Issue] = []

    def facts(self) -> Facts:
        channel = self._text(self._payload, "channel", _PLACE)
        store = self._text(self._payload, "store", _PLACE)
        record_id = self._text(self._payload, "record_id", _RECORD_ID)
        order = self._order()
        return Facts(channel, store, record_id, order, tuple(self._issues))

    def _order(self) -> Order | None:
        amount = self._number(self._payload, "amount")
        currency = self._text(self._payload, "currency", _CURRENCY)
        items = self._items()
        if amount is None and not items:
            return None
        if amount is None:
            amount = math.fsum(i.quantity * i.price for i in items if i.price is not None)
        return Order(amount if math.isfinite(amount) else 0.0, currency and currency.upper(), items)

    def _items(self) -> tuple[Item, ...]:
        raw = self._payload.get("items")
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self._wrong("items")
            return ()
        if len(raw) > MAX_ITEMS:
            self._wrong("items", ReasonCode.TOO_LONG)
        return tuple(item for item in map(self._item, raw[:MAX_ITEMS]) if item is not None)

    def _item(self, raw: object) -> Item | None:
        sku = self._text(raw, "sku", _SKU, "items.") if isinstance(raw, dict) else None
        if sku is None or not isinstance(raw, dict):
            self._wrong("items.sku")
            return None
        quantity = self._number(raw, "quantity", "items.")
        return Item(
            sku,
            1.0 if quantity is None else quantity,
            self._number(raw, "price", "items."),
            self._text(raw, "category", _CATEGORY, "items."),
        )

    def _text(
        self, holder: Mapping[str, object], name: str, form: re.Pattern[str], path: str = ""
    ) -> str | None:
        value = holder.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # many systems number their stores and products
        if isinstance(value, str) and form.fullmatch(value):
            return value
        self._wrong(path + name)
        return None

    def _number(self, holder: Mapping[str, object], name: str, path: str = "") -> float | None:
        value = holder.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        self._wrong(path + name)
        return None

    def _wrong(self, field: str, reason: ReasonCode = ReasonCode.INVALID_VALUE) -> None:
        issue = Issue(f"payload.{field}", reason)
        if issue not in self._issues:
            self._issues.append(issue)
