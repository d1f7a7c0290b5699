"""Replays every request from its entries, compares it with its row, and holds cases and requests against each other.

The keeper of `request:` streams for `log.check.verify`. An approved event has its step in the case, and a case's
step under four eyes its request.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.replay import Folded, RootRows
from casework.lifecycle.stream_judges import RootJudge
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.log.format.erasure import Erased
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.log.write.data_keys import WRAPPED
from casework.personal import ValueSealer, Vault
from casework.storage import rows
from casework.work.cases.publish import cited_in
from casework.work.four_eyes.judge import CITED, Cite, OfRequest, cite_of, compare_cite, subject_of
from casework.work.four_eyes.stored import digest_of, opened_text
from casework.work.four_eyes.tables import REQUESTS, requests
from casework.work.requests import ERASED, EVENT, REQUEST, Request

PREFIX: Final = REQUEST.word
_BATCH: Final = 1_000


class RequestReplay:
    """The keeper of streams of requests."""

    def __init__(self, conn: Connection, vault: Vault, report: Report, erased: Erased) -> None:
        self._conn = conn
        self._vault = vault
        self._erased = erased
        self._report = report
        self._of_request = OfRequest(report, self.cited)
        self._judge = RootJudge(self._of_request, cited_in(conn, report).of)
        self._rows = RootRows(conn, report, REQUESTS, self._also, ("data_sealed", "sealed_for"))
        self._cites: list[Cite] = []

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the request until enough are there to be compared in one statement."""
        self._rows.expect(Folded(stream, tail, self._judge.end(sound=sound), self._of_request.decided_post))

    def cited(self, entry: Entry) -> None:
        """An entry of a case or of a person that names a request."""
        self._cites.append(cite_of(entry))
        if len(self._cites) >= _BATCH:
            self._compare_cites()

    def cut_cites(self) -> None:
        """A part of the streams has ended: compare what was cited in it."""
        self._compare_cites()

    def finish(self) -> None:
        """Compare the rest; then look for requests without a stream, if there must be any."""
        self._rows.finish()
        self._compare_cites()

    # ── beside the rows ─────────────────────────────────────────────────────────────────────────────────────────────

    def _also(self, ended: Sequence[Folded], held: Mapping[int, Any]) -> None:
        """What is kept sealed, and what approvals led to."""
        subjects = {row.sealed_for for row in held.values() if type(row.sealed_for) is str}
        keys = self._keys_of(subjects) if subjects else {}
        for one in ended:
            row = None if one.number is None else held.get(one.number)
            if row is not None and one.subject is not None:
                self._check_sealed(one, row, keys)
        self._check_effects(ended)

    def _keys_of(self, subjects: set[str]) -> Mapping[str, ValueSealer]:
        """The keys that are there and were not altered."""
        found = {}
        for subject, wrapped in rows.select_by_keys(self._conn, WRAPPED, "subject", sorted(subjects)):
            with suppress(TypeError, ValueError):
                found[subject] = self._vault.unwrap(subject, wrapped)
        return found

    def _check_sealed(self, one: Folded, row: Any, keys: Mapping[str, ValueSealer]) -> None:
        key = self._vault if row.sealed_for is None else keys.get(row.sealed_for)
        by, mark = self._erased.by(one.stream, 1), row.data_sealed == ERASED
        if by is not None and mark:
            self._report.requests_erased += 1
        elif by is not None:
            self._report.find("opening_not_erased", one.stream, 1, field="data", erased_by=by)
        elif mark:
            self._report.find("opening_missing", one.stream, 1, field="data")
        elif not self._opens(key, one.subject, row.data_sealed):
            self._report.find("row_differs", one.stream, one.tail.seq, columns=["data_sealed"])

    def _opens(self, key: ValueSealer | None, request: Request, sealed: Any) -> bool:
        """Whether what is kept sealed is what the entry commits to."""
        try:
            return (
                key is not None
                and digest_of(self._vault, request, opened_text(key, request.id, sealed)) == request.data_digest
            )
        except (TypeError, ValueError):
            return False

    def _check_effects(self, ended: Sequence[Folded]) -> None:
        """What an approval led to is there, is about the same, names the request and the post of who approved."""
        led = {
            _place(one.subject.carried_out): one for one in ended
            if one.subject is not None and one.subject.carried_out is not None
        }  # fmt: skip
        place = sa.tuple_(entries.c.stream, entries.c.stream_seq)
        bodies = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(place.in_(list(led)))
        said = {(row[0], row[1]): _told_by(row[2]) for row in self._conn.execute(bodies)} if led else {}
        for (stream, seq), one in led.items():
            tail, request, post = one.tail, one.subject, one.more
            event, data = said.get((stream, seq), ("", {}))
            named = data.get("four_eyes", {}).get("request", data.get("request"))
            right = (subject_of(stream, event, data), named) == (request.subject, request.id)
            if not right or (request.kind == EVENT and data.get("post") != post):
                self._report.find("four_eyes_differs", request.stream, tail.seq, entry=f"{stream}:{seq}")

    def _compare_cites(self) -> None:
        select = as_stored(requests, CITED, self._conn.dialect.name)
        numbers = sorted({cite.request_id for cite in self._cites})
        found = {
            row[0]: dict(zip(CITED, row, strict=True)) for row in rows.select_by_keys(self._conn, select, "id", numbers)
        }
        for cite in self._cites:
            compare_cite(cite, found.get(cite.request_id), self._report)
        self._cites.clear()


def _told_by(body: Any) -> tuple[str, dict[str, Any]]:
    """Event and data of an entry; nothing of a body that cannot be read (the walk says so)."""
    try:
        entry = msgspec.json.decode(bytes(body))
        return str(entry["event"]), dict(entry["data"])
    except (TypeError, ValueError, KeyError):
        return "", {}


def _place(entry_id: str) -> tuple[str, int]:
    """Stream and number of an entry; an id that is none names an entry that is nowhere."""
    stream, _, seq = entry_id.rpartition(":")
    return stream, int(seq) if seq.isascii() and seq.isdecimal() and len(seq) <= 16 else 0
