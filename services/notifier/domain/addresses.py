"""Where webhooks may go: the public internet, and networks that the operator of this installation allowed.

`check_url` is asked when an endpoint is saved, `AddressPolicy.refuses` for every address that is about to be dialed,
after DNS: only the second stops a name that resolves to an internal address.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from services.runtime.errors import FieldProblem, RejectedError

Network = IPv4Network | IPv6Network

# The library's own `is_global` calls NAT64-wrapped loopback, 6to4, multicast and others global: hence lists.
_REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and metadata services inside it
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent
        "169.254.0.0/16",  # link-local, and most metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# All outside 2000::/3 is refused: loopback, link-local, unique local, multicast, NAT64, discard, SRv6, v4 in disguise.
_UNICAST_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",  # documentation
    )
)

MAX_URL = 2048
_WEB_PORTS = (80, 443)
_FIRST_UNPRIVILEGED_PORT = 1024
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?")
# Old resolvers read 2130706433, 0177.1 and 0x7f.1 as addresses; nothing that ends so is a name.
_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)\.?")


class AddressPolicy:
    """Says which addresses may be dialed; *allowed* networks are exempt from every refusal."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Parse the allowed networks; raise `ValueError` naming a bad one."""
        self.allowed: tuple[Network, ...] = tuple(ip_network(text) for text in allowed)

    def refuses(self, address: str, *, plain: bool = False) -> bool:
        """Tell whether *address* must not be dialed; *plain* HTTP may go to allowed networks only."""
        ip = _unwrapped(address)
        if ip is None:
            return True
        if any(ip in network for network in self.allowed):
            return False
        return plain or _is_internal(ip)


def _unwrapped(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


def _is_internal(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in _REFUSED_V4)
    return ip not in _UNICAST_V6 or any(ip in network for network in _REFUSED_V6)


def check_url(raw: str, policy: AddressPolicy) -> str:
    """Return *raw* when an endpoint may have it; raise `RejectedError` that says what is wrong with it."""
    problem = _problem(raw, policy)
    if problem is not None:
        raise RejectedError("The address of the endpoint is not usable.", fields=(FieldProblem("url", problem),))
    return raw


def _problem(raw: str, policy: AddressPolicy) -> str | None:
    if len(raw) > MAX_URL or not raw.isascii() or not raw.isprintable() or " " in raw or "\\" in raw:
        return f"expected at most {MAX_URL} characters of plain ASCII without spaces"
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "not a web address; expected one such as https://example.com/hooks"
    if parts.scheme not in ("https", "http") or not host:
        return "not a web address; expected one such as https://example.com/hooks"
    if parts.scheme == "http" and not policy.allowed:
        return "expected https: plain http is for networks that this installation allows, and it allows none"
    if "@" in parts.netloc or "#" in raw:
        return "expected no user name, password or fragment in the address"
    if port is not None and port not in _WEB_PORTS and port < _FIRST_UNPRIVILEGED_PORT:
        return f"port {port} is not for webhooks; expected 443, 80 or one from {_FIRST_UNPRIVILEGED_PORT} up"
    if _unwrapped(host) is None:
        last = host[host.rstrip(".").rfind(".") + 1 :]
        if "[" in parts.netloc or not _NAME.fullmatch(host) or _NUMBER.fullmatch(last):
            return f"{host[:80]!r} is neither a host name nor an address as it is usually written"
        return None
    if policy.refuses(host, plain=parts.scheme == "http"):
        return "this address is not on the public internet, and this installation does not allow its network"
    return None
