"""Which entries a file is made of: read in one pass, stream by stream, in the order of each."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.evidence.mining.told import EventPart, is_refusal
from casework.log.format.entry import Entry, MalformedEntry, decode_strict
from casework.log.tables import entries
from casework.work.cases.filter import BusinessDates, CaseFilter, conditions_of
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import requests

BATCH: Final = 2_000


class MiningWanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which events: every part given must hold. Days are the branch's, both ends included; `events` may end in `*`.

    `cases` and `case_ids` leave the events of those cases and of the requests about them.
    """

    from_on: date | None = None
    to_on: date | None = None
    events: tuple[str, ...] = ()
    refusals: bool = True
    case_ids: tuple[int, ...] = ()
    cases: CaseFilter | None = None

    @property
    def of_cases(self) -> bool:
        """Whether it names cases at all."""
        return bool(self.case_ids) or self.cases is not None

    def takes(self, event: str) -> bool:
        """Whether events of this name are wanted."""
        if not self.refusals and is_refusal(event):
            return False
        return not self.events or any(_matches(event, wanted) for wanted in self.events)


class Chosen:
    """The entries of some streams, told apart by what the file makes of them."""

    def __init__(
        self, conn: Connection, wanted: MiningWanted, prefixes: Iterable[str], dates: BusinessDates, zone: str
    ):
        """CallerErrors `filter_malformed`, `period_malformed`."""
        if wanted.from_on is not None and wanted.to_on is not None and wanted.to_on < wanted.from_on:
            raise CallerError("period_malformed")
        self._conn = conn
        self._wanted = wanted
        self._from = None if wanted.from_on is None else utc_text(_begin(wanted.from_on, zone))
        self._conditions = [_streams(wanted, prefixes, dates)]
        if wanted.to_on is not None:
            self._conditions.append(entries.c.recorded_at < _begin(wanted.to_on + timedelta(days=1), zone))

    def count(self) -> int:
        """How many entries are read (not all of them become events)."""
        counted = sa.select(sa.func.count()).select_from(entries).where(*self._conditions)
        return int(self._conn.execute(counted).scalar_one())

    def read(self) -> Iterator[tuple[Entry, EventPart]]:
        """Ordered by stream and number; CallerError `entry_unreadable` where a body is not in the one form."""
        columns = (entries.c.stream, entries.c.stream_seq, entries.c.body)
        statement = sa.select(*columns).where(*self._conditions).order_by(entries.c.stream, entries.c.stream_seq)
        takes: dict[str, bool] = {}
        with closing(self._conn.execute(statement, execution_options={"yield_per": BATCH})) as found:
            for row in found:
                entry = _opened(row)
                if self._from is not None and entry.recorded_at < self._from:
                    yield entry, EventPart.BEFORE
                    continue
                if entry.event not in takes:
                    takes[entry.event] = self._wanted.takes(entry.event)
                yield entry, EventPart.IN if takes[entry.event] else EventPart.BESIDE


def _opened(row: Any) -> Entry:
    try:
        return decode_strict(bytes(row.body))
    except MalformedEntry as fault:
        raise CallerError("entry_unreadable", stream=row.stream, stream_seq=row.stream_seq, fault=fault.code) from None


def _begin(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _matches(event: str, wanted: str) -> bool:
    return event.startswith(wanted[:-1]) if wanted.endswith("*") else event == wanted


def _streams(wanted: MiningWanted, prefixes: Iterable[str], dates: BusinessDates) -> sa.ColumnElement[bool]:
    kinds = tuple(prefixes)
    if not wanted.of_cases:
        return sa.or_(*(entries.c.stream.startswith(f"{kind}:", autoescape=True) for kind in kinds))
    conditions = conditions_of(wanted.cases or CaseFilter(), dates)
    if wanted.case_ids:
        conditions.append(cases.c.id.in_(sorted(set(wanted.case_ids))))
    named = sa.select(sa.literal("case:") + sa.cast(cases.c.id, sa.String)).where(*conditions)
    found = entries.c.stream.in_(named)
    if "request" not in kinds:
        return found
    about = sa.select(sa.literal("request:") + sa.cast(requests.c.id, sa.String)).where(requests.c.subject.in_(named))
    return sa.or_(found, entries.c.stream.in_(about))
