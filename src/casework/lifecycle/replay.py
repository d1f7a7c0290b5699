"""The rows of a noun against what their entries make of them; and the keeper of what is a customer's.

Runs beside the keepers of `casework.log.check.verify`; the entries are judged by `casework.lifecycle.judge`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.customer import Customer, stream_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.stream_judges import ActOf, CitedBy, CustomerJudge
from casework.lifecycle.subject import HEAD
from casework.lifecycle.told import Told
from casework.log.check.counted import Counted
from casework.log.check.findings import Report
from casework.log.check.heads import Tail, compare_head
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.personal import Vault
from casework.storage import rows

_BATCH: Final = 1_000
_SHOWN: Final = 100
_DIGITS: Final = 18  # within the integers of every database


class _Expected(NamedTuple):
    stream: str
    seq: int  # the last entry of the stream
    number: int
    subject: Any


class NounRows(Counted):
    """Compares the rows of one noun; the head, where its rows keep one, is compared with its stream.

    `stream_of_row`: the stream in which a row's entries lie, by its columns.
    """

    def __init__(
        self, conn: Connection, report: Report, noun: Kept, stream_of_row: Callable[[Mapping[str, Any]], str]
    ) -> None:
        self._conn = conn
        self._report = report
        self._noun = noun
        self._stream_of = stream_of_row
        self._columns = tuple(name for name in noun.rows.columns if name not in HEAD)
        self._select = as_stored(noun.table, self._columns, conn.dialect.name)
        self._meant = _Meant(noun, self._columns)
        self._pending: list[_Expected] = []

    def expect(self, stream: str, seq: int, number: int, subject: Any) -> None:
        """Entries of `stream` made this; they are compared in one statement when enough are there."""
        self._pending.append(_Expected(stream, seq, number, subject))
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for rows that no entry speaks of, if there must be any."""
        self._flush()
        counted = self._conn.execute(sa.select(sa.func.count()).select_from(self._noun.table)).scalar_one()
        if counted != self._met:
            self._find_alone()

    def _flush(self) -> None:
        wanted = [expected.number for expected in self._pending]
        found = {row[0]: row for row in rows.select_by_keys(self._conn, self._select, "id", sorted(set(wanted)))}
        self._met += len(found)
        for stream, seq, number, subject in self._pending:
            row, about = found.get(number), {self._noun.word: number}
            if row is None:
                self._report.find("row_missing", stream, seq, **about)
                continue
            if differing := self._meant.differing(subject, tuple(row)):
                self._report.find("row_differs", stream, seq, columns=differing, **about)
        self._pending.clear()

    def _find_alone(self) -> None:
        """Row by row: the entry that opened it must lie in its stream. Asked only where rows and entries differ."""
        shown, last = 0, 0
        while shown < _SHOWN:
            batch = self._conn.execute(
                self._select.where(self._noun.table.c.id > last).order_by(self._noun.table.c.id).limit(_BATCH)
            ).all()
            if not batch:
                return
            last = batch[-1][0]
            streams = {row[0]: self._stream_of(dict(zip(self._columns, row, strict=True))) for row in batch}
            spoken_of = self._opened_in(set(streams.values()))
            for number, stream in streams.items():
                if (stream, number) not in spoken_of and shown < _SHOWN:
                    shown += 1
                    self._report.find(
                        "row_without_entries", stream or None, table=str(self._noun.table.name),
                        **{self._noun.word: number},
                    )  # fmt: skip

    def _opened_in(self, streams: Iterable[str]) -> set[tuple[str, int]]:
        """The numbers that openings in these streams gave."""
        wanted = sa.select(entries.c.stream, entries.c.body).where(
            entries.c.stream.in_(sorted(streams)), entries.c.event == self._noun.says.opened
        )
        found = set()
        for stream, body in self._conn.execute(wanted):
            try:
                said = {self._noun.word: int(stream.partition(":")[2])} if self._noun.alone else {}
                found.add((stream, (said or msgspec.json.decode(body)["data"])[self._noun.word]))
            except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, KeyError, ValueError):
                continue  # the walk over the entries says so
        return found


class Folded:
    """A stream that has ended, and whose it is: none if it could not be replayed. `more`: what else it told.

    `number`: that in its name, none in a spelling that the service does not use itself.
    """

    __slots__ = ("more", "number", "stream", "subject", "tail")

    def __init__(self, stream: str, tail: Tail, subject: Any, more: Any = None) -> None:
        self.stream, self.tail, self.subject, self.more = stream, tail, subject, more
        text = stream.partition(":")[2]
        plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        self.number = int(text) if plain and text == str(int(text)) else None


