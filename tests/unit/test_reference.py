"""The documentation's tables say what the code declares."""

from __future__ import annotations

import pytest

from pipeline.codes import EXPLANATIONS, ReasonCode
from pipeline.reference import PAGES, ROOT, written


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_as_the_declarations_write_it(page: str) -> None:
    assert (ROOT / page).read_text("utf-8") == written(page), "run: python -m pipeline.reference"


def test_every_reason_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(ReasonCode)
