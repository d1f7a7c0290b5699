"""Replays every request from its entries, compares it with its row, and holds cases and requests against each other.

The keeper of `request:` streams for `log.check.verify`. Each step is decided again with the chart it cites and the
people its entry names; an approved event has its step in the case, and a case's step under four eyes its request.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.heads import Tail, compare_head
from casework.log.format.entry import Entry
from casework.log.format.erasure import Erased
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.log.write.data_keys import WRAPPED
from casework.personal import Sealer, Vault
from casework.storage import rows
from casework.work.cases.publish import cited_in
from casework.work.four_eyes.case_events import NAME as EVENT
from casework.work.four_eyes.judge import (
    CITED,
    Cite,
    RequestJudge,
    cite_of,
    compare_cite,
)
from casework.work.four_eyes.stored import digest_of, opened_text
from casework.work.four_eyes.tables import requests
from casework.work.request import request as folding
from casework.work.request.request import COLUMNS, Request

PREFIX: Final = folding.PREFIX
_BATCH: Final = 1_000
_SHOWN: Final = 100
_HEAD = ("audit_seq", "audit_head", "last_entry_at")
_APART = (*_HEAD, "data_sealed", "sealed_for")  # compared by themselves
_ID_AT, _SEALED_FOR_AT = COLUMNS.index("id"), COLUMNS.index("sealed_for")
_BY_POSTS = ("post_not_permitted", "out_of_reach")


class _Folded(NamedTuple):
    """A request whose stream has ended; none if it could not be replayed."""

    stream: str
    tail: Tail
    request: Request | None
    post: str | None  # of who approved it
    led_to: tuple[str, int] | None


class RequestReplay:
    """The keeper of streams of requests."""

    def __init__(self, conn: Connection, vault: Vault, report: Report, erased: Erased) -> None:
        self._conn = conn
        self._vault = vault
        self._erased = erased
        self._report = report
        self._judge = RequestJudge(cited_in(conn, report), report)
        self._select = as_stored(requests, COLUMNS, conn.dialect.name)
        self._pending: list[_Folded] = []
        self._cites: list[Cite] = []
        self._met = 0

    # ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the request until enough are there to be compared in one statement."""
        request, post = self._judge.end(sound=sound)
        led_to = _place(request.carried_out) if request is not None and request.carried_out is not None else None
        self._pending.append(_Folded(stream, tail, request, post, led_to))
        if len(self._pending) >= _BATCH:
            self._flush()

    def cited(self, entry: Entry) -> None:
        """An entry of a case or of a person that names a request."""
        self._cites.append(cite_of(entry))
        if len(self._cites) >= _BATCH:
            self._compare_cites()

    def finish(self) -> None:
        """Compare the rest; then look for requests without a stream, if there must be any."""
        self._flush()
        self._compare_cites()
        if self._conn.execute(sa.select(sa.func.count()).select_from(requests)).scalar_one() == self._met:
            return
        stream = sa.literal(f"{PREFIX}:").concat(sa.cast(requests.c.id, sa.String))
        alone = sa.select(requests.c.id).where(~sa.exists().where(entries.c.stream == stream)).limit(_SHOWN)
        for number in self._conn.execute(alone).scalars():
            self._report.find("stream_missing", f"{PREFIX}:{number}")

    # ── the rows ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        wanted = [folded.request.id for folded in self._pending if folded.request is not None]
        numbers = {folded.stream: _number(folded.stream) for folded in self._pending}
        known = sorted({number for number in numbers.values() if number is not None} | set(wanted))
        found = {row[_ID_AT]: row for row in rows.select_by_keys(self._conn, self._select, "id", known)}
        self._met += len(found)
        subjects = {row[_SEALED_FOR_AT] for row in found.values() if type(row[_SEALED_FOR_AT]) is str}
        keys = self._keys_of(subjects) if subjects else {}
        for folded in self._pending:
            number = numbers[folded.stream]
            self._compare(folded, None if number is None else found.get(number), keys)
        self._check_effects(self._pending)
        self._pending.clear()

    def _keys_of(self, subjects: set[str]) -> Mapping[str, Sealer]:
        """The keys that are there and were not altered."""
        found = {}
        for subject, wrapped in rows.select_by_keys(self._conn, WRAPPED, "subject", sorted(subjects)):
            with suppress(TypeError, ValueError):
                found[subject] = self._vault.unwrap(subject, wrapped)
        return found

    def _compare(self, folded: _Folded, row: Any, keys: Mapping[str, Sealer]) -> None:
        stream, tail, request, *_ = folded
        if row is None:
            compare_head(self._report, stream, tail, None)
            return
        held = dict(zip(COLUMNS, row, strict=True))
        compare_head(self._report, stream, tail, (held["audit_seq"], held["audit_head"], held["last_entry_at"]))
        if request is None:
            return
        differing = [
            name for name in COLUMNS if name not in _APART and held[name] != _as_stored(getattr(request, name))
        ]
        key = self._vault if held["sealed_for"] is None else keys.get(held["sealed_for"])
        by = self._erased.by(stream, 1)
        if by is not None and held["data_sealed"] == folding.ERASED:
            self._report.requests_erased += 1
        elif by is not None:
            self._report.find("opening_not_erased", stream, 1, field="data", erased_by=by)
        elif held["data_sealed"] == folding.ERASED:
            self._report.find("opening_missing", stream, 1, field="data")
        elif not self._opens(key, request, held["data_sealed"]):
            differing.append("data_sealed")
        if differing:
            self._report.find("row_differs", stream, tail.seq, columns=differing)

    def _opens(self, key: Sealer | None, request: Request, sealed: Any) -> bool:
        """Whether what is kept sealed is what the entry commits to."""
        try:
            return (
                key is not None
                and digest_of(self._vault, request, opened_text(key, request.id, sealed)) == request.data_digest
            )
        except (TypeError, ValueError):
            return False

    def _check_effects(self, replayed: Iterable[_Folded]) -> None:
        """What an approval led to is there, is about the same, names the request and the post of who approved."""
        led = {folded.led_to: folded for folded in replayed if folded.led_to is not None}
        place = sa.tuple_(entries.c.stream, entries.c.stream_seq)
        bodies = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(place.in_(list(led)))
        said = {(row[0], row[1]): _data_of(row[2]) for row in self._conn.execute(bodies)} if led else {}
        for (stream, seq), (_, tail, request, post, _) in led.items():
            data = said.get((stream, seq), {})
            named = data.get("four_eyes", {}).get("request", data.get("request"))
            right = request is not None and (stream, named) == (request.subject, request.id)
            if right and request is not None and request.kind == EVENT:
                right = data.get("post") == post
            if not right and request is not None:
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


def _data_of(body: Any) -> dict[str, Any]:
    """The data of an entry; none of a body that cannot be read (the walk says so)."""
    try:
        data: dict[str, Any] = msgspec.json.decode(bytes(body))["data"]
    except (TypeError, ValueError, KeyError):
        return {}
    return data


def _place(entry_id: str) -> tuple[str, int]:
    """Stream and number of an entry; an id that is none names an entry that is nowhere."""
    stream, _, seq = entry_id.rpartition(":")
    return stream, int(seq) if seq.isascii() and seq.isdecimal() and len(seq) <= 16 else 0


def _as_stored(value: Any) -> Any:
    return value.isoformat() if type(value) is date else value


def _number(stream: str) -> int | None:
    text = stream.partition(":")[2]
    plain = text.isascii() and text.isdecimal() and len(text) <= 16
    return int(text) if plain and text == str(int(text)) else None
