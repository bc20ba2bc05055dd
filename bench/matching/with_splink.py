"""The same rows through Splink 5, by one recipe for all data: what its documentation and examples recommend.

Both sides get the same cleaned values, and the recipe names columns only. It follows Splink's tutorial (comparisons by
kind of column, the order of training, a recall of 0.7 for the deterministic rules) and its examples historical_50k
(blocking by many strict rules, EM on names and on the date of birth without term frequencies), febrl3 (identity numbers
and postcode) and pseudopeople (middle initial, address as one text).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench.matching.hindsight import ScoredPair
from bench.matching.stream import Prepared
from pipeline.identity.model import IdentifierType, IdentityRecord, Trait
from pipeline.identity.partial_dates import is_whole

if TYPE_CHECKING:
    from splink import Linker
    from splink.internals.comparison_creator import ComparisonCreator

_NUMBER = "number_"
"""Prefix of the columns of national ids, one for each kind."""
_LOWEST_PROBABILITY = 0.001
_RECALL = 0.7
_RANDOM_PAIRS = 1e7
_SEED = 1

Columns = Mapping[str, list[str | None]]


@dataclass(frozen=True, slots=True)
class Scored:
    """Every pair that Splink gives a probability of at least 0.001, and the processor seconds of training and scoring.

    `untrained`: the EM sessions that failed, for want of pairs to learn from.
    """

    pairs: tuple[ScoredPair, ...]
    untrained: tuple[str, ...]
    cpu_s: float


def is_installed() -> bool:
    """Whether Splink can be asked."""
    return find_spec("splink") is not None


def columns_of(prepared: Prepared) -> dict[str, list[str | None]]:
    """The canonical values of each row by column: those that tell rows apart and that one row in a hundred fills."""
    rows = [
        _values(content) if (content := prepared.content(n)) else {} for n in range(len(prepared.arrivals))
    ]
    names = sorted({name for row in rows for name in row})
    found = {name: [row.get(name) for row in rows] for name in names}
    return {
        name: values
        for name, values in found.items()
        if len(set(values) - {None}) > 1 and len(values) - values.count(None) >= len(values) / 100
    }


def _values(content: IdentityRecord) -> dict[str, str]:
    """One row. Of several values of a kind, and of two readings of a date, the first."""
    traits = content.traits
    found = {trait.value: traits[trait] for trait in _AS_THEY_ARE if trait in traits}
    if (born := traits.get(Trait.DATE_OF_BIRTH)) and is_whole(born):
        found["date_of_birth"] = born.partition("|")[0]
    if middle := traits.get(Trait.MIDDLE_NAME):
        found["middle_initial"] = middle[0]
    if street := traits.get(Trait.STREET):
        found["address"] = f"{traits.get(Trait.STREET_NUMBER, '')} {street}".strip()
    for number in traits.get(Trait.NATIONAL_ID, "").split("|"):
        kind, _, value = number.rpartition(":")
        if value:
            found.setdefault(_NUMBER + kind, value)
    for identifier in content.identifiers:
        found.setdefault(identifier.type.value, identifier.value)
    return found


_AS_THEY_ARE = (
    Trait.FIRST_NAME,
    Trait.LAST_NAME,
    Trait.NAME_SUFFIX,
    Trait.GENDER,
    Trait.CITY,
    Trait.POSTCODE,
    Trait.EMPLOYER,
    Trait.ORGANISATION,
)


def score(columns: Columns) -> Scored:
    """Train without labels on these columns, and score every pair that the blocking rules bring together."""
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    started = time.process_time()
    numbers = sorted(name for name in columns if name.startswith(_NUMBER))
    contacts = [kind.value for kind in IdentifierType if kind.value in columns]
    rules = [*([name] for name in (*numbers, *contacts)), *_having(_BLOCKS, columns)]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="row",
        comparisons=[*_comparisons(columns, numbers, contacts)],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in rules],
        retain_matching_columns=False,
    )
    database = DuckDBAPI()
    rows = len(next(iter(columns.values())))
    table = database.register({"row": list(range(rows)), **columns})
    linker = Linker(table, settings, log_level=None)
    untrained = _train(linker, [[name] for name in (*numbers, "email")], columns)
    found = linker.inference.predict(threshold_match_probability=_LOWEST_PROBABILITY).as_dict()
    pairs = zip(found["row_l"], found["row_r"], found["match_weight"], strict=True)
    return Scored(
        tuple(ScoredPair(int(low), int(high), float(weight)) for low, high, weight in pairs),
        tuple(untrained),
        time.process_time() - started,
    )


_BLOCKS = (
    ("last_name",),
    ("date_of_birth",),
    ("first_name", "city"),
    ("first_name", "postcode"),
    ("substr(first_name, 1, 3)", "substr(last_name, 1, 4)"),
    ("substr(first_name, 1, 2)", "substr(last_name, 1, 2)", "substr(date_of_birth, 1, 4)"),
    ("address",),
)
_SURE = (("first_name", "last_name", "date_of_birth"),)
_EM = (("first_name", "last_name"), ("date_of_birth",))


def _having(rules: Sequence[Sequence[str]], columns: Columns) -> list[Sequence[str]]:
    """The rules whose columns are there."""
    return [rule for rule in rules if all(_column(part) in columns for part in rule)]


def _column(part: str) -> str:
    """The column of a part of a rule: `name` or `substr(name, ...)`."""
    return part.removeprefix("substr(").partition(",")[0]


def _train(linker: Linker, sure: Sequence[Sequence[str]], columns: Columns) -> list[str]:
    """The recommended order: prior, then u by random pairs, then m by EM. Returns the EM sessions that failed.

    On few records EM finds no pairs, or takes a probability to zero, which Splink refuses (ValueError): what a session
    was to estimate then stays as another left it, or as Splink sets it at first.
    """
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    if rules := _having([*sure, *_SURE], columns):
        linker.training.estimate_probability_two_random_records_match(
            [block_on(*rule) for rule in rules], recall=_RECALL
        )
    linker.training.estimate_u_using_random_sampling(max_pairs=_RANDOM_PAIRS, seed=_SEED)
    failed = []
    for rule in _having(_EM, columns):
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(*rule), estimate_without_term_frequencies=True
            )
        except (EMTrainingException, ValueError):
            failed.append(" and ".join(rule))
    return failed


def _comparisons(
    columns: Columns, numbers: Sequence[str], contacts: Sequence[str]
) -> list[ComparisonCreator]:
    """How each kind of column is compared, for those that are there."""
    import splink.comparison_library as cl

    def exactly(name: str) -> ComparisonCreator:
        return cl.ExactMatch(name).configure(term_frequency_adjustments=True)

    kinds: dict[str, Callable[[str], ComparisonCreator]] = {
        "first_name": lambda name: cl.NameComparison(name).configure(term_frequency_adjustments=True),
        "last_name": lambda name: cl.NameComparison(name).configure(term_frequency_adjustments=True),
        "name_suffix": cl.ExactMatch,
        "middle_initial": exactly,
        "date_of_birth": lambda name: cl.DateOfBirthComparison(name, input_is_string=True),
        "gender": cl.ExactMatch,
        "address": lambda name: cl.DamerauLevenshteinAtThresholds(name).configure(
            term_frequency_adjustments=True
        ),
        "city": exactly,
        "postcode": exactly,
        "employer": exactly,
        "organisation": cl.NameComparison,
    }
    kinds |= dict.fromkeys(contacts, exactly)
    kinds |= {"email": lambda name: cl.EmailComparison(name).configure(term_frequency_adjustments=True)}
    kinds |= {name: lambda name: cl.DamerauLevenshteinAtThresholds(name, [2]) for name in numbers}
    return [compared(name) for name, compared in kinds.items() if name in columns]
