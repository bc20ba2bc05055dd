"""Signatures, by the example that the specification's own libraries test with."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.webhooks.signing import new_secret, signed, told
from tests.support.receiver import Got, verified

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def test_the_example_of_the_specification() -> None:
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, [base64.b64decode(SECRET)])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_verifies_by_either_secret_while_both_are_valid() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    got = Got("/", signed("id", int(time.time()), BODY, [new, old]), BODY, 0.0)
    assert verified(told(old), got)
    assert verified(told(new), got)
    assert not verified(told(other), got)
    assert not verified(told(new), Got("/", got.headers, BODY + b" ", 0.0))


def test_the_documentation_verifies_it() -> None:
    page = (Path(__file__).parents[3] / "docs" / "change-feed.md").read_text("utf-8")
    code = page.split("<!-- verify -->\n```python\n")[1].split("```")[0]
    told_there: dict[str, Callable[[str, dict[str, str], bytes], bool]] = {}
    exec(code, told_there)  # type: ignore[arg-type]
    secret = new_secret()
    headers = signed("m1", int(time.time()), BODY, [new_secret(), secret])
    assert told_there["verified"](told(secret), headers, BODY)
    assert not told_there["verified"](told(secret), headers, BODY + b" ")
    old = signed("m1", int(time.time()) - 400, BODY, [secret])
    assert not told_there["verified"](told(secret), old, BODY)


def test_secrets_are_told_as_the_specification_has_it() -> None:
    secret = new_secret()
    assert 24 <= len(secret) <= 64
    assert base64.b64decode(told(secret).removeprefix("whsec_")) == secret
    assert secret != new_secret()
