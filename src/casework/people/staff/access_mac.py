"""The MAC in each row with which somebody comes in: who has the database and no key can neither add nor widen one.

It is over what the row allows, not over what only narrows it (`revoked_at`, `ended_at`, `failures`): an earlier row,
put back as it was, holds; that it is an earlier one, the entries tell (`casework.people.identity.replay`).
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from casework.clock import utc_text
from casework.log.format.chain import keyed

ALLOWING: Final[Mapping[str, tuple[str, ...]]] = {
    "tokens": ("token_hash", "staff_no", "kind", "program", "commands", "session_id", "expires_at"),
    "sessions": ("family_hash", "refresh_hash", "staff_no", "second_factor", "after_code", "expires_at"),
    "reset_codes": ("staff_no", "code_hash", "expires_at"),
    "second_factors": (
        "staff_no",
        "secret_sealed",
        "confirmed_at",
        "last_step",
        "removal_asked_by",
        "removal_asked_at",
    ),
    "passwords": ("staff_no", "password_hash", "by_code"),
}
"""By table, the columns that its MAC is over."""
_FINGERPRINT_DIGITS: Final = 32


def access_mac(mac_key: bytes, table: str, row: Mapping[str, Any]) -> bytes:
    """32 bytes; values as they are used or as they lie in the database (`audit.stored`), alike."""
    return keyed(mac_key, table, *(_part(row[name]) for name in ALLOWING[table]))


def with_mac(mac_key: bytes, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A new row, to be stored."""
    return {**row, "mac": access_mac(mac_key, table, row)}


def changed(mac_key: bytes, table: str, row: Any, **values: Any) -> dict[str, Any]:
    """What to store of a row that was read, with other values."""
    return with_mac(mac_key, table, allowing(table, row) | values)


def allowing(table: str, row: Any, prefix: str = "") -> dict[str, Any]:
    """The columns of a row that was read that the MAC is over, and the MAC; `prefix` is that of their labels."""
    return {name: getattr(row, prefix + name) for name in (*ALLOWING[table], "mac")}


def holds(mac_key: bytes, table: str, row: Any, prefix: str = "") -> bool:
    """Whether this service stored the row so, as it was read; `prefix` is that of its columns' labels."""
    values = allowing(table, row, prefix)
    mac = values["mac"]
    return isinstance(mac, bytes | memoryview) and hmac.compare_digest(access_mac(mac_key, table, values), bytes(mac))


def fingerprint(mac: bytes) -> str:
    """As entries name what has a MAC: it tells two apart, and helps nobody who has no key to guess."""
    return mac.hex()[:_FINGERPRINT_DIGITS]


def _part(value: Any) -> bytes:
    match value:
        case None:
            return b""
        case bytes() | memoryview():
            return b"b" + bytes(value)
        case datetime():
            return b"t" + utc_text(value).encode()
        case bool() | int():
            return b"t%d" % value
        case _:
            return b"t" + str(value).encode(errors="surrogatepass")
