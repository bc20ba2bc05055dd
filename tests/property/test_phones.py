"""Phones that are E.164 already are taken as they are: the library would say the same."""

from __future__ import annotations

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.identity import phones


@given(st.from_regex(r"\A\+1[2-9][0-9]{9}\Z"), st.sampled_from(["US", "CA", "BS", "GB", "DE", ""]))
def test_a_north_american_number_is_its_own_form(text: str, region: str) -> None:
    parsed = phonenumbers.parse(text, region or None)
    assert phonenumbers.is_possible_number(parsed)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == text
    assert phones.phone(text, region) in (text, ReasonCode.PLACEHOLDER)
