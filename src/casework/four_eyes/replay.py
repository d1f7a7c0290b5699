"""Replays every request from its entries, compares it with its row, and holds cases and requests against each other.

The keeper of `request:` streams for `casework.audit.verify`. Each step is decided again with the chart it cites and the
people its entry names; an approved event has its step in the case, and a case's step under four eyes its request.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.audit.data_keys import WRAPPED
from casework.audit.entry import Entry
from casework.audit.erasure import Erased
from casework.audit.findings import Report
from casework.audit.heads import Tail, compare_head
from casework.audit.stored import as_stored
from casework.audit.tables import entries
from casework.cases.cited import Cited
from casework.cases.fold import ASKED as CASE_ASKED
from casework.cases.fold import STEP
from casework.four_eyes.case_events import NAME as EVENT
from casework.four_eyes.deciding import posts_for
from casework.four_eyes.post_grants import NAME as POST
from casework.four_eyes.stored import digest_of, opened_text
from casework.four_eyes.tables import requests
from casework.personal import Sealer, Vault
from casework.request import request as folding
from casework.request.request import COLUMNS, Request
from casework.request.situation import Situation
from casework.statechart.chart import Chart
from casework.statechart.decide import Refusal, decide, decide_opening
from casework.statechart.policy import Policy

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


class _Cite(NamedTuple):
    """What an entry of a case says of the request it names."""

    stream: str
    seq: int
    request_id: int
    wanted: dict[str, Any]


class RequestReplay:
    """The keeper of streams of requests."""

    def __init__(self, conn: Connection, vault: Vault, report: Report, erased: Erased) -> None:
        self._conn = conn
        self._vault = vault
        self._erased = erased
        self._report = report
        self._rulebook = Cited(conn, report)
        self._select = as_stored(requests, COLUMNS, conn.dialect.name)
        self._pending: list[_Folded] = []
        self._cites: list[_Cite] = []
        self._met = 0
        self._begin()

    def _begin(self) -> None:
        self._request: Request | None = None
        self._post: str | None = None
        self._broken = False

    # ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the stream is left alone."""
        if self._broken:
            return
        try:
            self._replay(entry)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._broken = True

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the request until enough are there to be compared in one statement."""
        request = self._request if sound and not self._broken else None
        led_to = _place(request.carried_out) if request is not None and request.carried_out is not None else None
        self._pending.append(_Folded(stream, tail, request, self._post, led_to))
        self._begin()
        if len(self._pending) >= _BATCH:
            self._flush()

    def cited(self, entry: Entry) -> None:
        """An entry of a case that names a request: asked for, or fired once it was approved."""
        if entry.event.startswith(CASE_ASKED):
            number = entry.data["request"]
            wanted = {"what": entry.event.removeprefix(CASE_ASKED), "asked_by": entry.actor.id}
        else:
            cleared = entry.data["four_eyes"]
            number = cleared["request"]
            wanted = {
                "what": entry.event.removeprefix(STEP), "topic": cleared["topic"], "asked_by": cleared["asked_by"],
                "reviewed_by": cleared["reviewed_by"], "decided_by": entry.actor.id, "state": "approved",
                "pinned_version": cleared["material_version"], "carried_out": entry.entry_id,
            }  # fmt: skip
        self._cite(entry, number, wanted)

    def granted(self, entry: Entry) -> None:
        """An entry of a person that names the request which granted a post."""
        data = entry.data
        wanted = {
            "what": data["post"], "decided_by": entry.actor.id, "state": "approved", "carried_out": entry.entry_id
        }  # fmt: skip
        self._cite(entry, data["request"], wanted)

    def _cite(self, entry: Entry, number: Any, wanted: dict[str, Any]) -> None:
        self._cites.append(_Cite(entry.stream, entry.stream_seq, number, {"subject": entry.stream, **wanted}))
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

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _replay(self, entry: Entry) -> None:
        cited = self._rulebook.of(entry)
        if cited is None:
            self._broken = True
            return
        chart, policy = cited
        at = datetime.fromisoformat(entry.recorded_at)
        if self._request is None:
            number = int(entry.stream.partition(":")[2])
            if entry.event != folding.ASKED:
                raise ValueError("a request begins by being asked")
            self._request = folding.asked(number, entry.actor.id, chart, entry.data, at)
            self._asked(entry, chart, policy)
            return
        request = self._request
        if entry.from_ != request.state:
            self._report.find("state_differs", entry.stream, entry.stream_seq, entry_says=entry.from_,
                              replayed=request.state)  # fmt: skip
        if entry.event.startswith(folding.REFUSED):
            self._refused(entry, request, chart, policy)
        else:
            self._moved(entry, request, chart, policy)
        folding.apply(request, entry.event, str(entry.to), entry.actor.id, entry.data, chart)

    def _asked(self, entry: Entry, chart: Chart, policy: Policy) -> None:
        data, opening = entry.data, chart.openings["request"]
        refusal = decide_opening(opening, self._situation(entry, None, policy), opening.posts)
        self._judge(entry, refusal)
        self._check_post(entry, chart.approvals[data["topic"]].proposed_by)
        if data["expires_after_days"] != policy.figure("approval.expires_after_days"):
            self._report.find("data_not_typed", entry.stream, entry.stream_seq, fields=["expires_after_days"])

    def _moved(self, entry: Entry, request: Request, chart: Chart, policy: Policy) -> None:
        event, role = entry.data["by"], entry.data["role"]
        verdict = decide(chart, event, request.state, self._situation(entry, request, policy), frozenset({role}))
        self._judge(entry, verdict if isinstance(verdict, Refusal) else None)
        if role == "system":
            return
        if event != "withdraw":
            self._check_post(entry, posts_for(chart.approvals[request.topic], event))
        if event != "approve":
            return
        self._post = entry.data["post"]
        if request.kind in (EVENT, POST) and "carried_out" not in entry.data:
            self._report.find("request_without_effect", entry.stream, entry.stream_seq)

    def _refused(self, entry: Entry, request: Request, chart: Chart, policy: Policy) -> None:
        event = entry.event.removeprefix(folding.REFUSED)
        recorded = [reason["code"] for reason in entry.data["reasons"]]
        if len(recorded) == 1 and recorded[0] in _BY_POSTS:
            return
        role = frozenset({entry.data["role"]})
        verdict = decide(chart, event, request.state, self._situation(entry, request, policy), role)
        replayed = [reason.code for reason in verdict.reasons] if isinstance(verdict, Refusal) else []
        # What an approval was to carry out can refuse it with reasons of its own: those are the case's to replay.
        by_subject = not replayed and event == "approve" and chart.events[event].arcs.keys() >= {request.state}
        if recorded != replayed and not by_subject:
            self._report.find("refusal_differs", entry.stream, entry.stream_seq, entry_says=recorded, replayed=replayed)

    def _situation(self, entry: Entry, request: Request | None, policy: Policy) -> Situation:
        data = entry.data
        topic = request.topic if request is not None else data["topic"]
        return Situation(
            request, topic, date.fromisoformat(data["day"]), policy, frozenset(data["people"]),
            frozenset(data["concerned"]), data.get("subject_version", 0), data.get("void", False),
            data.get("given", {}),
        )  # fmt: skip

    def _judge(self, entry: Entry, refusal: Refusal | None) -> None:
        codes = [reason.code for reason in refusal.reasons] if refusal else []
        two_parts = {"not_involved", "not_concerned"} & set(codes)
        if codes:
            code = "not_another_person" if two_parts else "step_not_allowed"
            self._report.find(code, entry.stream, entry.stream_seq, reasons=codes)

    def _check_post(self, entry: Entry, posts: frozenset[str]) -> None:
        """The post named may do it, and the people named are at least those who acted."""
        data = entry.data
        acted = {entry.actor.id, data.get("acting_for", entry.actor.id)}
        if data["post"] not in posts:
            self._report.find("post_not_permitted", entry.stream, entry.stream_seq, post=data["post"])
        if not acted <= set(data["people"]):
            self._report.find("not_another_person", entry.stream, entry.stream_seq, people=sorted(acted))

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
                key is not None and digest_of(self._vault, request.id, opened_text(key, sealed)) == request.data_digest
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
        names = ("id", "subject", "what", "topic", "state", "asked_by", "reviewed_by", "decided_by", "pinned_version",
                 "carried_out")  # fmt: skip
        select = as_stored(requests, names, self._conn.dialect.name)
        numbers = sorted({cite.request_id for cite in self._cites})
        found = {
            row[0]: dict(zip(names, row, strict=True)) for row in rows.select_by_keys(self._conn, select, "id", numbers)
        }
        for cite in self._cites:
            held = found.get(cite.request_id)
            differing = sorted(name for name, value in cite.wanted.items() if held is None or held[name] != value)
            if differing:
                code = "four_eyes_missing" if held is None else "four_eyes_differs"
                self._report.find(code, cite.stream, cite.seq, request=cite.request_id, columns=differing)
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
