"""The openings of commitments (docs/log.md §5) against the entries of the walk (casework.log.check.verify).

An opening is there and opens its commitment, or an erasure covers it and it is gone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.parts import Part
from casework.log.format.chain import commit
from casework.log.format.erasure import Erased
from casework.log.stored import as_stored
from casework.log.tables import opening_keys, openings
from casework.log.write.data_keys import opener
from casework.log.write.trail import opening_cell
from casework.personal import ValueSealer, Vault

_OPENING = ("stream", "stream_seq", "field", "sealed", "subject")
_KEYS_KEPT = 1_000
_decoded = msgspec.json.Decoder().decode


class Openings:
    """Openings beside their commitments, both in order of stream and number: each is seen exactly once."""

    def __init__(self, conn: Connection, vault: Vault, report: Report, erased: Erased) -> None:
        self._conn = conn
        self._vault = vault
        self._report = report
        self._erased = erased
        wrapped = sa.type_coerce(opening_keys.c.wrapped, sa.types.NullType()).label("wrapped")
        keys = openings.outerjoin(opening_keys, opening_keys.c.subject == openings.c.subject)
        held = as_stored(openings, _OPENING, conn.dialect.name)
        self._select = held.add_columns(wrapped).select_from(keys)
        self._keys: dict[tuple[Any, Any], ValueSealer] = {}
        self._after: tuple[str, int] | None = None
        self._of_part = self._select

    def begin(self, part: Part) -> None:
        """Those of another part of the streams follow."""
        self._of_part, self._after = self._select.where(*part.holds(openings.c.stream)), None

    def check(
        self, until: tuple[str, int] | None, committed: Mapping[tuple[str, int], Mapping[str, str] | None]
    ) -> None:
        """Openings of the part after the last place and up to `until` against the commitments between them.

        A commitment of None is an entry whose body cannot be read: nothing is said of its openings.
        """
        place = sa.tuple_(openings.c.stream, openings.c.stream_seq)
        select = self._of_part
        if self._after is not None:
            select = select.where(place > self._after)
        if until is not None:
            select = select.where(place <= until)
        held: dict[tuple[str, int], dict[str, Any]] = {}
        for stream, seq, name, *sealed in self._conn.execute(select):
            held.setdefault((stream, seq), {})[name] = sealed
        self._after = until
        for (stream, seq), fields in committed.items():
            here = held.pop((stream, seq), {})
            if fields is not None:
                self._compare(stream, seq, fields, here)
        for (stream, seq), unknown in held.items():
            self._report.find("opening_unannounced", stream, seq, fields=sorted(unknown))

    def _compare(self, stream: str, seq: int, fields: Mapping[str, str], held: dict[str, Any]) -> None:
        by = self._erased.by(stream, seq) if len(self._erased) else None
        for name, commitment in fields.items():
            self._report.openings += 1
            if by is not None:
                if name in held:
                    self._report.find("opening_not_erased", stream, seq, field=name, erased_by=by)
                else:
                    self._report.openings_erased += 1
            elif name not in held:
                self._report.find("opening_missing", stream, seq, field=name)
            elif not self._opens(opening_cell(stream, seq, name), name, held[name], commitment):
                self._report.find("opening_wrong", stream, seq, field=name)
        unknown = sorted(set(held) - set(fields))
        if unknown:
            self._report.find("opening_unannounced", stream, seq, fields=unknown)

    def _opens(self, place: str, name: str, held: tuple[Any, Any, Any], commitment: str) -> bool:
        sealed, subject, wrapped = held
        try:
            opening = _decoded(self._key(subject, wrapped).open(place, sealed))
            return commit(bytes.fromhex(opening["salt"]), name, opening["value"]) == commitment
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            msgspec.MsgspecError,
        ):  # whatever was put there, it opens nothing
            return False

    def _key(self, subject: Any, wrapped: Any) -> ValueSealer:
        """Entries of one borrower stand beside each other: a key is unwrapped once, not for each of their texts."""
        key = self._keys.get((subject, wrapped))
        if key is None:
            key = opener(self._vault, subject, wrapped)
            if len(self._keys) >= _KEYS_KEPT:
                self._keys.clear()
            self._keys[subject, wrapped] = key
        return key
