"""Where a request comes from: the peer, or what a proxy that the operator trusts says of it. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[Network]) -> str:
    """The address that log-in failures are counted by; of IPv6 the /64, all of which one client may have.

    `X-Forwarded-For` is read from its end, and only as far as each hop before is a trusted proxy: the rest of it is
    whatever the client wrote.
    """
    hops = [peer or ""]
    if trusted:
        given = ",".join(value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for")
        hops = [part.strip() for part in given.split(",") if part.strip()][-20:] + hops
    found = hops.pop()
    while hops and _is_trusted(found, trusted):
        found = hops.pop()
    address = _parsed(found)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return "unknown" if address is None else str(address)


def is_encrypted(
    scheme: str, peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[Network]
) -> bool:
    """Whether the client came by TLS: here, or as a trusted proxy says (`X-Forwarded-Proto`)."""
    if scheme == "https":
        return True
    if peer is None or not _is_trusted(peer, trusted):
        return False
    return [value.strip().lower() for name, value in headers if name == b"x-forwarded-proto"] == [b"https"]


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in trusted)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
