"""Replays every case from its entries and compares it with its row: a change without an entry cannot hide.

Each entry is folded by the door's own `fold`, with the chart and policy it cites; every step and every
refusal is decided again. Runs as a keeper of `casework.audit.verify`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.audit.entry import Entry
from casework.audit.findings import Report
from casework.audit.heads import Tail, compare_head
from casework.audit.stored import as_stored
from casework.audit.tables import entries
from casework.audit.verify import verify_log
from casework.cases import fold
from casework.cases.case import COLUMNS, Case, to_row
from casework.cases.cited import Cited
from casework.cases.situation import Situation
from casework.cases.tables import cases
from casework.personal import Vault
from casework.statechart.chart import Chart
from casework.statechart.decide import Refusal, Step, decide, decide_opening
from casework.statechart.fields import Field, take
from casework.statechart.policy import Policy

PREFIX: Final = "case"
_POST_REASON: Final = "post_not_permitted"
_BATCH: Final = 1_000
_SHOWN: Final = 100
_HEAD_COLUMNS = ("audit_seq", "audit_head", "last_entry_at")
_HEAD_AT = tuple(COLUMNS.index(name) for name in _HEAD_COLUMNS)
_ID_AT = COLUMNS.index("id")


def verify(
    conn: Connection, mac_key: bytes, vault: Vault, *, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Verify the whole log, replay every case; `conn` is one snapshot (`reading(engine, snapshot=True)`)."""
    report, started = Report(), time.perf_counter()
    keeper = CaseReplay(conn, report)
    verify_log(conn, mac_key, vault, report, {PREFIX: keeper}, progress=progress)
    report.seconds = time.perf_counter() - started
    return report


class _Told(Exception):
    """The entry cannot be replayed further; the finding has been noted."""


class _Folded(NamedTuple):
    """A case whose stream has ended, to be compared with its row; no case if it could not be replayed."""

    stream: str
    tail: Tail
    case: Case | None


class _Judge:
    """What a case's entry means under the chart and policy it cites."""

    __slots__ = ("chart", "data", "entry", "policy", "today")

    def __init__(self, entry: Entry, chart: Chart, policy: Policy) -> None:
        self.entry = entry
        self.chart = chart
        self.policy = policy
        self.data = entry.data
        self.today = date.fromisoformat(entry.data["business_date"])

    def situation(self, case: Case) -> Situation:
        """The world in which it was decided."""
        data = self.data
        return Situation(
            case,
            self.today,
            self.policy,
            self.entry.actor.id,
            data.get("given", {}),
            data.get("gathered", {}),
        )

    def faulty_fields(self, fields: Mapping[str, Field]) -> list[str]:
        """Fields that are not as the chart declares them; a committed text counts as given."""
        given = dict.fromkeys(self.entry.personal, "–") | self.data["given"]
        if not fields and not given:
            return []
        # A day more than the wall clock of the entry, which no time zone exceeds.
        latest = max(self.today, date.fromisoformat(self.entry.recorded_at[:10]) + timedelta(days=1))
        return [fault.field for fault in take(fields, given, today=self.today, latest=latest)[2]]


