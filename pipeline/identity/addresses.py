"""Postal addresses of events: the parts given apart, what is missing from a whole line, abbreviations made one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pipeline.identity.address_words import LEADING_ZERO_STATES, NUMBER_WORDS, SHORT
from pipeline.identity.place_names import city, country, postcode, state
from pipeline.identity.street_line import TELLING, lowered, plain_unit, taken_apart, tokens, unit_alone
from pipeline.identity.text import whole_number, words
from pipeline.identity.whole_address import Address, split, whole

_LETTERS = re.compile(r"[a-zA-Z]+(?: [a-zA-Z]+)*")
_NOWHERE = Address()


@lru_cache(maxsize=16_384)
def street_line(text: str, number: str = "") -> Address:
    """Number, street and unit of one line such as `12a Main Street, Apt 4`; `number` where it is known."""
    if _LETTERS.fullmatch(text) and "str" not in (lower := text.casefold()):
        line = [SHORT.get(word, word) for word in lower.split()]
        if TELLING.isdisjoint(line):
            return Address(number, " ".join(line))
    found, street, unit = taken_apart([t for part in split(text) for t in part], number)
    return Address(number=found, street=street, unit=unit)


@lru_cache(maxsize=16_384)
def _house_number(text: str) -> tuple[str, str]:
    """A house number given apart, and the unit in it (`4/12`)."""
    if text.isdigit() and text.isascii():
        return text, ""
    found = [t for t in tokens(lowered(whole_number(text))) if t not in NUMBER_WORDS and t != "#"]
    if len(found) == 1 and "/" in found[0]:
        number, _, unit = taken_apart(found)
        return number, unit
    return found[0] if len(found) == 1 else "".join(words(" ".join(found))), ""


@lru_cache(maxsize=16_384)
def _unit(text: str) -> str:
    found = words(whole_number(text))
    if TELLING.isdisjoint(found) and "#" not in text and not (found and found[0][0].isdigit()):
        return "".join(found)
    return unit_alone(tokens(lowered(text))) or plain_unit("".join(found))


def of_traits(traits: Mapping[str, str]) -> Address:
    """The address of an event's traits: the separate parts first, what is missing from the whole line."""
    line = whole(traits["address"]) if "address" in traits else _NOWHERE
    own_number, in_number = _house_number(traits["street_number"]) if "street_number" in traits else ("", "")
    named = street_line(traits["street"], own_number) if "street" in traits else _NOWHERE
    own_unit = _unit(traits["unit"]) if "unit" in traits else ""
    region = state(traits["state"]) if "state" in traits else line.state
    code = postcode(traits["postcode"]) if "postcode" in traits else line.postcode
    if len(code) == 4 and region in LEADING_ZERO_STATES and code.isdigit():
        code = f"0{code}"
    number = own_number or named.number or line.number
    street = named.street or line.street
    if number != line.number and not named.street and street:
        street = street_line(street, number).street  # it may begin with the number that was given apart
    return Address(
        number=number,
        street=street,
        unit=own_unit or named.unit or in_number or line.unit,
        city=city(traits["city"]) if "city" in traits else line.city,
        state=region,
        postcode=code,
        country=country(traits["country"]) if "country" in traits else line.country,
    )
