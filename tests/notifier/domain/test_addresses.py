"""Where webhooks may not go, in every spelling."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.addresses import AddressPolicy, check_url
from services.runtime.errors import RejectedError

OPEN = AddressPolicy()
INTERNAL = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.8", "198.18.0.1", "192.0.2.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1"),
    *("2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "5f00::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "fec0::1", "2620:4f:8000::1"),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses_are_refused(address: str) -> None:
    assert OPEN.refuses(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_the_public_internet_is_open_to_https_only(address: str) -> None:
    assert not OPEN.refuses(address)
    assert OPEN.refuses(address, plain=True)


@given(st.ip_addresses())
def test_what_the_library_calls_private_is_always_refused(address: object) -> None:
    ip = ip_address(str(address))
    if not ip.is_global or ip.is_multicast:
        assert OPEN.refuses(str(ip))
        if ip.version == 4:
            assert OPEN.refuses(str(IPv6Address(f"::ffff:{ip}")))


@given(st.text(max_size=40))
def test_what_is_no_address_is_refused(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        assert OPEN.refuses(text)


def test_an_allowed_network_is_exempt_also_for_plain_http_and_mapped() -> None:
    policy = AddressPolicy(["127.0.0.0/8", "10.1.2.0/24"])
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3"):
        assert not policy.refuses(address)
        assert not policy.refuses(address, plain=True)
    assert policy.refuses("10.1.3.3")
    assert policy.refuses("::1")


def test_a_bad_network_is_a_bad_setting() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/33"):
        AddressPolicy(["10.0.0.0/33"])


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com", "file:///etc/passwd", "gopher://x", "https://", "https:///path"),
        *("http://example.com/hook", "https://user:secret@example.com", "https://user@example.com", "https://[::1"),
        *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest"),
        *("https://example.com:22/", "https://example.com:0/", "https://example.com:99999/", "https://example.com/#x"),
        *("https://exa mple.com", "https://example.com/\n", "https://example.com\\@evil.com", "https://exämple.com"),
        "https://example.com/" + "x" * 2048,
    ],
)
def test_unusable_addresses_are_refused_when_saved(url: str) -> None:
    with pytest.raises(RejectedError) as refusal:
        check_url(url, OPEN)
    assert refusal.value.fields[0].field == "url"


@pytest.mark.parametrize(
    "host",
    [
        "0",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.0.1.",
        "a..b",
        "%31%32%37.0.0.1",
        "-",
        "[v1.x]",
        "x" * 64,
    ],
)
def test_what_can_never_be_reached_is_told_when_it_is_saved(host: str) -> None:
    with pytest.raises(RejectedError) as refusal:
        check_url(f"https://{host}/", OPEN)
    assert "neither a host name nor an address" in refusal.value.fields[0].problem


@pytest.mark.parametrize(
    "host", ["a.example.", "x_y.example.com", "xn--caf-dma.example", "1.example", "intranet", "3com"]
)
def test_every_name_that_can_be_looked_up_passes(host: str) -> None:
    assert check_url(f"https://{host}:8443/x", OPEN)


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/hooks?a=b", "HTTPS://Example.com/", "https://8.8.8.8/x"]
)
def test_usable_addresses_pass(url: str) -> None:
    assert check_url(url, OPEN) == url


def test_plain_http_is_for_installations_that_allow_a_network() -> None:
    policy = AddressPolicy(["127.0.0.0/8"])
    assert check_url("http://127.0.0.1:9999/x", policy)
    assert check_url("http://receiver.internal:9999/x", policy)  # judged again when it is dialed
    with pytest.raises(RejectedError):
        check_url("http://8.8.8.8/x", policy)