class RootRows(Counted):
    """Compares the rows of a noun that has streams of its own, head and columns, when enough are there.

    `apart`: columns that are for `also` to compare, which gets the streams and the rows by number (`columns`).
    """

    def __init__(
        self, conn: Connection, report: Report, noun: Kept,
        also: Callable[[Sequence[Folded], Mapping[int, Any]], None], apart: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._conn = conn
        self._report = report
        self._noun = noun
        self._also = also
        names = noun.rows.columns
        compared = [place for place, name in enumerate(names) if name not in (*HEAD, *apart)]
        self._compared: Callable[[Any], tuple[Any, ...]] = itemgetter(*compared)
        self._meant = _Meant(noun, [names[place] for place in compared])
        self._select = as_stored(noun.table, noun.rows.columns, conn.dialect.name)
        self._pending: list[Folded] = []

    def expect(self, folded: Folded) -> None:
        """Its row is compared, and is the one that there is."""
        self._pending.append(folded)
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for rows without a stream, if there must be any."""
        self._flush()
        table, word = self._noun.table, self._noun.word
        if self._conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == self._met:
            return
        stream = sa.literal(f"{word}:").concat(sa.cast(table.c.id, sa.String))
        alone = sa.select(table.c.id).where(~sa.exists().where(entries.c.stream == stream)).limit(_SHOWN)
        for number in self._conn.execute(alone).scalars():
            self._report.find("stream_missing", f"{word}:{number}")

    def _flush(self) -> None:
        wanted = sorted(number for folded in self._pending if (number := folded.number) is not None)
        found = {row[0]: row for row in rows.select_by_keys(self._conn, self._select, "id", wanted)}
        self._met += len(found)
        for folded in self._pending:
            self._compare(folded, None if folded.number is None else found.get(folded.number))
        self._also(self._pending, found)
        self._pending = []

    def _compare(self, folded: Folded, held: Any | None) -> None:
        head = None if held is None else (held.audit_seq, held.audit_head, held.last_entry_at)
        compare_head(self._report, folded.stream, folded.tail, head)
        if held is None or folded.subject is None:
            return
        if differing := self._meant.differing(folded.subject, self._compared(held)):
            self._report.find("row_differs", folded.stream, folded.tail.seq, columns=differing)


class _Meant:
    """What entries make of a row, in these columns."""

    def __init__(self, noun: Kept, names: Sequence[str]) -> None:
        columns = noun.rows.columns
        kinds = [noun.rows.kinds[name][0] for name in columns]
        self.names = tuple(names)
        self._row = noun.rows.row
        self._of_names: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*map(columns.index, names))
        self._days = [place for place, kind in enumerate(kinds) if kind is date]
        self._instants = [place for place, kind in enumerate(kinds) if kind is datetime]

    def differing(self, subject: Any, held: tuple[Any, ...]) -> list[str]:
        """The columns in which the row that is held (as `as_stored` reads it) is another."""
        row = list(self._row(subject))
        for place in self._days:
            if row[place] is not None:
                row[place] = row[place].isoformat()
        for place in self._instants:
            if row[place] is not None:
                row[place] = utc_text(row[place])
        meant = self._of_names(row)
        if meant == held:
            return []
        return [name for name, value, right in zip(self.names, held, meant, strict=True) if value != right]


class CustomerReplay:
    """A follower of customers' streams: has what lives in them judged, and compares it with the rows."""

    def __init__(
        self, conn: Connection, vault: Vault, report: Report, nouns: Sequence[Kept], cited: CitedBy,
        asked: Callable[[Entry], None] = lambda _: None,
        told: Told | None = None, act_of: ActOf | None = None,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._judge = CustomerJudge(nouns, cited, report, asked, told, act_of)
        self._rows = {
            noun.word: NounRows(conn, report, noun, self._stream_of) for noun in nouns if noun.of_customer
        }  # fmt: skip

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: what lived in it is compared with its rows, unless it could not be replayed."""
        for (word, number), subject in self._judge.end(sound=sound).items():
            self._rows[word].expect(stream, tail.seq, number, subject)

    def cut(self) -> Mapping[str, int]:
        """What a part of the streams leaves: by word, how many rows there were."""
        self._judge.forget()
        return {word: one.cut() for word, one in self._rows.items()}

    def absorb(self, left: Mapping[str, int]) -> None:
        """What another part left."""
        for word, met in left.items():
            self._rows[word].absorb(met)

    def finish(self) -> None:
        """Compare the rest."""
        for one in self._rows.values():
            one.finish()

    def _stream_of(self, row: Mapping[str, Any]) -> str:
        """Nobody's where the row says what no customer is called."""
        try:
            return stream_of(self._vault, Customer(row["institution"], row["borrower_id"]))
        except (ValueError, TypeError):
            return ""
