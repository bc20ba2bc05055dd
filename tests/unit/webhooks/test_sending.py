"""One attempt, against receivers that fail, hang and lie, on loopback sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from pipeline.webhooks.sending import Outcome, Sender
from pipeline.webhooks.targets import LookUp, Target, look_up, target_of
from tests.support.receiver import Handler, Receiver, break_off, certificate_of, drip, flood, hang, receiving

TIMEOUT_S = 0.6


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


async def sent(target: Target, *, private: bool = True, resolve: LookUp = look_up, times: int = 1) -> Outcome:
    threads = ThreadPoolExecutor(2)
    sender = Sender(target, threads, timeout_s=TIMEOUT_S, allow_private=private, resolve=resolve)
    try:
        for _ in range(times):
            outcome = await sender.post(b'{"a":1}', {"webhook-id": "m1"})
        return outcome
    finally:
        await sender.close()
        threads.shutdown(wait=False)


def to(receiver: Receiver, path: str = "/hooks?x=1") -> Target:
    return target_of(receiver.url(path), allow_private=True)


async def test_what_is_sent(receiver: Receiver) -> None:
    assert await sent(to(receiver), times=3) == Outcome(204)
    assert len(receiver.got) == 3
    assert receiver.connections == 1, "a connection is used again"
    got = receiver.got[0]
    assert (got.path, got.body) == ("/hooks?x=1", b'{"a":1}')
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "m1"


@pytest.mark.parametrize("behaviour", [hang, drip])
async def test_who_hangs_or_drips_takes_no_longer_than_the_timeout(
    receiver: Receiver, behaviour: Callable[[Handler, object], None]
) -> None:
    receiver.answer = behaviour
    started = time.monotonic()
    outcome = await sent(to(receiver))
    assert outcome.error == "no whole answer within 0.6 s"
    assert outcome.status is None
    assert time.monotonic() - started < 5 * TIMEOUT_S


async def test_an_endless_answer_is_not_read(receiver: Receiver) -> None:
    receiver.answer = flood
    started = time.monotonic()
    assert await sent(to(receiver)) == Outcome(200)
    assert time.monotonic() - started < TIMEOUT_S


async def test_half_an_answer_is_none(receiver: Receiver) -> None:
    receiver.answer = break_off
    outcome = await sent(to(receiver))
    assert outcome.status is None
    assert "RemoteProtocolError" in (outcome.error or "")


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with receiving() as inner:
        receiver.answer = lambda handler, got: handler.say(307, Location=inner.url("/secret"))
        outcome = await sent(to(receiver))
    assert outcome.status == 307
    assert "not followed" in (outcome.error or "")
    assert inner.connections == 0


async def test_retry_after(receiver: Receiver) -> None:
    for text, seconds in (
        ("7", 7),
        (format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True), 40),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ):
        receiver.answer = lambda handler, got, text=text: handler.say(503, Retry_After=text)  # type: ignore[misc]
        outcome = await sent(to(receiver))
        assert outcome.retry_after_s == pytest.approx(seconds, abs=3)
    receiver.answer = lambda handler, got: handler.say(503, Retry_After="soon")
    assert (await sent(to(receiver))).retry_after_s is None


async def test_nobody_there() -> None:
    with receiving() as gone:
        target = to(gone)
    assert (await sent(target)).error is not None


async def test_a_name_that_leads_elsewhere_by_now(receiver: Receiver) -> None:
    """Public when it was added, and loopback when it is connected to."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]])

    def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    target = Target("http", "rebind.example", receiver.port, "/")
    assert rebinding(target.host, target.port) == ["93.184.215.14"]  # when it was added
    for _ in range(2):
        outcome = await sent(target, private=False, resolve=rebinding)
        assert "not a public address" in (outcome.error or "")
    assert receiver.connections == 0


async def test_the_address_that_was_checked_is_connected_to_under_its_name(receiver: Receiver) -> None:
    asked: list[str] = []

    def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    target = Target("http", "hooks.example", receiver.port, "/")
    assert (await sent(target, resolve=once)).accepted
    assert asked == ["hooks.example"]
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_tls_goes_by_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = certificate_of("hooks.example", tmp_path)
    here: LookUp = lambda host, port: ["127.0.0.1"]  # noqa: E731
    with receiving(certificate) as receiver:
        target = Target("https", "hooks.example", receiver.port, "/")
        unknown = await sent(target, resolve=here)
        assert "certificate verify failed" in (unknown.error or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await sent(target, resolve=here) == Outcome(204)
        other = Target("https", "other.example", receiver.port, "/")
        assert "certificate verify failed" in ((await sent(other, resolve=here)).error or "")
    assert len(receiver.got) == 1
