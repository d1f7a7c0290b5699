"""What an import asks its database: live cases once, and nothing while another is at work on what was sent before."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import get_ident
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed import changes
from casework.intake.feed.load import ImportRequest, import_feed
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.database import writing
from casework.work.cases.tables import cases
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.test_two_processes import drawn, soon_ahead, written

__all__ = ["soon_ahead"]

REQUEST = ImportRequest(system("cli"), confirm_vanished=True)
_ALL_LIVE = ("group_concat(cases.loan_id", "string_agg(cases.loan_id")


@contextmanager
def _statements(bank: Bank) -> Iterator[list[str]]:
    """Those that SQLAlchemy sends inside."""
    said: list[str] = []

    def heard(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine = bank.started.engine
    sa.event.listen(engine, "before_cursor_execute", heard)
    try:
        yield said
    finally:
        sa.event.remove(engine, "before_cursor_execute", heard)


def test_a_feed_asks_for_all_live_cases_with_one_statement_whatever_it_brings(bank: Bank) -> None:
    """Of loans that come, stay, change and go; a first feed too."""
    days = [{1: 5, 2: 5, 3: 5}, {1: 6, 2: 40, 4: 5}, {1: 7, 4: 6}]
    for number, late in enumerate(days):
        day = DAY + timedelta(days=number)
        books = [loan(one) for one in range(1, 6)]
        with _statements(bank) as said:
            bank.send(day, [arrears(one, days, on=day) for one, days in late.items()], loans=books, confirm=True)
        assert len([one for one in said if any(text in one for text in _ALL_LIVE)]) == 1
    bank.assert_sound()


class _Making:
    """Whether commands are being made by this thread, and how often the database was reached meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.thread: int | None = None
        self.times, self.reached = 0, 0
        put_in, connection = changes._put_in, Connection.connection

        def making(*args: Any) -> None:
            with self.by_this_thread():
                put_in(*args)

        def reached(conn: Connection) -> Any:
            self.reached += get_ident() == self.thread
            return connection.fget(conn)  # type: ignore[attr-defined]  # a property

        patch.setattr(changes, "_put_in", making)
        patch.setattr(Connection, "connection", property(reached))  # by which `rows` goes to the driver

    @contextmanager
    def by_this_thread(self) -> Iterator[None]:
        """Inside, what this thread asks is counted."""
        self.thread, self.times = get_ident(), self.times + 1
        try:
            yield
        finally:
            self.thread = None

    def heard(self, *_: Any) -> None:
        """SQLAlchemy sends a statement."""
        self.reached += get_ident() == self.thread


@pytest.fixture
def making(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Making]:
    """Listens to this branch's database."""
    found, engine = _Making(monkeypatch), bank.started.engine
    sa.event.listen(engine, "before_cursor_execute", found.heard)
    yield found
    sa.event.remove(engine, "before_cursor_execute", found.heard)


@pytest.mark.usefixtures("soon_ahead")
def test_commands_made_while_those_before_are_written_ask_the_database_nothing(bank: Bank, making: _Making) -> None:
    """Another thread uses the connection then, or a fork is at work: `advance(meanwhile=…)` relies on it."""
    for folder in written(bank, drawn(1)):
        import_feed(bank.started.engine, bank.started.branch, folder, REQUEST, processes=2)
    assert making.times >= 2
    assert making.reached == 0
    bank.assert_sound()


def test_a_question_asked_meanwhile_is_heard(bank: Bank, making: _Making) -> None:
    """By SQLAlchemy or past it: the test above can fail."""
    with writing(bank.started.engine) as conn:
        with making.by_this_thread():
            conn.execute(sa.select(cases.c.id))
        by_statement = making.reached
        with making.by_this_thread():
            rows.select_by_keys(conn, cases, "id", [1])
    assert 0 < by_statement < making.reached
