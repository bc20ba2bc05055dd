"""What a round of the campaign does: a pure function of its seed, so that a failing one can be run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from bench.house import more_workers
from faults.between import PROXIED
from infra.supervisor import PROCESSES

SERVERS = ("kafka", "postgres", "valkey")
REREAD = ("normalize", "resolve", "cache")
"""Those whose positions are set back."""
ROUNDS_A_HOUSE = 10
"""Rounds follow each other in one house, so that each starts from what the ones before left behind."""
_LOAD_S = 8.0
_SHARES = {  # of the strikes, in the order of StrikeKind
    "kill": 44,
    "pause": 14,
    "cut": 11,
    "delay": 8,
    "stall": 8,
    "fill": 6,
    "reread": 9,
}
_SHORT_S, _LONG_S = (0.3, 3.0), (7.0, 9.0)  # Kafka takes a member for gone after 6 s
_PAUSED = ("kafka", "valkey")  # a stopped postmaster stops none of its backends


class StrikeKind(StrEnum):
    """What is done to whom: to a process, or to the connections to a server or to the gateway."""

    KILL = "kill"  # SIGKILL
    PAUSE = "pause"  # SIGSTOP, and SIGCONT after `lasting_s`
    CUT = "cut"  # all connections are reset at once, `amount` times within `lasting_s`
    DELAY = "delay"  # every byte comes `amount` milliseconds later, for `lasting_s`
    STALL = "stall"  # nothing passes for `lasting_s`; connections stay open
    FILL = "fill"  # the disk is full for `lasting_s`; with `amount` 1, its log is used up too
    REREAD = (
        "reread"  # positions are set back by `amount` messages each, and `lasting_s` later its readers killed
    )


@dataclass(frozen=True, slots=True)
class Strike:
    """What is done `at_s` seconds after the load began."""

    at_s: float
    kind: StrikeKind
    target: str
    lasting_s: float = 0.0
    amount: int = 0

    def __str__(self) -> str:
        """As the journal tells it."""
        how = {
            StrikeKind.CUT: f" {self.amount} times",
            StrikeKind.DELAY: f" by {self.amount} ms",
            StrikeKind.FILL: " and its log" if self.amount else "",
            StrikeKind.REREAD: f" from {self.amount} before",
        }
        lasting = f" for {self.lasting_s:.1f} s" if self.lasting_s else ""
        return f"{self.at_s:.1f} s: {self.kind} {self.target}{how.get(self.kind, '')}{lasting}"


@dataclass(frozen=True, slots=True)
class Round:
    """The load and the strikes of a round.

    `repeat` is the share of loads that are sent a second time, `doubtful` how many customers come whom stewards are
    asked about, `acts` how often each steward tries to act.
    """

    number: int
    load_s: float
    gateway_writers: int
    topic_writers: int
    events: int
    repeat: float
    doubtful: int
    stewards: int
    acts: int
    strikes: tuple[Strike, ...]


def round_of(seed: int, number: int, events: int) -> Round:
    """The round `number` (from 0) of the campaign `seed`, with about as many events."""
    draw = Random(f"{seed}:{number}")
    processes = (*PROCESSES, *more_workers(workers_of(seed, number)))
    return Round(
        number,
        _LOAD_S,
        gateway_writers=draw.randint(1, 3),
        topic_writers=draw.randint(1, 2),
        events=draw.randint(events // 2, events * 3 // 2),
        repeat=draw.choice((0.0, 0.1, 0.3)),
        doubtful=draw.randint(events // 40, events // 20),
        stewards=draw.randint(1, 2),
        acts=draw.randint(4, 10),
        strikes=tuple(
            sorted((_strike(draw, processes) for _ in range(draw.randint(2, 5))), key=lambda s: s.at_s)
        ),
    )


def workers_of(seed: int, number: int) -> int:
    """How many resolve workers the house of this round has: 1 to 4."""
    return Random(f"{seed}:house {number // ROUNDS_A_HOUSE}").randint(1, 4)


def _strike(draw: Random, processes: Sequence[str]) -> Strike:
    at_s = draw.uniform(0.0, _LOAD_S)
    kind = StrikeKind(*draw.choices(tuple(_SHARES), tuple(_SHARES.values())))
    lasting_s = draw.uniform(*(_LONG_S if draw.random() < 0.3 else _SHORT_S))
    target, amount = draw.choice(PROXIED), 0
    match kind:
        case StrikeKind.KILL:
            target, lasting_s = draw.choice((*processes, *SERVERS)), 0.0
        case StrikeKind.PAUSE:
            target = draw.choice((*processes, *_PAUSED))
        case StrikeKind.CUT:
            amount = draw.randint(1, 6)
        case StrikeKind.DELAY:
            amount = draw.randint(50, 400)
        case StrikeKind.STALL:
            pass
        case StrikeKind.FILL:
            target, lasting_s, amount = "postgres", draw.uniform(2.0, 6.0), draw.randint(0, 1)
        case StrikeKind.REREAD:
            target, amount = draw.choice(REREAD), draw.randint(20, 200)
    return Strike(at_s, kind, target, lasting_s, amount)
