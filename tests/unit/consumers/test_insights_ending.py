"""A signal that came before insights handled signals by itself is not lost."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from consumers import insights
from pipeline.settings import Settings


def test_a_signal_that_came_while_it_waited_for_its_servers_ends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = threading.Event()
    told.set()
    monkeypatch.setattr(insights, "stop_on_signals", lambda: told)
    settings = Settings.model_validate({"home": tmp_path, "kafka_bootstrap": "127.0.0.1:1"})

    async def run() -> None:
        async with asyncio.timeout(10):
            await insights._run(settings)

    asyncio.run(run())  # without a broker it would wait for one
