"""Charts are read by machines here: well-formed, self-contained, and drawn where the numbers say."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from pipeline.charts import svg
from pipeline.charts.axes import Scale, below, beside
from pipeline.charts.waterfall import Step, Threshold, signed, waterfall

SVG = "{http://www.w3.org/2000/svg}"


def drawn() -> Xml.Element:
    picture = waterfall(
        "Ann & <Anna>",
        "why",
        Step("start", "", -10.0),
        [Step("e-mail", "the same", 22.5), Step("gender", "different", -3.0), Step("city", "not given", 0.0)],
        "sum",
        [Threshold("review", -0.3), Threshold("merge", 2.0)],
        unit="bits",
    )
    return Xml.fromstring(picture)  # our own text


def bars(root: Xml.Element) -> dict[str, tuple[float, float]]:
    found = {}
    for rect in root.iter(f"{SVG}rect"):
        said = rect.find(f"{SVG}title")
        if said is not None and said.text:
            left = float(rect.attrib["x"])
            found[said.text.split(":")[0]] = (left, left + float(rect.attrib["width"]))
    return found


def test_each_bar_begins_where_the_one_before_it_ended() -> None:
    at = bars(drawn())
    assert at["e-mail"][0] == pytest.approx(at["start"][0], abs=0.02)
    assert at["gender"][1] == pytest.approx(at["e-mail"][1], abs=0.02)
    assert at["sum"][1] == pytest.approx(at["gender"][0], abs=0.02)
    assert at["sum"][0] == pytest.approx(at["start"][1], abs=0.02)


def test_what_adds_nothing_is_still_to_be_seen() -> None:
    assert bars(drawn())["city"][1] - bars(drawn())["city"][0] == pytest.approx(1.0)


def test_one_who_does_not_see_it_is_told_the_same() -> None:
    root = drawn()
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert title.text == "Ann & <Anna>"
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {desc.attrib['id']}"
    assert "e-mail +22.5; gender −3.0; city 0.0; sum +9.5" in (desc.text or "")
    assert "merge at +2.0" in (desc.text or "")


def test_nothing_runs_and_nothing_is_fetched() -> None:
    picture = Xml.tostring(drawn(), "unicode")
    assert not [
        name for name in ("<script", "href", "url(", "@import", "onload", "foreignObject") if name in picture
    ]
    assert picture.count("http") == 1  # the name space alone


def test_text_that_xml_refuses_is_replaced() -> None:
    assert Xml.fromstring(svg.text(0, 0, "a\x00b\ud800<")).text == "a\ufffdb\ufffd<"


def test_a_number_is_short_and_never_minus_nothing() -> None:
    assert [svg.number(v) for v in (1.0, -0.001, 0.125, -2.5, 1200)] == ["1", "0", "0.12", "-2.5", "1200"]


def test_words_are_cut_to_their_place() -> None:
    assert svg.fitted("a short one", 200) == "a short one"
    cut = svg.fitted("a very long one indeed", 80)
    assert cut.endswith("…")
    assert svg.width_of(cut) <= 80


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(-17.0, 12.0, (-15, -10, -5, 0, 5, 10)), (0.0, 1.0, (0, 0.2, 0.4, 0.6, 0.8, 1)), (3.0, 3.5, None)],
)
def test_ticks_are_round_and_in_range(low: float, high: float, ticks: tuple[float, ...] | None) -> None:
    found = Scale(low, high, 0, 100).ticks()
    assert found == ticks if ticks else all(low <= v <= high for v in found)
    assert 3 <= len(found) <= 9


def test_axes_put_each_tick_at_its_value() -> None:
    across, up = Scale(0, 1, 100, 300), Scale(0, 1, 200, 20)
    for axis, key, scale in (
        (below(across, 20, 200, "x"), "x", across),
        (beside(up, 100, 300, "y"), "y", up),
    ):
        root = Xml.fromstring(axis)
        at = {t.text: float(t.attrib[key]) for t in root.iter("text")}
        offset = 4 if key == "y" else 0
        assert at["0.2"] == pytest.approx(scale(0.2) + offset)
        assert at["1"] == pytest.approx(scale(1.0) + offset)


def test_values_are_said_with_their_sign() -> None:
    assert [signed(v) for v in (1.25, -0.31, -0.01, 0.0)] == ["+1.2", "−0.3", "0.0", "0.0"]
