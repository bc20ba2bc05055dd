"""What attributes, levels, verdicts and changes are called where people read them."""

from __future__ import annotations

from pipeline.identity.explain.explanation import Becomes, Change, Direction, Verdict

ATTRIBUTE = {
    "given_name": "given name",
    "surname": "surname",
    "middle_name": "middle name",
    "name_suffix": "name suffix",
    "date_of_birth": "date of birth",
    "gender": "gender",
    "address": "address",
    "national_id": "national id",
    "employer": "employer",
    "organisation": "organisation",
    "email": "e-mail",
    "phone": "phone",
    "loyalty_id": "loyalty id",
    "crm_id": "CRM id",
    "marketplace_id": "marketplace id",
    "device_id": "device",
    "cookie_id": "cookie",
    "purchases": "purchases",
}

_LEVEL = {
    "exact": "the same",
    "different": "different",
    "close": "the same but for a slip or two",
    "nickname": "one is a short form of the other",
    "sound": "spelt differently, sound alike",
    "part": "have a part in common",
    "middle": "one's given name is the other's middle name",
    "initial": "the initial agrees",
    "other_initial": "the initial differs",
    "alike": "a little alike",
    "other_name": "alike, but two names of their own",
    "shared": "the same, but shared by many",
}
_LEVEL_OF = {
    ("given_name", "swapped"): "changed places with the surname",
    ("surname", "swapped"): "changed places with the given name",
    ("date_of_birth", "swapped"): "day and month changed places",
    ("date_of_birth", "digit"): "one digit differs",
    ("date_of_birth", "part"): "two of day, month and year agree",
    ("date_of_birth", "near"): "about a month, or ten years, apart",
    ("date_of_birth", "year"): "about a year apart",
    ("date_of_birth", "age_gap"): "a generation apart",
    ("date_of_birth", "same_month"): "year and month agree, the day is not known",
    ("date_of_birth", "same_year"): "the year agrees, the rest is not known",
    ("address", "other_unit"): "the same house, another unit",
    ("address", "number_close"): "the same street, a like number",
    ("address", "no_number"): "the same street, no number given",
    ("address", "street"): "the same street, another number",
    ("address", "number_postcode"): "the same number and postcode",
    ("address", "postcode"): "the same postcode",
    ("address", "city"): "the same or a neighbouring town",
    ("address", "apart"): "another town",
    ("email", "role"): "the same mailbox of a firm",
    ("email", "user"): "the same user at another provider",
    ("phone", "national"): "the same but for the country code",
    ("phone", "tail"): "the last seven digits agree",
    ("phone", "close"): "one digit differs",
    ("purchases", "1"): "one product in common",
    ("purchases", "2"): "two products in common",
    ("purchases", "3"): "three products or more in common",
}

VERDICT = {
    Verdict.MERGE: "one customer",
    Verdict.REVIEW: "a question for a steward",
    Verdict.APART: "two customers",
}

DIRECTION = {
    Direction.TOGETHER: "They would be one customer",
    Direction.APART: "They would no longer be one customer",
}


def attribute(name: str) -> str:
    """An attribute as people call it."""
    return ATTRIBUTE.get(name, name.replace("_", " "))


def level(name: str, reached: str | None, *, both: bool) -> str:
    """How far an attribute agrees. Without a level it is neutral."""
    if reached is None:
        return "not comparable: counts for nothing" if both else "missing on one side: counts for nothing"
    return _LEVEL_OF.get((name, reached)) or _LEVEL.get(reached) or reached.replace("_", " ")


def has_words(name: str, reached: str) -> bool:
    """Whether a level has words of its own."""
    return (name, reached) in _LEVEL_OF or reached in _LEVEL


def change(made: Change, *, both: bool) -> str:
    """A change as the condition it is. `both`: the attribute is known of both sides."""
    if made.becomes is Becomes.LIFTED:
        return f"the {made.attribute.replace('_', '-')} between them were revoked"
    known = "were" if both else "were known of both and"
    said = {
        Becomes.ABSENT: "were not known",
        Becomes.SAME: f"{known} the same",
        Becomes.DIFFERENT: f"{known} different",
        Becomes.UNSHARED: "were not shared by so many",
    }
    return f"the {attribute(made.attribute)} {said[made.becomes]}"


def odds(weight: float) -> str:
    """Log2 odds as odds people can picture."""
    ratio = 2.0 ** min(abs(weight), 60.0)
    most = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"{most} to 1 for one customer" if weight >= 0 else f"{most} to 1 against one customer"


def percent(confidence: float) -> str:
    """A probability, never rounded to a certainty."""
    if confidence > 0.9999:
        return "over 99.99 %"
    if confidence < 0.0001:
        return "under 0.01 %"
    return f"{confidence * 100:.1f} %" if 0.01 < confidence < 0.99 else f"{confidence * 100:.2f} %"
