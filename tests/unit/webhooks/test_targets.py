"""What webhooks may be sent to, and all the ways to write what they may not."""

from __future__ import annotations

import ipaddress

import pytest

from pipeline.errors import BadInput
from pipeline.webhooks.targets import Target, TargetRefused, addresses, look_up, public, target_of

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address: str) -> None:
    assert not public(ipaddress.ip_address(address))
    with pytest.raises(TargetRefused, match="not a public address"):
        addresses(
            Target("https", "h", 443, "/"), allow_private=False, resolve=lambda *_: ["8.8.8.8", address]
        )
    found = addresses(Target("https", "h", 443, "/"), allow_private=True, resolve=lambda *_: [address])
    assert found == [address]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25lo]/",
        "https://localhost/",
        "https://127.0.0.1./",
        "https://１２７.0.0.1/",
    ],
)
def test_loopback_however_it_is_written(url: str) -> None:
    with pytest.raises((TargetRefused, BadInput)):
        addresses(target_of(url, allow_private=False), allow_private=False, resolve=look_up)


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("example.com/hooks", "https://"),
        ("https://", "host"),
        ("https://user:secret@example.com/", "user"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:99999/", "65535"),
        ("https://" + "a" * 3_000, "shorter"),
        ("", "https://"),
        ("https://exa mple.com/\n", "URL"),
    ],
)
def test_urls_of_another_form(url: str, mend: str) -> None:
    with pytest.raises(BadInput, match=mend) as refused:
        target_of(url, allow_private=False)
    assert refused.value.field == "url"
    assert "secret" not in str(refused.value)


def test_parts_of_a_url() -> None:
    assert target_of("https://example.com", allow_private=False) == Target("https", "example.com", 443, "/")
    assert target_of("https://bücher.example:8443/a?b=c", allow_private=False) == Target(
        "https", "xn--bcher-kva.example", 8443, "/a?b=c"
    )
    assert target_of("https://[2606:4700::1]/x", allow_private=False).host == "2606:4700::1"
    assert target_of("http://127.0.0.1:99/", allow_private=True) == Target("http", "127.0.0.1", 99, "/")


def test_a_name_without_an_address() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise OSError(-2, "unknown")

    for resolve in (nobody, lambda host, port: []):
        with pytest.raises(TargetRefused, match="has no address"):
            addresses(Target("https", "gone.example", 443, "/"), allow_private=False, resolve=resolve)
