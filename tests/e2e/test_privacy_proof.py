"""`make privacy-proof` with fewer events: nothing but events.raw holds a marked value; what is planted is found."""

from __future__ import annotations

import pytest

from proof.__main__ import main


def test_no_marked_value_lies_around(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RB_RATE_LIMIT_PER_MINUTE", "0")
    assert main(["--events", "6"]) == 0, capsys.readouterr().err
    assert "No marked value was found but in events.raw" in capsys.readouterr().err.replace("\n", " ")
