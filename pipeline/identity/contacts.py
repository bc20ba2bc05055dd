"""Phones, e-mail addresses and opaque ids in the one form in which they are compared."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from pipeline.codes import ReasonCode
from pipeline.identity.policy import Policy
from pipeline.identity.text import clean

_EMAIL = re.compile(r"[^\s@<>\"(),;:]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_ANGLED = re.compile(r"<([^<>]*)>\s*$")
_WHATSAPP = re.compile(r"^(?:whatsapp:|wa:|https?://wa\.me/)|@(?:c\.us|s\.whatsapp\.net)$", re.IGNORECASE)
_NOT_DIGIT = re.compile(r"\D+")
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_RUN = "01234567890123456789"
_MAX_EMAIL = 254
_SHORTEST_PHONE = 7


def is_region(code: str) -> bool:
    """True for an ISO 3166-1 alpha-2 code that has telephone numbers."""
    return code in phonenumbers.SUPPORTED_REGIONS


def is_monotonous(digits: str) -> bool:
    """True for digits nobody has: all the same but the last few, or counting up or down."""
    return len(set(digits[-7:])) == 1 or digits in _RUN or digits in _RUN[::-1]


def _parsed(text: str, region: str | None) -> str | None:
    if _NORTH_AMERICAN.fullmatch(text):
        return text  # E.164 already: the library would say the same, at length
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


@lru_cache(maxsize=65_536)
def phone(text: str, region: str) -> str | ReasonCode:
    """E.164, or why not. A number without + belongs to `region`, or else carries its country code bare."""
    digits = _NOT_DIGIT.sub("", text)
    if digits and is_monotonous(digits):
        return ReasonCode.PLACEHOLDER
    if len(digits) < _SHORTEST_PHONE:
        return ReasonCode.INVALID_PHONE
    found = _parsed(text, region)
    if found is None and not text.startswith("+"):
        found = _parsed(f"+{digits}", None)
    if found is None:
        return ReasonCode.INVALID_PHONE
    national = found.removeprefix("+1") if found.startswith("+1") else found[3:]
    return ReasonCode.PLACEHOLDER if is_monotonous(national) else found


def whatsapp(text: str, region: str) -> str | ReasonCode:
    """The phone number a WhatsApp id stands for (`whatsapp:+1…`, `491…@c.us`), E.164."""
    return phone(_WHATSAPP.sub("", text), region)


def email(text: str, policy: Policy) -> str | ReasonCode:
    """Lower case, without display name and plus tag, one spelling for a provider's aliases; or why not."""
    angled = _ANGLED.search(text) if ">" in text else None
    lowered = (angled[1] if angled else text).strip().casefold().removeprefix("mailto:")
    if len(lowered) > _MAX_EMAIL:
        return ReasonCode.TOO_LONG
    user, _, domain = lowered.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return ReasonCode.INVALID_EMAIL
    if not _EMAIL.fullmatch(f"{user}@{domain}"):
        return ReasonCode.INVALID_EMAIL
    domain = policy.domain_aliases.get(domain, domain)
    user = user.partition("+")[0] or user
    if domain in policy.dotless_domains:
        user = user.replace(".", "")
    found = f"{user}@{domain}"
    refused = policy.placeholder_emails
    return (
        ReasonCode.PLACEHOLDER
        if found in refused or f"{user}@" in refused or f"@{domain}" in refused
        else found
    )


def opaque(text: str) -> str | ReasonCode:
    """An id as the source writes it; zeros, nines and the like are stand-ins."""
    kept = clean(text)
    marks = {c for c in kept if c.isalnum()}
    if not marks:
        return ReasonCode.INVALID_IDENTIFIER if not kept else ReasonCode.PLACEHOLDER
    return ReasonCode.PLACEHOLDER if marks in ({"0"}, {"x"}, {"X"}) else kept
