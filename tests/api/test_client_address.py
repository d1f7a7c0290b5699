"""Where a request comes from: never what the client himself writes."""

import ipaddress

import pytest

from api.client_address import client_address

PROXY = (ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", [], (), "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], (), "203.0.113.9"),  # nobody is trusted
        ("203.0.113.9", ["198.51.100.1"], PROXY, "203.0.113.9"),  # this one is not
        ("10.0.0.7", ["198.51.100.1"], PROXY, "198.51.100.1"),
        ("10.0.0.7", ["1.1.1.1, 198.51.100.1"], PROXY, "198.51.100.1"),  # the first is what the client wrote
        ("10.0.0.7", ["1.1.1.1", "198.51.100.1, 10.0.0.8"], PROXY, "198.51.100.1"),
        ("10.0.0.7", ["nonsense"], PROXY, "unknown"),
        ("10.0.0.7", [], PROXY, "10.0.0.7"),
        ("10.0.0.7", ["10.0.0.9"], PROXY, "10.0.0.9"),
        (None, [], (), "unknown"),
        ("2001:db8:1:2:3::4", [], (), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", [], (), "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", [], (), "203.0.113.9"),
        ("fd00::7", ["198.51.100.1"], PROXY, "198.51.100.1"),
    ],
)
def test_failures_are_counted_where_they_come_from(
    peer: str | None, forwarded: list[str], trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    address: str,
) -> None:  # fmt: skip
    headers = [(b"x-forwarded-for", text.encode()) for text in forwarded]
    assert client_address(peer, headers, trusted) == address


def test_a_long_chain_is_read_from_its_end() -> None:
    headers = [(b"x-forwarded-for", ", ".join(["6.6.6.6"] * 10_000 + ["198.51.100.1"]).encode())]
    assert client_address("10.0.0.7", headers, PROXY) == "198.51.100.1"
