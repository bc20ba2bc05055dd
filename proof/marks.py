"""Marked values, one of each kind of personal data, and every form in which one is looked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Mark:
    """A value that nothing else in the house holds: as a source sends it, and the other forms that it is brought to.

    `digits`: a phone number, which may also stand the wrong way round, as keys made by number prefix have it.
    """

    field: str
    sent: str
    forms: tuple[str, ...] = ()
    digits: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """All of its forms, each once."""
        return tuple(dict.fromkeys((self.sent, self.sent.lower(), *self.forms)))


IDENTIFIERS = (
    Mark("phone", "+1 415 555 2671", ("4155552671", "415-555-2671"), digits=True),
    Mark("email", "Pxmail.Qone+tag@Zqdomain.example", ("pxmail.qone", "pxmailqone")),
    Mark("loyalty_id", "LQX-77310042", ("LQX77310042",)),
    Mark("crm_id", "CRMQX-5500199"),
    Mark("whatsapp", "+44 20 7183 8750", ("2071838750",), digits=True),
    Mark("marketplace_id", "MKTQX-8800233"),
    Mark("device_id", "DEVQX-9911-aa71-0b"),
    Mark("cookie_id", "CKQX.1234567.7654321"),
)
TRAITS = (
    Mark("first_name", "Zyxmarka"),
    Mark("middle_name", "Vhuqelin"),
    Mark("last_name", "Qvwmarkov"),
    Mark("date_of_birth", "1971-07-31", ("19710731", "31.07.1971")),
    Mark("address", "17 Quxbury Xylane", ("quxbury", "xylane")),
    Mark("city", "Zwolfingqen"),
    Mark("postcode", "QX7 7ZX", ("qx77zx",)),
    Mark("national_id", "078-05-1120", ("078051120",)),
    Mark("employer", "Jqvendor Holdingq"),
)
PAYLOAD = Mark("payload.note", "ring Zyxmarka at the reqqar door", ("reqqar",))
PURPOSE = Mark("consent.purpose", "Uqpurpose.Zyxmarkina")
"""Of a purpose that nobody declared: any text may stand there."""
MARKS = (*IDENTIFIERS, *TRAITS, PAYLOAD, PURPOSE)
SHORTEST = 6
"""A shorter form would be found by chance among hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes to be looked for; `folded`: in text of which the capitals were made small."""

    field: str
    encoding: str
    data: bytes
    folded: bool


def needles(marks: tuple[Mark, ...] = MARKS) -> tuple[Needle, ...]:
    """Every mark in every form and encoding, each once."""
    found = {
        n.data: n
        for mark in marks
        for text in mark.texts
        if len(text) >= SHORTEST
        for n in _encoded(mark, text)
    }
    return tuple(found.values())


def _encoded(mark: Mark, text: str) -> Iterator[Needle]:
    small = text.lower()
    for encoding, data in encodings(small).items():
        if not encoding.startswith("base64"):
            yield Needle(mark.field, encoding, data, folded=True)
    for cased in dict.fromkeys((text, small)):
        for encoding, data in encodings(cased).items():
            if encoding.startswith("base64"):
                yield Needle(mark.field, encoding, data, folded=False)
    if mark.digits and text.isdigit():
        yield Needle(mark.field, "reversed digits", text[::-1].encode(), folded=True)


def encodings(text: str) -> dict[str, bytes]:
    """A text as bytes, by the name of the encoding. UTF-16 of either order holds what is between the zeros at its ends;
    of base64 what is the same whatever stands before and behind it."""
    data = text.encode()
    found = {
        "UTF-8": data,
        "UTF-16": b"\0".join(data[i : i + 1] for i in range(len(data))),
        "hex": data.hex().encode(),
        "URL": quote(text, safe="").lower().encode(),
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        cut = encoded[-(-shift * 8 // 6) : len(encoded) - 4 if (len(data) + shift) % 3 else None]
        found[f"base64 at {shift}"] = cut
    return found
