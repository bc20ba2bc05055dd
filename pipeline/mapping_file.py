"""The mapping file: which column is what. Validated when read; a wrong one says which field and what would do."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic import Field as Given

from pipeline.configuration import read_yaml
from pipeline.errors import ConfigurationError
from pipeline.identity.model import IdentifierType
from pipeline.identity.national_ids import KINDS
from pipeline.identity.normalize import TRAIT_NAMES

IDENTIFIER_ALIASES: Mapping[str, str] = {
    "mobile": "phone", "telephone": "phone", "phone_number": "phone", "fax": "phone", "email_address": "email",
    "loyalty": "loyalty_id", "loyalty_card": "loyalty_id", "customer_id": "crm_id", "device": "device_id",
    "cookie": "cookie_id",
}  # fmt: skip
TRAIT_ALIASES: Mapping[str, str] = {
    "given_name": "first_name", "forename": "first_name", "surname": "last_name", "family_name": "last_name",
    "middle_initial": "middle_name", "name": "full_name", "suffix": "name_suffix", "dob": "date_of_birth",
    "birth_date": "date_of_birth", "sex": "gender", "address_line": "address", "house_number": "street_number",
    "street_name": "street", "apartment": "unit", "suburb": "city", "town": "city", "province": "state",
    "region": "state", "zip": "postcode", "zipcode": "postcode", "zip_code": "postcode",
    "postal_code": "postcode", "employer_name": "employer", "organization": "organisation",
    "organisation_name": "organisation", "organization_name": "organisation", "company": "organisation",
    "company_name": "organisation", "business_name": "organisation",
}  # fmt: skip
NATIONAL_IDS: Mapping[str, str] = {
    **{kind: kind for kind in ("ssn", "passport", "drivers_license", "tax_id", "identity_card")}, **KINDS,
}  # fmt: skip
"""Traits of a mapping that become `national_id` with their kind, so that only ids of one kind are compared."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Part):
    """One value of a row: columns joined by `separator`, blank ones left out, after `prefix`.

    `split`: an identifier column that holds several values, separated so.
    """

    columns: tuple[str, ...] = Given(min_length=1)
    separator: str = " "
    prefix: str = ""
    split: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        """`surname` is short for `{columns: [surname]}`, `{column: surname}` likewise."""
        if isinstance(value, str):
            return {"columns": [value]}
        if isinstance(value, dict) and "column" in value:
            rest = {k: v for k, v in value.items() if k != "column"}
            return {"columns": [value["column"]], **rest}
        return value


class Field(_Part):
    """A column, or the same constant for every row."""

    column: str = ""
    constant: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class Time(_Part):
    """The column of the event time, and its strptime format where it is not ISO 8601."""

    column: str
    format: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class Consent(_Part):
    """The column that says whether a purpose is granted: which of its values mean so, and which that it is withdrawn. A
    value that is neither says nothing. `at`: the column of when it was said, as the event time is."""

    column: str
    granted: tuple[str, ...] = ("granted", "yes", "y", "true", "1")
    withdrawn: tuple[str, ...] = ("withdrawn", "no", "n", "false", "0")
    at: Time | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Columns = Annotated[tuple[Column, ...], BeforeValidator(_as_list)]


class Mapping_(_Part):  # noqa: N801  # `Mapping` is the standard library's
    """Which column of a file is what. Names are canonical: aliases were resolved when it was read."""

    record_id: str
    source: Field = Field(constant="file")
    event_type: Field = Field(constant="record")
    event_time: Time | None = None
    identifiers: dict[str, Columns] = Given(default_factory=dict)
    traits: dict[str, Columns] = Given(default_factory=dict)
    payload: dict[str, str] = Given(default_factory=dict)
    consent: dict[str, Consent] = Given(default_factory=dict)
    delimiter: str = Given("", max_length=1)
    encoding: str = "utf-8-sig"
    region: str = Given("", pattern="^([A-Z]{2})?$")

    def columns(self) -> frozenset[str]:
        """Every column the mapping reads."""
        parts = (*self.identifiers.values(), *self.traits.values())
        named = {name for columns in parts for column in columns for name in column.columns}
        single = {self.record_id, self.source.column, self.event_type.column, *self.payload.values()}
        said = {c.column for c in self.consent.values()}
        times = {t.column for t in (self.event_time, *(c.at for c in self.consent.values())) if t}
        return frozenset((named | single | said | times) - {""})

    @model_validator(mode="after")
    def _canonical(self) -> Mapping_:
        identifiers = _renamed(self.identifiers, IDENTIFIER_ALIASES)
        traits: dict[str, tuple[Column, ...]] = {}
        for name, columns in _renamed(self.traits, TRAIT_ALIASES).items():
            kind = NATIONAL_IDS.get(name)
            if kind:
                labelled = tuple(c.model_copy(update={"prefix": f"{kind}:{c.prefix}"}) for c in columns)
                traits["national_id"] = (*traits.get("national_id", ()), *labelled)
            elif name == "po_box":
                boxes = tuple(c.model_copy(update={"prefix": f"PO Box {c.prefix}"}) for c in columns)
                traits["street"] = (*traits.get("street", ()), *boxes)
            else:
                traits[name] = (*columns, *traits.get(name, ()))
        _known("identifiers", identifiers, {t.value for t in IdentifierType}, IDENTIFIER_ALIASES)
        _known("traits", traits, TRAIT_NAMES, {**TRAIT_ALIASES, **NATIONAL_IDS, "po_box": "street"})
        if not identifiers and not traits:
            raise ValueError("names no identifier and no trait: there is nothing to match by")
        object.__setattr__(self, "identifiers", identifiers)
        object.__setattr__(self, "traits", traits)
        return self


def _renamed(
    given: Mapping[str, tuple[Column, ...]], aliases: Mapping[str, str]
) -> dict[str, tuple[Column, ...]]:
    found: dict[str, tuple[Column, ...]] = {}
    for name, columns in given.items():
        canonical = aliases.get(name, name)
        found[canonical] = (*found.get(canonical, ()), *columns)
    return found


def _known(section: str, given: Mapping[str, object], names: Set[str], also: Mapping[str, str]) -> None:
    if unknown := sorted(set(given) - names):
        known = ", ".join(sorted({*names, *also}))
        raise ValueError(f"{section} knows no {', '.join(unknown)}; it knows {known}")


def read_mapping(path: Path) -> Mapping_:
    """The mapping in a YAML file. Raises ConfigurationError that names the wrong field and what would do."""
    try:
        data = read_yaml(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text: {exc}") from exc
    try:
        return Mapping_.model_validate(data)
    except ValidationError as exc:
        faults = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'mapping'}: {e['msg']}" for e in exc.errors()
        )
        raise ConfigurationError(f"{path}: {faults} (docs/mapping.md describes the file)") from exc
