"""One data set through the core, in four orders, and through Splink."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from bench.matching import with_splink
from bench.matching.datasets import DataSet
from bench.matching.result import CoreResult, RivalResult, true_pairs
from bench.matching.stream import prepare, run
from bench.matching.wrong_pairs import wrong_pairs
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.training.learn import learn

SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Measured:
    """A data set and what either side made of it."""

    data: DataSet
    core: CoreResult
    splink: RivalResult | None

    def numbers(self) -> dict[str, object]:
        """By name, for JSON."""
        truth = self.data.truth
        return {
            "rows": len(truth),
            "entities": len(set(truth.values())),
            "true_pairs": true_pairs(truth),
            "core": self.core.numbers(),
            "splink": self.splink.numbers() if self.splink else None,
        }


class Bench:
    """Measures one data set after the other, each with the same configuration.

    `train` first learns a model from each data set, starting from the one given. `pairs` takes the wrong pairs as JSON
    lines; `say` is told each step.
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        *,
        train: bool,
        batch: int,
        splink: bool,
        pairs: TextIO | None,
        say: Callable[[str], None],
    ) -> None:
        self._model, self._policy, self._train = model, policy, train
        self._batch, self._splink, self._pairs, self._say = batch, splink, pairs, say

    def measure(self, data: DataSet) -> Measured:
        """The core in the order of the file and in three others, and Splink on the same rows."""
        self._say(f"{data.name}: {len(data.rows):,} rows")
        prepared = prepare(data, self._policy)
        model = self._model
        if self._train:
            self._say(f"{data.name}: learning the model")
            model = learn(prepared.records(), model, self._policy).model
        runs = []
        for seed in (None, *SEEDS):
            order = "in the order of the file" if seed is None else f"shuffled by {seed}"
            self._say(f"{data.name}: {order}")
            runs.append(run(prepared, model, self._policy, seed, self._batch))
        if self._pairs:
            for wrong in wrong_pairs(prepared, runs[0], model, self._policy):
                self._pairs.write(json.dumps(wrong, ensure_ascii=False) + "\n")
        rival = None
        if self._splink:
            self._say(f"{data.name}: Splink")
            scored = with_splink.score(with_splink.columns_of(prepared))
            notes = [f"EM on {session} failed" for session in scored.untrained]
            rival = RivalResult.of(scored.pairs, data.truth, scored.cpu_s, notes)
        return Measured(data, CoreResult.of(prepared, runs), rival)
