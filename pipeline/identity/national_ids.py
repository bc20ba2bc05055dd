"""Ids of governments: each kind apart, without spaces and dashes, stand-ins and masked ones left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pipeline.identity.text import whole_number, words

KINDS: Mapping[str, str] = {
    "social_security": "ssn", "social_security_number": "ssn", "soc_sec_id": "ssn", "ssn_number": "ssn",
    "passport_number": "passport", "passport_no": "passport", "passeport": "passport", "reisepass": "passport",
    "drivers_licence": "drivers_license", "driver_license": "drivers_license", "driver_licence": "drivers_license",
    "driving_licence": "drivers_license", "driving_license": "drivers_license", "dl": "drivers_license",
    "drivers_license_number": "drivers_license", "licence": "drivers_license", "license": "drivers_license",
    "tax_number": "tax_id", "tax_id_number": "tax_id", "tin": "tax_id", "ein": "tax_id", "vat": "tax_id",
    "vat_id": "tax_id", "nif": "tax_id", "cpf": "tax_id", "codice_fiscale": "tax_id", "pan": "tax_id",
    "id_card": "identity_card", "identity_card_number": "identity_card", "national_id_card": "identity_card",
    "dni": "identity_card", "personalausweis": "identity_card", "aadhaar": "identity_card",
}  # fmt: skip
"""Other names of a kind of id."""

_MASKED = re.compile(r"[*•●#]{2,}|x{3,}", re.IGNORECASE)
_KNOWN_STAND_INS = frozenset(("123456789", "987654321", "012345678", "1234567890", "078051120", "219099999"))
_SHORTEST = 4


@lru_cache(maxsize=16_384)
def national_ids(text: str) -> tuple[str, bool]:
    """Ids as sorted `kind:value`, joined by `|`, and whether some were left out as stand-ins.

    `ssn:294-66-9999|passport:C 1234` becomes `passport:c1234|ssn:294669999`; the kind is empty where the source did
    not say it. Who issued an id is no part of it: one system names the country and the next does not.
    """
    found: set[str] = set()
    refused = False
    for part in text.split("|"):
        kind, _, value = part.rpartition(":")
        if value.isdigit() and value.isascii():
            cleaned, masked = value, False
        else:
            cleaned, masked = "".join(words(whole_number(value.strip()))), bool(_MASKED.search(value))
        if not cleaned or masked or _is_stand_in(cleaned):
            refused = refused or bool(value.strip())
        else:
            found.add(f"{_kind(kind)}:{cleaned}")
    return "|".join(sorted(found)), refused


@lru_cache(maxsize=256)
def _kind(text: str) -> str:
    spelt = "_".join(words(text))
    return KINDS.get(spelt, spelt)


def _is_stand_in(value: str) -> bool:
    if value == value[0] * len(value):
        return value[0] == "0" or len(value) >= _SHORTEST
    return value in _KNOWN_STAND_INS
