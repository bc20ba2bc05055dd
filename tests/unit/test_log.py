"""No customer's data in a log line, whatever an exception's text quotes."""

from __future__ import annotations

import json
import logging
from io import StringIO

import pytest

from pipeline.log import configure, get_audit_logger, get_logger, to_stderr
from pipeline.settings import Settings


def test_an_exception_is_told_by_type_and_place_alone(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(), "test")
    try:
        int("ann.lee@mailbox.net")
    except ValueError as exc:
        get_logger().error("failed", exc_info=exc)
        logging.getLogger("library").error("failed too", exc_info=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines] == ["failed", "failed too"]
    for line in lines:
        assert line["exception"][0] == "ValueError"
        assert "test_log.py" in line["exception"][1]
        assert "ann.lee" not in json.dumps(line)


def test_a_command_tells_people_on_stderr_by_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    to_stderr()
    try:
        int("ann.lee@mailbox.net")
    except ValueError as exc:
        get_logger().error("failed", exc_info=exc)
    out, err = capsys.readouterr()
    assert out == ""
    first, *places = err.splitlines()
    assert "failed" in first
    assert places[0] == "ValueError"
    assert "test_log.py" in places[1]
    assert "ann.lee" not in err


def test_a_command_follows_where_stderr_is_put(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = StringIO(), StringIO()
    monkeypatch.setattr("sys.stderr", before)
    to_stderr()
    before.close()
    monkeypatch.setattr("sys.stderr", after)
    get_logger().warning("told")
    assert "told" in after.getvalue()


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_what_has_to_be_known_is_told_at_every_level(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings.model_validate({"log_level": level}), "relay")
    get_audit_logger().info("audit head", head="1:ab")
    get_logger().info("anything else")
    told, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told["message"], told["head"]) == ("audit head", "1:ab")
    assert (told["service"], told["level"]) == ("relay", "info")
    assert bool(others) == (level in ("DEBUG", "INFO"))
