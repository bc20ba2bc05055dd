"""What is masked can be recognised by who knows it and not be learnt by who does not."""

from __future__ import annotations

import pytest

from pipeline.identity.explain.content import ATTRIBUTES
from pipeline.privacy.mask import masked


@pytest.mark.parametrize(
    ("attribute", "value", "shown"),
    [
        ("email", "ada.lovelace@mailbox.co.uk", "a***@m***.uk"),
        ("email", "a@b", "a***@***b"),
        ("phone", "+14155550123", "+1***23"),
        ("loyalty_id", "L-77", "***"),
        ("loyalty_id", "L-1001", "L***1"),
        ("device_id", "0123456789abcdef", "01***ef"),
        ("given_name", "anna maria", "a*** m***"),
        ("surname", "o'neill", "o***'n***"),
        ("date_of_birth", "1984-05-01|1984-01-05", "1984-**-**|1984-**-**"),
        ("address", "1304 poppy hills dr blacklick", "1* p* h* d* b*"),
        ("national_id", "passport:c1234567|ssn:294669999", "passport:c***7|ssn:29***99"),
        ("national_id", ":7654321", "7***1"),
        ("employer", "acme ltd", "a*** l***"),
        ("gender", "f", "f"),
        ("purchases", "3 products", "3 products"),
    ],
)
def test_values_are_masked_by_their_kind(attribute: str, value: str, shown: str) -> None:
    assert masked(attribute, value) == shown


@pytest.mark.parametrize(
    "attribute", [a for a in ATTRIBUTES if a not in ("gender", "name_suffix", "purchases")]
)
def test_no_attribute_that_names_somebody_is_shown_whole(attribute: str) -> None:
    assert "secretvalue" not in masked(attribute, "secretvalue")
    assert "secretvalue" not in masked(attribute, "secretvalue@secretvalue.com")
    assert len(masked(attribute, "secretvalue").replace("*", "")) <= 6
