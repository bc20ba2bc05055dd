"""What a round does follows from its seed; a journal tells where to go on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from bench.house import more_workers
from faults.__main__ import held, main, resume_at
from faults.between import PROXIED
from faults.plan import REREAD, ROUNDS_A_HOUSE, SERVERS, Strike, StrikeKind, round_of, workers_of
from faults.summary import summary
from infra.supervisor import PROCESSES

LINE: dict[str, object] = {
    "seed": 1,
    "round": 0,
    "seconds": 15.5,
    "acknowledged": 400,
    "acts": 3,
    "strikes": [],
    "missed": [],
    "findings": [],
}


def test_a_round_can_be_run_again() -> None:
    assert round_of(1, 4, 400) == round_of(1, 4, 400)
    assert len({round_of(seed, number, 400).strikes for seed in range(5) for number in range(5)}) == 25


def test_everything_is_struck_in_time() -> None:
    rounds = [round_of(1, number, 400) for number in range(300)]
    strikes = [strike for one in rounds for strike in one.strikes]
    everybody = {*PROCESSES, *more_workers(4)}
    assert {s.target for s in strikes if s.kind is StrikeKind.KILL} == {*everybody, *SERVERS}
    assert {s.target for s in strikes if s.kind is StrikeKind.PAUSE} == {*everybody, "kafka", "valkey"}
    assert {s.target for s in strikes if s.kind is StrikeKind.REREAD} == {*REREAD}
    assert {s.amount for s in strikes if s.kind is StrikeKind.FILL} == {0, 1}
    assert all(list(one.strikes) == sorted(one.strikes, key=lambda s: s.at_s) for one in rounds)
    assert all(0 <= strike.at_s <= one.load_s for one in rounds for strike in one.strikes)
    for kind in (StrikeKind.CUT, StrikeKind.DELAY, StrikeKind.STALL):
        assert {s.target for s in strikes if s.kind is kind} == {*PROXIED}
    for kind in (StrikeKind.PAUSE, StrikeKind.STALL):
        assert any(s.lasting_s > 6 for s in strikes if s.kind is kind), "longer than Kafka waits for a member"
    assert all(200 <= one.events <= 600 for one in rounds)


def test_only_workers_of_the_house_are_struck() -> None:
    assert {workers_of(1, number) for number in range(0, 300, ROUNDS_A_HOUSE)} == {1, 2, 3, 4}
    for number in range(300):
        workers = workers_of(1, number)
        assert workers == workers_of(1, number // ROUNDS_A_HOUSE * ROUNDS_A_HOUSE), "one house, one number"
        struck = {s.target for s in round_of(1, number, 400).strikes if "#" in s.target}
        assert struck <= {*more_workers(workers)}


def test_200_rounds_strike_each_way_dozens_of_times() -> None:
    strikes = [strike for number in range(200) for strike in round_of(1, number, 400).strikes]
    assert all(sum(s.kind is kind for s in strikes) >= 24 for kind in StrikeKind)


def test_a_journal_tells_where_to_go_on(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert held(None, 1) == held(journal, 1) == []
    assert resume_at([], 20) == (20, 0)
    told: list[dict[str, object]] = [
        {**LINE, "seed": 1, "round": n, "findings": ["lost"] if n == 4 else []}
        for n in range(ROUNDS_A_HOUSE + 3)
    ]
    told.append({**LINE, "seed": 2})
    journal.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in told))
    assert resume_at(held(journal, 1)) == (ROUNDS_A_HOUSE, 1), (
        "a house that was left in the middle begins again"
    )
    assert resume_at(held(journal, 2)) == (0, 0)
    assert main(["--seed", "1", "--rounds", str(ROUNDS_A_HOUSE), "--journal", str(journal)]) == 1, (
        "found before"
    )


def test_a_campaign_is_summed_up() -> None:
    strikes = [
        Strike(1.0, StrikeKind.KILL, "resolve#2"),
        Strike(2.0, StrikeKind.CUT, "kafka", 1.5, 3),
        Strike(3.0, StrikeKind.KILL, "resolve"),
        Strike(4.0, StrikeKind.KILL, "cache"),
    ]
    told = [str(strike) for strike in strikes]
    lines = [
        {**LINE, "strikes": told, "missed": told[1:2]},
        {**LINE, "strikes": told[:1], "findings": ["lost"]},
    ]
    assert list(summary(lines)) == [
        "2 rounds, 31 s (16 s a round): 800 events and 6 acts acknowledged, 1 rounds with findings",
        "  cut 1: kafka 1",
        "  kill 4: resolve 3, cache 1",
        "  1 of them missed",
    ]
    assert list(summary([])) == []


def test_a_round_amid_a_house_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--first", "3"])
    assert "--first must be a multiple of" in capsys.readouterr().err
