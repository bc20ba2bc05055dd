"""No customer's data in a log line, whatever an exception's text quotes."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from pipeline.log import configure, get_logger
from pipeline.settings import Settings


def test_an_exception_is_told_by_type_and_place_alone(capsys: pytest.CaptureFixture[str]) -> None:
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        configure(Settings(), "test")
        try:
            int("ann.lee@mailbox.net")
        except ValueError as exc:
            get_logger().error("failed", exc_info=exc)
            logging.getLogger("library").error("failed too", exc_info=True)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    finally:
        # the whole process logs through these: other tests find them as they were
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**structured)
    assert [line["message"] for line in lines] == ["failed", "failed too"]
    for line in lines:
        assert line["exception"][0] == "ValueError"
        assert "test_log.py" in line["exception"][1]
        assert "ann.lee" not in json.dumps(line)
