"""Loads what the core is configured with: policy, match model, names. The core itself reads no file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date
from importlib import resources
from math import log2
from pathlib import Path
from typing import Annotated

import orjson
import yaml
from nicknames import NickNamer
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.errors import ConfigurationError
from pipeline.identity.consent import PURPOSES, ConsentState
from pipeline.identity.model import Criterion, IdentifierType, MatchKeyKind, Trait
from pipeline.identity.policy import GROUPS, IdentifierPolicy, Policy
from pipeline.identity.score import Model, NameStatistics, Rates, level_of
from pipeline.identity.twins import HoldersCompared
from pipeline.settings import Settings

Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


MOST_SHARED = 1000
"""The highest block cap: a key that crosses it calls up to half as many pairs times itself into question at once."""
MOST_HOLDERS = 5000
"""The highest of identifiers, whose holders are compared with a few who represent them."""


def _like(pattern: str, mend: str) -> AfterValidator:
    """Text that matches the whole pattern; `mend` says what would."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} will not do: write {mend}")
        return text

    return AfterValidator(check)


def _day(text: str) -> str:
    try:
        date.fromisoformat(re.sub(r"-00$", "-01", text.replace("-00-00", "-01-00")))
    except ValueError:
        raise ValueError(
            f"{text!r} will not do: write a day as YYYY-MM-DD, with 00 for what is not known of it"
        ) from None
    return text


Domain = Annotated[str, _like(r"[^@\s]+\.[^@\s.]+", "a domain such as gmail.com")]


Purpose = Annotated[str, _like(r"[A-Za-z0-9._-]{1,64}", "letters, digits, dots, dashes and underlines")]

MODEL_NAME = "[a-z0-9][a-z0-9._-]{0,63}"
"""What a model may be called: its version begins so."""

_GOLDEN_NAMES = frozenset([*(t.value for t in Trait), *(t.value for t in IdentifierType), *GROUPS])


def _golden_name(text: str) -> str:
    if text not in _GOLDEN_NAMES:
        known = ", ".join(sorted(_GOLDEN_NAMES))
        raise ValueError(
            f"{text!r} will not do: name a group or an attribute ({known}); default is for survivorship alone, "
            "of trust source_trust is the default"
        )
    return text


def _golden_name_or_default(text: str) -> str:
    return text if text == "default" else _golden_name(text)


def _criterion(text: object) -> object:
    if isinstance(text, str) and text.upper() in Criterion.__members__:
        return Criterion[text.upper()]
    raise ValueError(f"{text!r} will not do: write {', '.join(c.name.lower() for c in Criterion)}")


