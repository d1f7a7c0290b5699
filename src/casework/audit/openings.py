"""The openings of commitments (audit.md §5) against the entries of the walk (casework.audit.verify)."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.chain import commit
from casework.audit.findings import Report
from casework.audit.stored import as_stored
from casework.audit.tables import openings
from casework.personal import Vault

_OPENING = ("stream", "stream_seq", "field", "sealed")


class Openings:
    """Openings beside their commitments, both in order of stream and number: each is seen exactly once."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn = conn
        self._vault = vault
        self._report = report
        self._select = as_stored(openings, _OPENING, conn.dialect.name)
        self._after: tuple[str, int] | None = None

    def check(
        self, until: tuple[str, int] | None, committed: Mapping[tuple[str, int], Mapping[str, str] | None]
    ) -> None:
        """Openings after the last place and up to `until` against the commitments between them.

        A commitment of None is an entry whose body cannot be read: nothing is said of its openings.
        """
        place = sa.tuple_(openings.c.stream, openings.c.stream_seq)
        select = self._select
        if self._after is not None:
            select = select.where(place > self._after)
        if until is not None:
            select = select.where(place <= until)
        held: dict[tuple[str, int], dict[str, Any]] = {}
        for stream, seq, name, sealed in self._conn.execute(select):
            held.setdefault((stream, seq), {})[name] = sealed
        self._after = until
        for (stream, seq), fields in committed.items():
            here = held.pop((stream, seq), {})
            if fields is not None:
                self._compare(stream, seq, fields, here)
        for (stream, seq), unknown in held.items():
            self._report.find("opening_unannounced", stream, seq, fields=sorted(unknown))

    def _compare(self, stream: str, seq: int, fields: Mapping[str, str], held: dict[str, Any]) -> None:
        for name, commitment in fields.items():
            self._report.openings += 1
            if name not in held:
                self._report.find("opening_missing", stream, seq, field=name)
            elif not self._opens(name, held[name], commitment):
                self._report.find("opening_wrong", stream, seq, field=name)
        unknown = sorted(set(held) - set(fields))
        if unknown:
            self._report.find("opening_unannounced", stream, seq, fields=unknown)

    def _opens(self, name: str, sealed: Any, commitment: str) -> bool:
        try:
            opening = json.loads(self._vault.open("opening", sealed))
            return commit(bytes.fromhex(opening["salt"]), name, opening["value"]) == commitment
        except (ValueError, TypeError, KeyError, AttributeError):  # whatever was put there, it opens nothing
            return False
