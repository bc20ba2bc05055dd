"""Match weights and reliability, read back from the picture."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from pipeline.charts.reliability import is_kept, reliability
from pipeline.charts.svg import AGAINST, FOR, INK
from pipeline.charts.weights import AttributeBars, LevelBars, weights
from pipeline.identity.calibration import Bin

SVG = "{http://www.w3.org/2000/svg}"


def bars(picture: str, fill: str) -> list[dict[str, float]]:
    return [
        {name: float(rect.attrib[name]) for name in ("x", "width")}
        for rect in Xml.fromstring(picture).iter(f"{SVG}rect")
        if rect.attrib["fill"] == fill and (rect.find(f"{SVG}title") is not None or fill == INK)
    ]


def test_bars_are_as_long_as_their_weights_and_marks_stand_where_they_ended() -> None:
    picture = weights(
        "Match weights",
        [
            AttributeBars(
                "e-mail", "", [LevelBars("the same", 10, 2, 5), LevelBars("different", -4, -1, -4)]
            ),
            AttributeBars("phone", "", [LevelBars("the same", 5, 2, 5)]),
        ],
    )
    (ten, five), (against,) = bars(picture, FOR), bars(picture, AGAINST)
    assert ten["width"] == pytest.approx(2 * five["width"], abs=0.1)
    assert against["width"] == pytest.approx(0.4 * ten["width"], abs=0.1)
    assert against["x"] + against["width"] == pytest.approx(ten["x"], abs=0.1)
    marks = bars(picture, INK)[1:]  # the first is the legend's
    assert marks[0]["x"] + 1 == pytest.approx(ten["x"] + ten["width"] / 2, abs=0.1)
    assert marks[1]["x"] + 1 == pytest.approx(against["x"], abs=0.1)
    assert "e-mail, different: −4.0, −1.0, −4.0" in (Xml.fromstring(picture).findtext(f"{SVG}desc") or "")


def test_no_attribute_is_a_chart_without_bars() -> None:
    assert bars(weights("Match weights", []), FOR) == []


def test_a_bin_that_keeps_its_word_stands_on_the_diagonal_and_another_in_the_colour_against() -> None:
    kept = Bin(0.8, 0.9, 1000, 850, 850)
    broken = Bin(0.9, 0.97, 1000, 500, 940)
    picture = Xml.fromstring(
        reliability("Reliability", [Bin(0, 0.8), kept, broken], (("review", 0.45), ("merge", 0.8)))
    )
    dots = [
        (d.attrib["fill"], float(d.attrib["cx"]), float(d.attrib["cy"])) for d in picture.iter(f"{SVG}circle")
    ]
    assert [fill for fill, _, _ in dots] == [FOR, AGAINST]
    assert (is_kept(kept), is_kept(broken)) == (True, False)
    diagonal = next(e for e in picture.iter(f"{SVG}line") if e.attrib["stroke-dasharray"] == "6 4").attrib
    (_, x, y) = dots[0]
    assert float(diagonal["y1"]) - y == pytest.approx(x - float(diagonal["x1"]), abs=0.1)


def test_no_pair_judged_is_a_chart_that_says_so() -> None:
    picture = reliability("Reliability", [Bin(0, 1)], (("review", 0.45), ("merge", 0.8)))
    assert "No pair was judged." in picture