def _once_each(criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
    if len(set(criteria)) < len(criteria):
        raise ValueError("a criterion stands there twice: the first of it decides, leave the other out")
    return criteria


GoldenName = Annotated[str, AfterValidator(_golden_name)]
GoldenNameOrDefault = Annotated[str, AfterValidator(_golden_name_or_default)]
Criteria = Annotated[
    tuple[Annotated[Criterion, BeforeValidator(_criterion)], ...],
    Field(min_length=1),
    AfterValidator(_once_each),
]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _IdentifierFile(_File):
    exclusive: bool
    customers_per_identifier: Count
    identifiers_per_customer: Count
    weight: Annotated[float, Field(ge=0, le=1)]
    priority: Count


class _HoldersFile(_File):
    all: Annotated[int, Field(ge=1, le=100)]
    alike: Annotated[int, Field(ge=1, le=20)]
    others: Annotated[int, Field(ge=1, le=100)]


class _PurposeFile(_File):
    default: ConsentState


class _PolicyFile(_File):
    auto_merge: Share
    review: Share
    neighbourhood_limit: Annotated[int, Field(ge=2)]
    split_limit: Count = 20
    holders_compared: _HoldersFile = _HoldersFile(all=16, alike=3, others=20)
    identifiers: dict[IdentifierType, _IdentifierFile]
    block_caps: dict[str, Annotated[int, Field(ge=2, le=MOST_HOLDERS)]]
    source_trust: dict[str, int]
    source_trust_of: dict[GoldenName, dict[str, int]] = {}
    survivorship: dict[GoldenNameOrDefault, Criteria] = {}
    default_source_trust: int
    placeholders: list[str]
    placeholder_phones: list[Annotated[str, _like(r"\d+", "the national number, digits alone")]] = []
    placeholder_dates: list[Annotated[str, AfterValidator(_day)]]
    placeholder_emails: list[Annotated[str, _like(r"[^@]+@[^@]*|@[^@]+", "user@domain, user@ or @domain")]]
    role_mailboxes: list[Annotated[str, _like("[^@]+", "the part before the @ alone")]]
    dotless_domains: list[Domain]
    dash_tag_domains: list[Domain] = []
    domain_aliases: dict[Domain, Domain]
    purposes: dict[Purpose, _PurposeFile] = {
        name: _PurposeFile(default=state) for name, state in PURPOSES.items()
    }


class NameTable(_File):
    """How many of 100,000 people bear a name. Names not listed count as `unlisted_per_100_000` each."""

    unlisted_per_100_000: Annotated[float, Field(gt=0)]
    per_100_000: dict[str, Annotated[float, Field(gt=0)]]


class NamesFile(_File):
    """The names that tell least about a person; of given names also which there are. `source` says where from."""

    source: str
    given_names: NameTable
    surnames: NameTable


class ModelFile(_File):
    """A model as it is kept in a file. `levels`: attribute -> level -> [m, u, h] (pipeline/identity/score.py).

    `names` unset: the shipped ones. `trained` is for people to read: on what, when, by which options.
    """

    name: Annotated[str, Field(pattern=f"^{MODEL_NAME}$")]
    prior: float
    household_prior: float
    limits: dict[str, float]
    levels: dict[str, dict[str, tuple[Rate, Rate, Rate]]]
    names: NamesFile | None = None
    trained: dict[str, str | int | float] | None = None


def _text(path: Path | None, shipped: str) -> tuple[str, str]:
    """A configuration file's text, and what to call it in an error."""
    if path is None:
        return resources.files("pipeline.identity").joinpath("data", shipped).read_text("utf-8"), shipped
    try:
        return path.read_text("utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text: {exc}") from exc


def read_yaml(text: str, name: str) -> object:
    """What YAML text says; errors call it `name`. Raises ConfigurationError."""
    try:
        return yaml.safe_load(text)
    except RecursionError as exc:
        raise ConfigurationError(f"{name} is nested too deeply") from exc
    except (yaml.YAMLError, ValueError) as exc:  # a ValueError: the thirteenth month of a year
        raise ConfigurationError(f"{name} is no YAML: {exc}") from exc


def _wrong(name: str, exc: ValidationError) -> ConfigurationError:
    """Names each wrong field, what is wrong with it, and where a right one is to be seen."""
    faults = "; ".join(
        f"{'.'.join(str(p) for p in e['loc']) or 'the file'}: {e['msg']}" for e in exc.errors()
    )
    return ConfigurationError(f"{name}: {faults}. Compare with the shipped file in pipeline/identity/data.")


def _version(label: str, *contents: str) -> str:
    return f"{label}-{hashlib.sha256(chr(0).join(contents).encode()).hexdigest()[:12]}"


def load_policy(settings: Settings) -> Policy:
    """The policy of RB_POLICY_FILE or the shipped one. Thresholds set in the environment take precedence.

    Raises ConfigurationError that names the wrong field and what would do.
    """
    text, name = _text(settings.policy_file, "policy.yaml")
    try:
        file = _PolicyFile.model_validate(read_yaml(text, name))
    except ValidationError as exc:
        raise _wrong(name, exc) from exc
    given = settings.model_fields_set
    auto = settings.auto_merge_threshold if "auto_merge_threshold" in given else file.auto_merge
    review = settings.review_threshold if "review_threshold" in given else file.review
    if review > auto:
        raise ConfigurationError(f"{name}: review ({review}) must not lie above auto_merge ({auto})")
    _complete(name, "identifiers", {t.value for t in IdentifierType}, {t.value for t in file.identifiers})
    _complete(name, "block_caps", {k.name.lower() for k in MatchKeyKind}, set(file.block_caps))
    _within_caps(name, file)
    return _policy(file, auto, review, _version("policy", text, str(auto), str(review)))


def _complete(name: str, field: str, needed: set[str], given: set[str]) -> None:
    if missing := sorted(needed - given):
        raise ConfigurationError(f"{name}: {field} lacks {', '.join(missing)}")
    if unknown := sorted(given - needed):
        raise ConfigurationError(
            f"{name}: {field} knows no {', '.join(unknown)}; it knows {', '.join(sorted(needed))}"
        )


def _within_caps(name: str, file: _PolicyFile) -> None:
    """What could never come to be, and an alias of an alias, is a slip of whoever wrote it."""
    for kind, most in file.block_caps.items():
        if most > MOST_SHARED and kind != MatchKeyKind.IDENTIFIER.name.lower():
            raise ConfigurationError(
                f"{name}: block_caps.{kind}: {most} is too many; write at most {MOST_SHARED}"
            )
    cap = file.block_caps[MatchKeyKind.IDENTIFIER.name.lower()]
    for kind, identifier in file.identifiers.items():
        if identifier.customers_per_identifier >= cap:
            raise ConfigurationError(
                f"{name}: identifiers.{kind}.customers_per_identifier "
                f"({identifier.customers_per_identifier}) has to lie below block_caps.identifier ({cap})"
            )
    for alias, domain in file.domain_aliases.items():
        if domain in file.domain_aliases:
            raise ConfigurationError(
                f"{name}: domain_aliases.{alias}: {domain} is an alias itself; "
                f"write {file.domain_aliases[domain]}"
            )


def _policy(file: _PolicyFile, auto: float, review: float, version: str) -> Policy:
    return Policy(
        version=version,
        auto_merge=auto,
        review=review,
        neighbourhood_limit=file.neighbourhood_limit,
        split_limit=file.split_limit,
        holders_compared=HoldersCompared(**file.holders_compared.model_dump()),
        identifiers={t: IdentifierPolicy(**p.model_dump()) for t, p in file.identifiers.items()},
        block_caps={kind: file.block_caps[kind.name.lower()] for kind in MatchKeyKind},
        source_trust=file.source_trust,
        default_source_trust=file.default_source_trust,
        placeholders=frozenset(v.casefold() for v in file.placeholders),
        placeholder_phones=frozenset(file.placeholder_phones),
        placeholder_dates=frozenset(file.placeholder_dates),
        placeholder_emails=frozenset(v.casefold() for v in file.placeholder_emails),
        role_mailboxes=frozenset(v.casefold() for v in file.role_mailboxes),
        dotless_domains=frozenset(file.dotless_domains),
        dash_tag_domains=frozenset(file.dash_tag_domains),
        survivorship=file.survivorship,
        source_trust_of=file.source_trust_of,
        domain_aliases=file.domain_aliases,
        purposes={name: purpose.default for name, purpose in file.purposes.items()},
    )


def _model_file(text: str, name: str) -> ModelFile:
    try:
        return ModelFile.model_validate(orjson.loads(text))
    except orjson.JSONDecodeError as exc:
        raise ConfigurationError(f"{name} is no JSON: {exc}") from exc
    except ValidationError as exc:
        raise _wrong(name, exc) from exc


def load_model(settings: Settings) -> Model:
    """The match model of RB_MODEL_FILE or the shipped priors. Raises ConfigurationError that names what is wrong."""
    return parse_model(*_text(settings.model_file, "model.json"))


def parse_model(text: str, name: str) -> Model:
    """The match model of a model file's text; errors call it `name`."""
    shipped, file = _model_file(*_text(None, "model.json")), _model_file(text, name)
    _complete(name, "levels", set(shipped.levels), set(file.levels))
    for attribute, levels in shipped.levels.items():
        _complete(name, f"levels.{attribute}", set(levels), set(file.levels[attribute]))
    _complete(name, "limits", set(shipped.limits), set(file.limits))
    return _model(file, text)


def _model(file: ModelFile, text: str) -> Model:
    nicknames = _nicknames()
    spelt = "\n".join(f"{n}:{','.join(sorted(f))}" for n, f in sorted(nicknames.items()))
    name_text, _ = _text(None, "names.json")
    names = file.names or NamesFile.model_validate(orjson.loads(name_text))
    rates = {
        attribute: {level: Rates(*found) for level, found in levels.items()}
        for attribute, levels in file.levels.items()
    }
    return Model(
        version=_version(file.name, text, spelt, name_text),
        prior=file.prior,
        household_prior=file.household_prior,
        rates=rates,
        levels={
            attribute: {level: level_of(attribute, level, found) for level, found in levels.items()}
            for attribute, levels in rates.items()
        },
        limits=file.limits,
        given_names=_statistics(names.given_names),
        surnames=_statistics(names.surnames),
        nicknames=nicknames,
    )


def _statistics(names: NameTable) -> NameStatistics:
    """Bits of rarity, from how many of 100,000 people bear a name."""
    unlisted = -log2(names.unlisted_per_100_000 / 100_000)
    return NameStatistics(
        {name: min(unlisted, -log2(count / 100_000)) for name, count in names.per_100_000.items()}, unlisted
    )


def _nicknames() -> Mapping[str, frozenset[str]]:
    """Nickname -> the formal names it may be short for, itself included (package nicknames)."""
    found: dict[str, set[str]] = {}
    for formal, short in NickNamer().nickname_lookup.items():
        for nickname in short:
            found.setdefault(nickname, {nickname}).add(formal)
    return {name: frozenset(formal) for name, formal in found.items()}
