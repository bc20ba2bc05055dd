"""Telephone lines in E.164 (ITU-T), by the package phonenumbers; and what people write around a number."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from pipeline.codes import ReasonCode
from pipeline.identity.text import whole_number

_JID = re.compile(r"^(\d{5,20})(?::\d+)?@(?:c\.us|s\.whatsapp\.net)$")
_LID = re.compile(r"^(\d{5,20})(?::\d+)?@lid$")
_LINK = re.compile(
    r"^(?:https?://)?(?:wa\.me/|(?:api|web|www)\.whatsapp\.com/send/?\?(?:[^#]*&)?phone=)\+?([\d ]+)"
)
_SCHEME = re.compile(r"^(?:whatsapp|wa|tel|phone|fax|mobile|callto):(?://)?", re.IGNORECASE)

_NOT_DIGIT = re.compile(r"\D+")
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_NORTH_AMERICAN_NATIONAL = re.compile(r"1?([2-9][0-9]{2}[2-9][0-9]{6})")
_PUNCTUATION = str.maketrans("", "", " ().-/")
_EXTENSION = re.compile(
    r"(?:extension|extn|ext|ex|x|poste|durchwahl|dw|ramal|anexo|interno|int|#)[ .:=]{0,2}#?\d{1,6}\)?$",
    re.IGNORECASE,
)
_KEYPAD = re.compile(r"[+\d][\d ().-]{2,}[a-z][a-z -]{2,}$", re.IGNORECASE)
_LABEL = re.compile(r"[^\W\d_]+[.:]?|\([^()\d]*\)")
_ABROAD = re.compile(r"^\+?\(?\+?00\)?[ -]?(?=[1-9])")
_BETWEEN = re.compile(
    r"\s*(?:[;|,&\n]|/|\\|\bor\b|\band\b|\boder\b|\bund\b|\bou\b|\bet\b|\bo\b|\by\b)\s*", re.IGNORECASE
)
_RUN = "01234567890123456789"
_SHORTEST, _LONGEST = 7, 64
_SHORTEST_PAIR = 15
_WITH_LETTERS = range(10, 13)


def is_region(code: str) -> bool:
    """True for an ISO 3166-1 alpha-2 code that has telephone numbers."""
    return code in phonenumbers.SUPPORTED_REGIONS


def is_monotonous(digits: str) -> bool:
    """True for digits nobody has: all the same but the first few, one pair repeated, or counting up or down."""
    return (
        len(set(digits[-7:])) == 1
        or digits in _RUN
        or digits in _RUN[::-1]
        or (len(digits) >= 10 and digits[:-2] == digits[2:])
    )


def phones_of(text: str) -> tuple[str, ...]:
    """The numbers in a field that holds several (parted by `/`, `;`, `or`), as written; nearly always itself."""
    if len(text) < _SHORTEST_PAIR:
        return (text,)
    parts = [part for part in _BETWEEN.split(text) if part]
    if len(parts) < 2 or any(sum(c.isdigit() for c in part) < _SHORTEST for part in parts):
        return (text,)
    return tuple(parts)


@lru_cache(maxsize=65_536)
def phone(
    text: str, region: str, home: str = "", placeholders: frozenset[str] = frozenset()
) -> str | ReasonCode:
    """E.164 without the extension, or why not.

    A number without + belongs to `region`, else to the region `home`, or else carries its country code bare; a
    reading that is in use counts more than one that is merely long enough.
    """
    if _NORTH_AMERICAN.fullmatch(text):
        return _kept(text, placeholders)  # E.164 already: the library would say the same, at length
    if len(text) > _LONGEST:
        return ReasonCode.INVALID_PHONE
    text = _bare(whole_number(text))
    digits = _NOT_DIGIT.sub("", text)
    if digits and is_monotonous(digits):
        return ReasonCode.PLACEHOLDER
    if len(digits) < _SHORTEST:
        return ReasonCode.INVALID_PHONE
    if region in ("US", "CA") and (
        national := _NORTH_AMERICAN_NATIONAL.fullmatch(text.translate(_PUNCTUATION))
    ):
        return _kept(f"+1{national[1]}", placeholders)
    found = _best(text, digits, region, home)
    return ReasonCode.INVALID_PHONE if found is None else _kept(found, placeholders)


def _kept(found: str, placeholders: frozenset[str]) -> str | ReasonCode:
    national = found[2:] if found.startswith("+1") else found[3:]
    return ReasonCode.PLACEHOLDER if is_monotonous(national) or national in placeholders else found


def _bare(text: str) -> str:
    """The number alone: without labels (`Tel.`, `(home)`) and extension, letters of a keypad as digits, 00 as +."""
    text = _SCHEME.sub("", text)
    if text.isascii() and not any(c.isalpha() or c == "#" for c in text):
        bare = text
    elif (
        _KEYPAD.fullmatch(text)
        and sum(c.isalnum() for c in text) in _WITH_LETTERS
        and sum(map(str.isdigit, text)) < 9
    ):
        bare = phonenumbers.convert_alpha_characters_in_number(text)
    else:
        bare = _LABEL.sub(" ", _EXTENSION.sub("", text))
    return _ABROAD.sub("+", bare.strip(" .,:;-"))


def _best(text: str, digits: str, region: str, home: str) -> str | None:
    """The first reading of a number that is in use, or else the first that is possible."""
    if text.startswith("+"):
        number = _parsed(text, None)
        return _e164(number) if number else None
    regions = [region, home] if home and home != region else [region]
    readings = [_parsed(text, r) for r in regions]
    readings.append(_parsed(f"+{digits}", None) if not digits.startswith("0") else None)
    possible = [number for number in readings if number is not None]
    if len(possible) > 1:
        possible.sort(key=lambda number: not phonenumbers.is_valid_number(number))
    return _e164(possible[0]) if possible else None


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = (
        phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    )
    return number if possible else None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


def whatsapp(text: str, region: str, home: str, placeholders: frozenset[str]) -> str | ReasonCode:
    """The number a WhatsApp id stands for (`whatsapp:+1…`, `491…@c.us`, a wa.me link), E.164.

    Ids that hide the number (`…@lid`) stay ids.
    """
    lowered = text.casefold()
    if hidden := _LID.match(lowered):
        return f"lid:{hidden[1]}"
    if whole := _JID.match(lowered) or _LINK.match(lowered):
        return phone(f"+{whole[1]}", region, home, placeholders)
    return phone(text, region, home, placeholders)
