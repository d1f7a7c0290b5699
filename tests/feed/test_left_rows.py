"""Each entry of a feed states the rows that it leaves; whoever changes one by SQL is told of, whatever comes later."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from casework.clock import now
from casework.customer import Customer
from casework.evidence.past.instant import read_instant
from casework.evidence.past.surroundings import surroundings
from casework.evidence.past.texts import TextsThen
from casework.evidence.verifying import verify
from casework.intake.feed import left_rows
from casework.intake.feed.row_mac import (
    COVERED,
    MAC_BYTES,
    MacSet,
    row_mac,
)
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    feed_runs,
    loans,
    repayments,
    snapshots,
)
from casework.lifecycle.tables import institutions
from casework.oversight.privacy.erase import Erasure, erase
from casework.people.staff.actor import system
from casework.storage.database import UtcDateTime, reading, writing
from tests.feed.bank import DAY, Bank, arrears, contact, loan, paid

NEXT = DAY + timedelta(days=1)
BOOKS = (loans, borrowers, contacts, repayments)
FREE = {loans.c.row_hash: "by it an import skips a row it knows", contacts.c.id: "storing makes it"}
"""What may be changed by SQL and is not told, and why."""

Attack = Callable[[Connection], Any]


def furnished(bank: Bank) -> Bank:
    """Three customers, each with a loan, two ways to reach them and a payment; two are in arrears."""
    people = range(1, 4)
    bank.send(
        DAY, [arrears(1), arrears(2)], loans=[loan(number) for number in people],
        contacts=[contact(n, **more) for n in people for more in ({}, {"role": "guarantor", "phone": f"121{n:08}"})],
        repayments=[paid(f"P{number}", number, DAY) for number in people],
    )  # fmt: skip
    bank.assert_sound()
    return bank


def do(bank: Bank, attack: Attack) -> None:
    with writing(bank.started.engine) as conn:
        attack(conn)


def found(bank: Bank) -> set[str]:
    return {finding.code for finding in bank.verified().findings}


def last_entry(bank: Bank) -> dict[str, Any]:
    data: dict[str, Any] = bank.bodies(f"feed:{bank.institution}")[-1]["data"]
    return data


# ── what an entry states ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_entry_of_a_feed_states_how_many_rows_it_leaves_and_a_digest_of_them(bank: Bank) -> None:
    furnished(bank)
    data = last_entry(bank)
    assert {name: said["rows"] for name, said in data["left"].items() if name != "business_date"} == {
        "loans": 3, "borrowers": 3, "contacts": 6,
    }  # fmt: skip
    assert (data["left"]["business_date"], data["repayments"]["rows"]) == (DAY.isoformat(), 3)
    assert all(len(data["left"][table.name]["sha256"]) == 64 for table in left_rows.TABLES)


def test_a_feed_that_changes_no_row_states_the_rows_as_before_without_reading_them(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnished(bank)
    before = last_entry(bank)["left"]
    monkeypatch.setattr(left_rows.LeftRows, "_macs", None)
    bank.send(
        NEXT, [arrears(1, on=NEXT), arrears(2, on=NEXT)], loans=[loan(number) for number in range(1, 4)],
        contacts=None, repayments=[paid(f"P{number}", number, DAY) for number in range(1, 4)],
    )  # fmt: skip
    assert last_entry(bank)["left"] == before | {"business_date": NEXT.isoformat()}
    assert last_entry(bank)["repayments"]["rows"] == 0
    bank.assert_sound()


def test_each_way_in_which_rows_change_leaves_them_as_its_entry_states(bank: Bank) -> None:
    furnished(bank)
    on = [DAY + timedelta(days=day) for day in range(6)]
    paid_some = {"outstanding_principal": "40000.00"}
    bank.send(on[1], [arrears(1, on=on[1])], loans=[loan(1, **paid_some), loan(2), loan(3)])  # changed
    bank.assert_sound()
    bank.send(on[2], [arrears(1, on=on[2])], loans=[loan(1, **paid_some), loan(2)], confirm=True)  # L3 left out
    bank.assert_sound()
    named = loan(3, borrower_name="甄改名")
    bank.send(on[3], [arrears(1, on=on[3])], loans=[loan(1), loan(2), named, loan(4)], contacts=[contact(4)])  # back
    bank.assert_sound()
    bank.send(on[1], [arrears(1, on=on[1])], loans=[loan(1), loan(2), loan(3), loan(5)], correction=True)  # of before
    assert last_entry(bank)["left"]["business_date"] == on[3].isoformat()
    assert business_date_then(bank) == on[3]
    bank.assert_sound()
    erased(bank, 3)
    said = last_entry(bank)
    assert said["because"] == f"borrower:{bank.institution}~B3:1"
    assert {table: {way: len(macs) for way, macs in swap.items()} for table, swap in said["swapped"].items()} == {
        "borrowers": {"gone": 1, "new": 1}, "contacts": {"gone": 2},
    }  # fmt: skip
    bank.assert_sound()
    bank.send(on[3], [arrears(1, on=on[3])], correction=True)  # nothing of the books comes
    assert last_entry(bank)["left"]["contacts"]["rows"] == 5
    bank.assert_sound()
    overdue = [arrears(number, on=on[4]) for number in (1, 3)]
    bank.send(on[4], overdue, loans=[loan(number) for number in range(1, 6)], contacts=[contact(3)])  # taken in again
    assert last_entry(bank)["left"]["contacts"]["rows"] == 6
    bank.assert_sound()


def business_date_then(bank: Bank) -> date:
    """As the log alone tells it."""
    branch = bank.started.branch
    with reading(bank.started.engine, snapshot=True) as conn:
        instant = read_instant("now", branch.time_zone, now())
        (then,) = surroundings(conn, branch, TextsThen(conn, branch), [instant], bank.institution)
    return then.feeds[bank.institution]


def erased(bank: Bank, number: int) -> None:
    with writing(bank.started.engine) as conn:
        customer = Customer(bank.institution, f"B{number}")
        told = erase(conn, bank.started.branch, customer, basis="unlawful", actor=system("cli"))
    assert isinstance(told, Erasure), told


# ── what SQL changes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_of_any_column_of_the_books_is_found_in_its_row(bank: Bank) -> None:
    furnished(bank)
    for column in (column for table in BOOKS for column in table.columns):
        table = column.table
        key = repayments.c.payment_id if table is repayments else next(iter(table.primary_key))
        with undone(bank) as conn:
            one = conn.execute(sa.select(key).order_by(key).limit(1)).scalar_one()
            changed = conn.execute(table.update().where(key == one).values({column.name: _another(column)}))
            assert changed.rowcount == 1
            report = verify(conn, bank.started.branch.mac_key, bank.started.branch.vault)
        told = [finding for finding in report.findings if finding.code == "row_changed"]
        assert [finding.detail["table"] for finding in told] == ([] if column in FREE else [table.name]), column
        assert report.verdict == ("sound" if column in FREE else "tampered"), column


@contextmanager
def undone(bank: Bank) -> Iterator[Connection]:
    """A transaction that is rolled back."""
    with bank.started.engine.connect() as conn:
        yield conn
        conn.rollback()


def _another(column: sa.Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, sa.LargeBinary):
        return bytes(range(MAC_BYTES))
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.Date):
        return date(2020, 2, 29)
    if isinstance(kind, UtcDateTime):
        return datetime(2020, 2, 29, tzinfo=UTC)
    return 987_654 if isinstance(kind, sa.Integer) else "another"


def with_right_mac(conn: Connection, bank: Bank, table: sa.Table, where: sa.ColumnElement[bool], **values: Any) -> None:
    """A row that this service could have stored: as one of before, put back with all that belonged to it."""
    row = conn.execute(sa.select(table).where(where)).one()._mapping
    values = {name: row[name] for name in COVERED[table.name]} | values
    mac = row_mac(bank.started.branch.mac_key, table.name)(tuple(values[name] for name in COVERED[table.name]))
    conn.execute(table.update().where(where).values({**values, "mac": mac}))


@pytest.mark.parametrize(
    ("attack", "codes"),
    [
        (lambda c, _: c.execute(loans.delete().where(loans.c.loan_id == "L3")), {"rows_not_as_left"}),
        (lambda c, _: c.execute(contacts.delete().where(contacts.c.role == "guarantor")), {"rows_not_as_left"}),
        (lambda c, _: c.execute(repayments.delete().where(repayments.c.payment_id == "P2")), {"rows_not_as_left"}),
        (lambda c, bank: with_right_mac(c, bank, loans, loans.c.loan_id == "L1", outstanding_principal_fen=1),
         {"rows_not_as_left"}),
        (lambda c, bank: with_right_mac(c, bank, borrowers, borrowers.c.borrower_id == "B1", name_index=None),
         {"rows_not_as_left"}),
        (lambda c, _: c.execute(
            borrowers.insert().values(borrower_id="B9", institution="demo", mac=bytes(range(MAC_BYTES)))),
         {"row_changed", "rows_not_as_left"}),
        (lambda c, _: c.execute(
            borrowers.insert().values(borrower_id="B9", institution="elsewhere", mac=b"short")),
         {"row_changed", "rows_not_as_left"}),
        (lambda c, _: c.execute(feed_runs.update().values(actor_id="S9")), {"row_differs"}),
        (lambda c, _: c.execute(feed_runs.update().values(status="refused")), {"row_differs"}),
        (lambda c, _: c.execute(feed_runs.update().values(figures=b"{}")), {"row_differs"}),
        (lambda c, _: c.execute(feed_runs.insert().from_select(
            [one.name for one in feed_runs.columns if one.name != "id"],
            sa.select(*(one for one in feed_runs.columns if one.name != "id")))), {"row_without_entries"}),
        (lambda c, _: c.execute(snapshots.update().values(rows=b"x")), {"row_differs"}),
        (lambda c, _: c.execute(snapshots.delete()), {"row_differs"}),
        (lambda c, _: c.execute(institutions.update().values(business_date=date(2024, 1, 1))), {"row_differs"}),
        (lambda c, _: c.execute(institutions.delete()), {"row_differs"}),
        (lambda c, _: c.execute(institutions.insert().values(institution="x", business_date=DAY)),
         {"row_without_entries"}),
    ],
    ids=["a loan gone", "contacts gone", "a payment gone", "a loan of before", "a borrower of before",
         "a borrower added", "a borrower of nobody", "who ran it", "a run unmade", "figures", "a run added",
         "a snapshot", "a snapshot gone", "the business date", "no business date", "another's business date"],
)  # fmt: skip
def test_rows_that_are_gone_added_or_of_before_are_found(
    bank: Bank, attack: Callable[[Connection, Bank], Any], codes: set[str]
) -> None:
    furnished(bank)
    do(bank, lambda conn: attack(conn, bank))
    assert found(bank) == codes


@pytest.mark.parametrize(
    ("attack", "table"),
    [
        (lambda c: c.execute(contacts.delete().where(contacts.c.role == "guarantor")), "contacts"),
        (lambda c: c.execute(loans.update().where(loans.c.loan_id == "L3").values(status="closed")), "loans"),
        (lambda c: c.execute(
            borrowers.update().where(borrowers.c.borrower_id == "B2").values(id_number_index=None)), "borrowers"),
        (lambda c: c.execute(institutions.update().values(business_date=date(2024, 1, 1))), "institutions"),
    ],
    ids=["contacts gone", "a loan that is left out", "a borrower half rewritten", "the business date"],
)  # fmt: skip
def test_what_was_done_before_a_feed_is_told_by_its_entry_and_made_right_by_nothing(
    bank: Bank, attack: Attack, table: str
) -> None:
    furnished(bank)
    do(bank, attack)
    renamed = loan(2, borrower_name="甄改名", id_number="")
    run = bank.send(NEXT, [arrears(1, on=NEXT)], loans=[loan(1), renamed], contacts=[contact(1, phone="12300000001")],
                    confirm=True)  # fmt: skip
    assert run.figures["warnings"]["rows_changed"] == 1
    assert last_entry(bank)["rows_changed"] == [table]
    assert found(bank) == {"rows_were_changed"}


@pytest.mark.parametrize(
    ("table", "column"), [(contacts, "source"), (borrowers, "id_number_index")], ids=["contact", "borrower"]
)
def test_an_erasure_tells_it_of_the_rows_that_it_writes_over(bank: Bank, table: sa.Table, column: str) -> None:
    furnished(bank)
    of_him = table.c.borrower_id == "B3"
    do(bank, lambda conn: conn.execute(table.update().where(of_him).values({column: _another(table.c[column])})))
    erased(bank, 3)
    assert last_entry(bank)["rows_changed"] == [table.name]
    assert found(bank) == {"rows_were_changed"}


@pytest.mark.parametrize("number", [1, 3], ids=["another's", "his own"])
def test_an_erasure_makes_nothing_right_that_was_gone_before(bank: Bank, number: int) -> None:
    furnished(bank)
    gone = (contacts.c.borrower_id == f"B{number}") & (contacts.c.role == "guarantor")
    do(bank, lambda conn: conn.execute(contacts.delete().where(gone)))
    erased(bank, 3)
    assert found(bank) == {"rows_not_as_left"}
    do(bank, lambda conn: conn.execute(borrowers.delete().where(borrowers.c.borrower_id == "B3")))
    assert [finding.detail["table"] for finding in bank.verified().findings] == ["borrowers", "contacts"]
    bank.send(NEXT, [arrears(1, on=NEXT)], contacts=[contact(1, phone="12300000001")], confirm=True)
    assert last_entry(bank)["rows_changed"] == ["borrowers", "contacts"]


def test_an_erasure_of_many_rows_is_told_by_several_entries(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_rows, "_SWAPPED_AT_ONCE", 2)
    furnished(bank)
    erased(bank, 3)
    assert [len(body["data"]["swapped"]) for body in bank.bodies("feed:demo")[1:]] == [1, 1]
    bank.assert_sound()


def test_a_refused_run_is_compared_with_its_entry(bank: Bank) -> None:
    furnished(bank)
    with pytest.raises(Exception, match="institution"):
        bank.__class__(bank.started, bank.folder / "other", institution="yichang").send(NEXT, [])
    bank.assert_sound()
    do(bank, lambda conn: conn.execute(feed_runs.update().where(feed_runs.c.id == 2).values(actor_id="S9")))
    assert found(bank) == {"row_differs"}


# ── the set ─────────────────────────────────────────────────────────────────────────────────────────────────────────

macs = st.binary(min_size=MAC_BYTES, max_size=MAC_BYTES)


def set_of(held: Iterable[bytes], gone: Iterable[bytes] = ()) -> MacSet:
    made = MacSet()
    for mac in held:
        made.add(mac)
    for mac in gone:
        made.remove(mac)
    return made


@given(held=st.lists(macs, max_size=30), choice=st.data())
def test_a_digest_is_of_what_is_there_in_any_order_and_of_nothing_else(
    held: list[bytes], choice: st.DataObject
) -> None:  # fmt: skip
    away = choice.draw(st.sets(st.sampled_from(range(len(held))))) if held else set()
    gone, left = [held[at] for at in away], [mac for at, mac in enumerate(held) if at not in away]
    stated = set_of(held, gone).stated()
    assert stated == set_of(reversed(left)).stated()
    assert stated.rows == len(left)
    assert stated != set_of([*left, bytes(MAC_BYTES)]).stated()
    assert stated != set_of(left, [bytes(range(MAC_BYTES))]).stated()  # one went that was not there


@given(held=st.lists(macs, max_size=20, unique=True), gone=st.lists(macs, max_size=5), new=st.lists(macs, max_size=5))
def test_what_was_before_a_swap_is_told_from_what_is_there_after_it(
    held: list[bytes], gone: list[bytes], new: list[bytes]
) -> None:
    before, after = set_of([*held, *gone]), set_of([*held, *new])
    assert after.stated_before(gone, new) == before.stated()
    if new and new[0] not in held and new.count(new[0]) == 1:  # the twin: what came is gone again
        assert set_of([*held, *new[1:]]).stated_before(gone, new) != before.stated()
