"""Bars before and after, and two waterfalls in one, read back from the picture."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from pipeline.charts.before_after import Both, bars, distribution
from pipeline.charts.twofold import Line, twofold
from pipeline.charts.waterfall import Threshold

SVG = "{http://www.w3.org/2000/svg}"


def hinted(picture: str) -> dict[str, dict[str, float]]:
    found = {}
    for rect in Xml.fromstring(picture).iter(f"{SVG}rect"):
        said = rect.find(f"{SVG}title")
        if said is not None and said.text:
            found[said.text] = {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
    return found


def said(picture: str) -> str:
    return Xml.fromstring(picture).findtext(f"{SVG}desc") or ""


def test_bars_of_a_row_are_as_long_as_their_numbers() -> None:
    rows = [Both("customers", "all", 50, 100, ("50", "100")), Both("none", "", 0, 0, ("0", "0"))]
    picture = bars("Ann & Bo", rows, ("now", "then"))
    found = hinted(picture)
    now, then = found["customers, now: 50"], found["customers, then: 100"]
    assert now["width"] * 2 == pytest.approx(then["width"])
    assert found["none, now: 0"]["width"] == found["none, then: 0"]["width"] == 1.0
    assert "customers: 50, 100" in said(picture)


def test_columns_stand_on_one_line_and_grow_as_square_roots() -> None:
    picture = distribution("sizes", "records", [("1", 400, 100), ("2+", 0, 1_234_567)], ("now", "then"))
    found = hinted(picture)
    now, then = found["1 records, now: 400"], found["1 records, then: 100"]
    assert now["height"] == pytest.approx(2 * then["height"], abs=0.02)
    assert len({round(bar["y"] + bar["height"], 1) for bar in found.values()}) == 1
    assert "2+: 0, 1,234,567" in said(picture)


def test_both_waterfalls_end_at_their_sums() -> None:
    lines = [
        Line("start", "", -10.0, -8.0),
        Line("e-mail", "the same", 20.0, 20.0),
        Line("name", "", 1.0, -4.0),
    ]
    picture = twofold("pair", lines, "sum", ("now", "then"), [Threshold("merge", 2.0)], unit="bits")
    assert "sum () +11.0, +8.0" in said(picture)
    assert "merge at +2.0" in said(picture)
    rects = [r.attrib for r in Xml.fromstring(picture).iter(f"{SVG}rect")][1:]  # the first is the ground
    ends = [(float(r["x"]), float(r["x"]) + float(r["width"])) for r in rects]
    for first, second in ((0, 2), (1, 3)):  # each bar of the e-mail begins where that of the start ended
        assert ends[second][0] == pytest.approx(ends[first][0], abs=0.02)
    now, then = ends[-2], ends[-1]
    assert now[0] == pytest.approx(then[0], abs=0.02)
    assert (now[1] - now[0]) / (then[1] - then[0]) == pytest.approx(11 / 8, abs=0.01)