class CaseReplay:
    """The keeper of streams of cases: folds them, decides again, compares with the rows."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._rulebook = Cited(conn, report)
        self._select = as_stored(cases, COLUMNS, conn.dialect.name)
        self._pending: list[_Folded] = []
        self._met = 0
        self._begin()

    def _begin(self) -> None:
        self._case: Case | None = None
        self._broken = False
        self._on = ""

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the case is left alone."""
        if self._broken:
            return
        try:
            self._replay(entry)
        except _Told:
            self._broken = True
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._find("replay_impossible", entry, error=type(error).__name__)
            self._broken = True

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep the case until enough are there to be compared in one statement."""
        self._report.cases += 1
        case = self._case if sound and not self._broken else None
        self._report.cases_not_replayed += case is None
        if case is not None:
            case.audit_seq, case.audit_head = tail.seq, tail.leaf_hash or b""
        self._pending.append(_Folded(stream, tail, case))
        self._begin()
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for cases without a stream, if there must be any."""
        self._flush()
        if self._conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one() == self._met:
            return
        stream = sa.literal(f"{PREFIX}:").concat(sa.cast(cases.c.id, sa.String))
        orphans = sa.select(cases.c.id).where(~sa.exists().where(entries.c.stream == stream)).limit(_SHOWN)
        for number in self._conn.execute(orphans).scalars():
            self._report.find("stream_missing", f"{PREFIX}:{number}")

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, code: str, entry: Entry, /, **detail: Any) -> None:
        self._report.find(code, entry.stream, entry.stream_seq, **detail)

    def _stop(self, code: str, entry: Entry, /, **detail: Any) -> None:
        self._find(code, entry, **detail)
        raise _Told

    def _replay(self, entry: Entry) -> None:
        cited = self._rulebook.of(entry)
        if cited is None:
            raise _Told
        judge = _Judge(entry, *cited)
        business_date = entry.data["business_date"]
        if business_date < self._on:
            self._find("business_date_decreased", entry, before=self._on, here=business_date)
        self._on = business_date
        case, event = self._case, entry.event
        if case is None:
            self._case = self._open(judge)
            return
        if entry.from_ != case.state:
            self._stop("state_differs", entry, entry_says=entry.from_, replayed=case.state)
        if event.startswith(fold.STEP):
            self._step(judge, case)
        elif event.startswith(fold.REFUSED):
            self._refusal(judge, case)
        else:
            self._other(judge, case)
        fold.apply(case, event, entry.to, entry.actor.id, entry.data, judge.chart, judge.policy)
        if entry.to != case.state:
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)

    def _open(self, judge: _Judge) -> Case:
        entry, chart = judge.entry, judge.chart
        case_id = int(entry.stream.partition(":")[2])
        if entry.event != fold.OPENED:
            self._stop("replay_impossible", entry, error="not_opened")
        case = fold.open_case(case_id, entry.actor.id, chart, entry.data)
        ground = chart.openings[entry.data["ground"]]
        refusal = decide_opening(ground, judge.situation(case), ground.posts)
        if refusal is not None:
            self._find("opening_not_allowed", entry, reasons=_codes(refusal))
        self._check_fields(judge, ground.fields)
        if (entry.from_, entry.to) != (None, case.state):
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)
        return case

    def _step(self, judge: _Judge, case: Case) -> None:
        entry, name = judge.entry, judge.entry.event.removeprefix(fold.STEP)
        self._report.replayed_steps += 1
        verdict = decide(judge.chart, name, case.state, judge.situation(case), frozenset({entry.data["post"]}))
        if not isinstance(verdict, Step):
            self._stop("step_not_allowed", entry, reasons=_codes(verdict))
        elif verdict.to != entry.to:
            self._stop("step_elsewhere", entry, entry_says=entry.to, replayed=verdict.to)
        self._check_fields(judge, judge.chart.events[name].fields)

    def _refusal(self, judge: _Judge, case: Case) -> None:
        entry, chart = judge.entry, judge.chart
        self._report.replayed_refusals += 1
        name, reasons = entry.event.removeprefix(fold.REFUSED), entry.data["reasons"]
        recorded = [reason["code"] for reason in reasons]
        if recorded == [_POST_REASON]:
            spec = chart.events.get(name)
            # Which posts may record a fact can depend on data that a refused one does not keep.
            permitted = spec.posts if spec else frozenset(reasons[0]["needs"]["any_of_posts"])
            held = reasons[0]["saw"]["posts"]
            if not permitted.isdisjoint(held) or not (spec or permitted <= chart.facts[name].posts):
                self._find("refusal_differs", entry, entry_says=recorded, replayed=[])
            return
        verdict = decide(chart, name, case.state, judge.situation(case), chart.events[name].posts)
        replayed = _codes(verdict) if isinstance(verdict, Refusal) else []
        if recorded != replayed or entry.reason_code != recorded[0]:
            self._find("refusal_differs", entry, entry_says=recorded, replayed=replayed)

    def _other(self, judge: _Judge, case: Case) -> None:
        """Facts, measures, notes, assignments: none of them moves the case."""
        entry = judge.entry
        if entry.event.startswith(fold.FACT):
            self._report.replayed_facts += 1
            kind = judge.chart.facts[entry.event.removeprefix(fold.FACT)]
            if entry.data["post"] not in judge.chart.recorded_by(kind, entry.data["given"]):
                self._find(_POST_REASON, entry, post=entry.data["post"])
            self._check_fields(judge, kind.fields)
        if entry.to != case.state:
            self._stop("state_differs", entry, entry_says=entry.to, replayed=case.state)

    def _check_fields(self, judge: _Judge, fields: Mapping[str, Field]) -> None:
        faulty = judge.faulty_fields(fields)
        if faulty:
            self._find("data_not_typed", judge.entry, fields=faulty)

    # ── the rows ────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        numbers = {folded.stream: _number(folded.stream) for folded in self._pending}
        wanted = [number for number in numbers.values() if number is not None]
        found = {row[_ID_AT]: tuple(row) for row in rows.select_by_keys(self._conn, self._select, "id", wanted)}
        self._met += len(found)
        for folded in self._pending:
            number = numbers[folded.stream]
            self._compare(folded, None if number is None else found.get(number))
        self._pending.clear()

    def _compare(self, folded: _Folded, row: tuple[Any, ...] | None) -> None:
        stream, tail, case = folded
        if row is None:
            compare_head(self._report, stream, tail, None)
            return
        seq, leaf, at = (row[place] for place in _HEAD_AT)
        compare_head(self._report, stream, tail, (seq, leaf, at))
        if case is None:
            return
        differing = [
            name
            for name, held, replayed in zip(COLUMNS, row, _as_stored_row(case), strict=True)
            if held != replayed and name not in _HEAD_COLUMNS
        ]
        if differing:
            self._report.find("row_differs", stream, tail.seq, columns=differing)


def _codes(verdict: Refusal) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def _number(stream: str) -> int | None:
    text = stream.partition(":")[2]
    # Only the spelling that the service itself uses, within the database's integers.
    plain = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if plain and text == str(int(text)) else None


def _as_stored_row(case: Case) -> Iterable[Any]:
    """The row of a case as `as_stored` reads it; the head's columns are compared apart."""
    return (value.isoformat() if type(value) is date else value for value in to_row(case))
