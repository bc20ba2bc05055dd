"""The campaign: rounds of load and faults on houses of its own, each judged by the checker and both `verify`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

from bench.house import running
from bench.workload import Event, Workload
from faults.between import Between
from faults.checker import check
from faults.disk import SmallDisk
from faults.people import Doubtful, mixed
from faults.plan import ROUNDS_A_HOUSE, Round, round_of, workers_of
from faults.rest import come_to_rest
from faults.stewards import stewards
from faults.strikes import Scene, strikers
from faults.writers import History, writers
from pipeline.audit.verification import verify_stored
from pipeline.configuration import load_model, load_policy
from pipeline.errors import PipelineStalled
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.verify.verification import verify

_REST_S = 120.0
_KNOWN = 100  # customers a house knows before its first round


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a round: events `acknowledged`, `acts` of stewards that are done and those `refused`, loads
    `given_up`, and strikes that `missed`, with why.

    `findings` are lines of text, of the checker and both `verify`; empty where every promise held. A load that is given
    up is one: servers come back long before a writer loses patience. Not `at_rest`: what was sent does not go all its
    way, nothing more can be judged, and the campaign ends.
    """

    plan: Round
    workers: int
    acknowledged: int
    acts: int
    refused: int
    given_up: int
    missed: tuple[str, ...]
    seconds: float
    findings: tuple[str, ...]
    at_rest: bool


def campaign(
    seed: int, first: int, rounds: int, events: int, told: Callable[[str], None]
) -> Iterator[Outcome]:
    """The rounds `first`, `first` + 1, ... of the campaign `seed`; `first` must be the first of a house."""
    for start in range(first, first + rounds, ROUNDS_A_HOUSE):
        numbers = range(start, min(start + ROUNDS_A_HOUSE, first + rounds))
        between, disk = Between(), SmallDisk()
        way = partial(_way, between, disk)
        with running(workers_of(seed, start), told, way, between.door) as house:
            between["gateway"].target = house.settings.gateway_port
            scene = Scene(house, between, disk)
            people, history = People(seed * 1_000_003 + start), History()
            ring = load_key_ring(house.settings)
            for number in numbers:
                outcome = _round(round_of(seed, number, events), scene, ring, people, history)
                yield outcome
                if not outcome.at_rest:
                    return


class People:
    """Who sends events to a house: those of the benchmark's workload, and the doubtful ones."""

    def __init__(self, seed: int) -> None:
        self._workload = Workload(seed)
        self._doubtful = Doubtful(f"{seed}: doubtful")

    def load(self, plan: Round) -> list[Event]:
        """What they send in a round."""
        known = [] if self._workload.records else list(self._workload.warm_up(_KNOWN))
        measured, doubtful = list(self._workload.measured(plan.events)), self._doubtful.events(plan.doubtful)
        return [*known, *mixed(Random(f"{plan}: mixed"), measured, doubtful)]


@contextmanager
def _way(between: Between, disk: SmallDisk, straight: Settings) -> Iterator[Settings]:
    with disk.under(straight.home), between.taken(straight) as seen:
        yield seen


def _round(plan: Round, scene: Scene, ring: KeyRing, people: People, history: History) -> Outcome:
    started, given_up, acknowledged = time.monotonic(), history.given_up, len(history.acknowledged)
    acts, refused, broken = len(history.acts), len(history.refused), len(history.broken)
    missed = _loaded(plan, scene, people.load(plan), history)
    given_up = history.given_up - given_up
    found = [f"{given_up} loads were given up"] if given_up else []
    found += history.broken[broken:]
    at_rest = True
    try:
        found += _judged(scene, ring, history)
    except PipelineStalled as exc:
        found, at_rest = [*found, str(exc)], False
    return Outcome(
        plan,
        scene.workers,
        len(history.acknowledged) - acknowledged,
        len(history.acts) - acts,
        len(history.refused) - refused,
        given_up,
        tuple(missed),
        time.monotonic() - started,
        tuple(found),
        at_rest,
    )


def _loaded(plan: Round, scene: Scene, load: Sequence[Event], history: History) -> Iterator[str]:
    """Send the load while strikes strike; returns which did not, and why."""
    house = scene.house
    writing = writers(load, plan, house.seen, scene.between.gateway_url, house.api_key, history)
    writing += stewards(plan, scene.between.gateway_url, house.api_key, history)
    striking = strikers(scene, plan.strikes)
    with ThreadPoolExecutor(len(writing) + len(striking)) as pool:
        written = [pool.submit(one) for one in writing]
        struck = [pool.submit(one) for one in striking]
        for done in written:
            done.result()
    results = zip(plan.strikes, struck, strict=True)
    return (f"{strike}: {why}" for strike, one in results if (why := one.result()))


def _judged(scene: Scene, ring: KeyRing, history: History) -> Iterator[str]:
    """What all judges find, and whether all runs after that. Raises PipelineStalled."""
    settings = scene.house.settings
    with Database(settings.postgres_dsn.get_secret_value(), "faults") as database:
        come_to_rest(scene.house, database, _REST_S)
        yield from map(str, check(settings, history.acknowledged, history.acts))
        verified = verify(database, ring, load_model(settings), load_policy(settings))
        audited = verify_stored(database, ring)
        scene.disk.trim(settings)
    for f in verified.faults:
        yield f"verify: {f.kind}: {dict(f.where)}: {f.stands}; expected {f.should}"
    for breach in audited.findings:
        yield f"audit verify: {breach.breach} at {breach.seq}: {breach.detail}"
    if missing := scene.house.missing():
        yield f"{len(missing)} processes do not stay up: {missing}"
