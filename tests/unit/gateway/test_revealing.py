"""Who reads identifiers as they are is told, whatever else the logs leave out."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from starlette.requests import Request

from gateway.revealing import note_revealed
from gateway.rights import Caller
from pipeline.api_keys.scope import EVERYTHING
from pipeline.log import configure, get_logger
from pipeline.settings import Settings


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
async def test_who_reveals_is_logged_at_every_level(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings.model_validate({"log_level": level}), "gateway")
    state = {"caller": Caller("0123", "shop", EVERYTHING), "request_id": "r-7"}
    await note_revealed(Request({"type": "http", "state": state}), [UUID(int=1)])
    get_logger().info("anything else")
    told, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told["message"] == "identifiers revealed"
    assert (told["profile_id"], told["actor"], told["api_key"]) == (str(UUID(int=1)), "shop", "0123")
    assert (told["service"], told["level"], told["request_id"]) == ("gateway", "info", "r-7")
    assert bool(others) == (level in ("DEBUG", "INFO"))
