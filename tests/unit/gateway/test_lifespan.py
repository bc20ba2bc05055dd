"""What the gateway opened is closed at its end, whatever fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.settings import Settings


async def test_one_that_cannot_be_closed_keeps_no_other_open(tmp_path: Path) -> None:
    closed: list[str] = []

    class Closing:
        def __init__(self, name: str) -> None:
            self.name = name

        async def open(self) -> None:
            pass

        async def aclose(self) -> None:
            closed.append(self.name)
            raise ValueError(self.name)

        close = aclose

    class ClosingNow:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            raise ValueError(self.name)

    awaited, at_once = ("key_uses", "feed", "store", "key_store", "redis"), ("explain", "readers")
    ports = make_ports(Settings.model_validate({"home": tmp_path, "api_keys": "k"}), MemorySender())
    broken = {**{n: Closing(n) for n in awaited}, **{n: ClosingNow(n) for n in at_once}}
    app = create_app(replace(ports, **broken))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="redis"):
        async with app.router.lifespan_context(app):
            assert closed == []
    assert closed == ["key_uses", "feed", "explain", "readers", "store", "key_store", "redis"]
