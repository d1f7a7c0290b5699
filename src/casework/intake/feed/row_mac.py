"""The MAC in each row of the books, and the digest of all of an institution's: what shows that SQL has changed them.

A row's MAC is over all that it says, with its key: who has the database and no key can change no row, nor put one
elsewhere, unseen. That a row is gone, or an earlier one, shows only in the digest of the MACs of all of them, which the
entry of a feed states (`casework.intake.feed.left_rows`).
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from casework.clock import utc_text
from casework.log.format.chain import keyed

COVERED: Final[Mapping[str, tuple[str, ...]]] = {
    "loans": (
        "loan_id", "institution", "borrower_id", "product", "channel_code", "owner_staff_no", "team", "region",
        "disbursed_on", "self_payment", "principal_fen", "outstanding_principal_fen", "risk_class", "npl_since",
        "status", "omitted_on",
    ),
    "borrowers": ("institution", "borrower_id", "name_sealed", "name_index", "id_number_sealed", "id_number_index"),
    "contacts": (
        "institution", "borrower_id", "role", "relation", "address_kind", "source", "legal_basis", "name_sealed",
        "phone_sealed", "phone_index", "address_sealed", "row_hash", "found_by", "added_at", "refused_at", "ended_at",
    ),
    "repayments": ("institution", "payment_id", "loan_id", "paid_on", "amount_fen", "reverses", "run_id"),
}  # fmt: skip
"""By table, the columns that the MAC is over, in its order.

Not `loans.row_hash`, by which an import skips a row that it knows: changed, it costs the next import a look. Not
`contacts.id`, which storing makes.
"""
MAC_BYTES: Final = 16
_FLAGS: Final = {"loans": COVERED["loans"].index("self_payment")}  # SQLite keeps them as numbers
_INSTANTS: Final = {"contacts": COVERED["contacts"].index("added_at")}  # from there on; `audit.stored` reads texts
_ONE: Final = struct.Struct(f"{MAC_BYTES}s")
_DIGEST_LABEL: Final = b"casework/rows/v1\n"
_encode = msgspec.msgpack.Encoder().encode


class Stated(msgspec.Struct, frozen=True):
    """Rows as an entry states them: how many, and a digest in hex."""

    rows: int
    sha256: str


MakeMac = Callable[[tuple[Any, ...]], bytes]


def row_mac(mac_key: bytes, table: str) -> MakeMac:
    """What makes the MAC (16 bytes) of a row of `table` from the values of `COVERED`.

    BLAKE2b with a key of its own purpose; values as the service writes them, or as `audit.stored` reads them.
    """
    state = hashlib.blake2b(digest_size=MAC_BYTES, key=keyed(mac_key, "rows"), person=table.encode())
    at = _INSTANTS.get(table)

    def mac(values: tuple[Any, ...]) -> bytes:
        own = state.copy()
        own.update(_encode(values if at is None else (*values[:at], *map(_as_text, values[at:]))))
        return own.digest()

    return mac


def _as_text(value: Any) -> Any:
    return utc_text(value) if isinstance(value, datetime) else value


def as_written(table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values that `audit.stored` read, as the service writes them."""
    at = _FLAGS.get(table)
    if at is None or type(values[at]) is not int or values[at] not in (0, 1):
        return values
    return (*values[:at], bool(values[at]), *values[at + 1 :])


def as_mac(value: Any) -> bytes:
    """What a row has as its MAC; what cannot be one as a MAC that no row has."""
    return bytes(value) if isinstance(value, (bytes, memoryview)) and len(value) == MAC_BYTES else bytes(MAC_BYTES)


class MacSet:
    """The MACs of many rows, in any order, at 16 bytes each."""

    __slots__ = ("_gone", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._gone: list[bytes] = []

    def add(self, mac: bytes) -> None:
        """A row; ValueError for what cannot be a MAC."""
        if len(mac) != MAC_BYTES:
            raise ValueError("a MAC of a row has 16 bytes")
        self._held += mac

    def add_all(self, macs: bytes) -> None:
        """Of many rows, one after the other; ValueError for what cannot be MACs."""
        if len(macs) % MAC_BYTES:
            raise ValueError("a MAC of a row has 16 bytes")
        self._held += macs

    def add_stored(self, macs: Iterable[Any]) -> None:
        """What rows have as their MACs."""
        for mac in macs:
            self._held += mac if type(mac) is bytes and len(mac) == MAC_BYTES else as_mac(mac)

    def remove(self, mac: bytes) -> None:
        """A row that is there no more."""
        self._gone.append(mac)

    def stated(self) -> Stated:
        """How many there are, and the digest of all of them in order."""
        return _stated(self._held, self._gone)

    def stated_before(self, gone: Iterable[bytes], new: Iterable[bytes]) -> Stated:
        """The same before these went and those came."""
        return _stated(self._held + b"".join(gone), [*self._gone, *new])


def _stated(held: bytearray, gone: Collection[bytes]) -> Stated:
    macs = sorted(mac for (mac,) in _ONE.iter_unpack(held))
    if not gone:
        return Stated(len(macs), hashlib.sha256(_DIGEST_LABEL + b"".join(macs)).hexdigest())
    left = Counter(gone)
    macs = [mac for mac in macs if not _taken(left, mac)]
    rows = len(macs) - left.total()  # fewer than none where one went that was not there: no entry says so
    return Stated(rows, hashlib.sha256(_DIGEST_LABEL + b"".join(macs)).hexdigest())


def _taken(gone: Counter[bytes], mac: bytes) -> bool:
    """Whether this one is gone: as many of them as went."""
    if not gone.get(mac):
        return False
    gone[mac] -= 1
    return True
