"""The campaign: rounds of load and faults on houses of its own, each judged by the checker and by `verify`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.house import House, running
from bench.workload import Workload
from faults.between import Between
from faults.checker import check
from faults.plan import ROUNDS_A_HOUSE, Round, round_of
from faults.rest import come_to_rest
from faults.strikes import strikers
from faults.writers import History, writers
from pipeline.configuration import load_model, load_policy
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.store.database import Database
from pipeline.verify.verification import verify

_REST_S = 120.0
_KNOWN = 100  # customers a house knows before its first round


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a round: events `acknowledged`, loads `given_up`, strikes that `struck`.

    `findings` are lines of text, of the checker and of `verify`; empty where every promise held. A load that is given
    up is one: servers come back long before a writer loses patience.
    """

    plan: Round
    acknowledged: int
    given_up: int
    struck: int
    seconds: float
    findings: tuple[str, ...]


def campaign(
    seed: int, first: int, rounds: int, events: int, told: Callable[[str], None]
) -> Iterator[Outcome]:
    """The rounds `first`, `first` + 1, ... of the campaign `seed`; `first` must be the first of a house.

    Raises PipelineStalled where a house does not come to rest: then events are stuck.
    """
    for start in range(first, first + rounds, ROUNDS_A_HOUSE):
        numbers = range(start, min(start + ROUNDS_A_HOUSE, first + rounds))
        between = Between()
        with running(1, told, between.taken, between.door) as house:
            between["gateway"].target = house.settings.gateway_port
            workload, history = Workload(seed * 1_000_003 + start), History()
            ring = load_key_ring(house.settings)
            for number in numbers:
                yield _round(round_of(seed, number, events), house, between, ring, workload, history)


def _round(
    plan: Round, house: House, between: Between, ring: KeyRing, workload: Workload, history: History
) -> Outcome:
    started, given_up, acknowledged = time.monotonic(), history.given_up, len(history.acknowledged)
    known = [] if workload.records else list(workload.warm_up(_KNOWN))
    load = [*known, *workload.measured(plan.events)]
    settings = house.settings
    writing = writers(load, plan, house.seen, between.gateway_url, house.api_key, history)
    striking = strikers(house, between, plan.strikes)
    with ThreadPoolExecutor(len(writing) + len(striking)) as pool:
        written = [pool.submit(one) for one in writing]
        struck = [pool.submit(one) for one in striking]
        for done in written:
            done.result()
    given_up = history.given_up - given_up
    with Database(settings.postgres_dsn.get_secret_value(), "faults") as database:
        come_to_rest(house, database, _REST_S)
        found = [str(finding) for finding in check(settings, history.acknowledged)]
        verified = verify(database, ring, load_model(settings), load_policy(settings))
    found += [f"verify: {f.kind}: {dict(f.where)}: {f.stands}; expected {f.should}" for f in verified.faults]
    found += [f"{given_up} loads were given up"] if given_up else []
    found += [f"{len(missing)} processes do not stay up: {missing}"] if (missing := house.missing()) else []
    return Outcome(
        plan,
        len(history.acknowledged) - acknowledged,
        given_up,
        sum(one.result() for one in struck),
        time.monotonic() - started,
        tuple(found),
    )
