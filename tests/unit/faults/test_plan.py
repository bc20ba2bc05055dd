"""What a round does follows from its seed; a journal tells where to go on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from faults.__main__ import main, resume_at
from faults.between import PROXIED
from faults.plan import ROUNDS_A_HOUSE, SERVERS, StrikeKind, round_of
from infra.supervisor import PROCESSES


def test_a_round_can_be_run_again() -> None:
    assert round_of(1, 4, 400) == round_of(1, 4, 400)
    assert len({round_of(seed, number, 400).strikes for seed in range(5) for number in range(5)}) == 25


def test_everything_is_struck_in_time() -> None:
    rounds = [round_of(1, number, 400) for number in range(300)]
    strikes = [strike for one in rounds for strike in one.strikes]
    assert {s.target for s in strikes if s.kind is StrikeKind.KILL} == {*PROCESSES, *SERVERS}
    assert {s.target for s in strikes if s.kind is StrikeKind.PAUSE} == {*PROCESSES, "kafka", "valkey"}
    assert all(list(one.strikes) == sorted(one.strikes, key=lambda s: s.at_s) for one in rounds)
    assert all(0 <= strike.at_s <= one.load_s for one in rounds for strike in one.strikes)
    for kind in (StrikeKind.CUT, StrikeKind.DELAY, StrikeKind.STALL):
        assert {s.target for s in strikes if s.kind is kind} == {*PROXIED}
    for kind in (StrikeKind.PAUSE, StrikeKind.STALL):
        assert any(s.lasting_s > 6 for s in strikes if s.kind is kind), "longer than Kafka waits for a member"
    assert all(200 <= one.events <= 600 for one in rounds)


def test_a_journal_tells_where_to_go_on(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert resume_at(None, 1) == (0, 0)
    assert resume_at(journal, 1, 20) == (20, 0)
    told: list[dict[str, object]] = [
        {"seed": 1, "round": n, "findings": ["lost"] if n == 4 else []} for n in range(ROUNDS_A_HOUSE + 3)
    ]
    told.append({"seed": 2, "round": 0, "findings": []})
    journal.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in told))
    assert resume_at(journal, 1) == (ROUNDS_A_HOUSE, 1), "a house that was left in the middle begins again"
    assert resume_at(journal, 2) == (0, 0)
    assert main(["--seed", "1", "--rounds", str(ROUNDS_A_HOUSE), "--journal", str(journal)]) == 1, (
        "found before"
    )


def test_a_round_amid_a_house_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--first", "3"])
    assert "--first must be a multiple of" in capsys.readouterr().err
