"""A model learnt, as the text of a model file. It tells of nobody in particular: no name is in it that few bear."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from pipeline.configuration import ModelFile, NamesFile, NameTable
from pipeline.identity.score import Model, NameStatistics
from pipeline.identity.training.names import BORNE_BY, LISTED

_DIGITS = 6
"""Significant digits of a rate: its weight is right to a hundred-thousandth of a bit."""

_NAMES = (
    "How many of 100,000 people bear a name: the names that the model at the start lists, and those that at least "
    f"{BORNE_BY} records and {LISTED:.1%} of them bear, by the share of records."
)

Trained = Mapping[str, str | int | float]
"""What a model file says for people to read: on what the model was trained, and how."""


def model_text(model: Model, name: str, trained: Trained) -> str:
    """The model file, names in the order of the alphabet: the same model is the same text."""
    file = ModelFile(
        name=name,
        prior=round(model.prior, _DIGITS),
        household_prior=round(model.household_prior, _DIGITS),
        limits=dict(model.limits),
        levels={
            attribute: {level: (_rounded(r.m), _rounded(r.u), _rounded(r.h)) for level, r in levels.items()}
            for attribute, levels in model.rates.items()
        },
        names=NamesFile(
            source=_NAMES, given_names=_table(model.given_names), surnames=_table(model.surnames)
        ),
        trained=dict(trained),
    )
    return orjson.dumps(file.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode() + "\n"


def _table(statistics: NameStatistics) -> NameTable:
    return NameTable(
        unlisted_per_100_000=_people(statistics.unlisted),
        per_100_000={name: _people(bits) for name, bits in sorted(statistics.bits.items())},
    )


def _people(bits: float) -> float:
    return _rounded(100_000 * 2.0**-bits)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
