"""Sets of rows go in and come out the same on both databases, whatever their size."""

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg.generators import send
from sqlalchemy.engine import Engine

from casework.storage import rows, sent_together
from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    commit_with_these,
    open_engine,
    reading,
    writing,
)
from tests.conftest import LONGER, Database

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("code", sa.String(60), unique=True),
    sa.Column("text", sa.Text),
    sa.Column("fen", sa.BigInteger),
    sa.Column("count", sa.Integer),
    sa.Column("due", sa.Date),
    sa.Column("at", UtcDateTime),
    sa.Column("flag", sa.Boolean),
    sa.Column("body", Bytes),
)
COLUMNS = tuple(column.name for column in things.c)
SIZES = (1, rows.COPY_FROM_ROWS - 1, rows.COPY_FROM_ROWS, 1_200)


@pytest.fixture
def store(owner_engine: Engine) -> Engine:
    """A database with an empty table `things`."""
    with writing(owner_engine) as conn:
        things.create(conn)
    return owner_engine


def _row(number: int) -> tuple[Any, ...]:
    return (
        number, f"C{number}", "多头贷款", number * 10**12, -number, date(2026, 2, 1 + number % 28),
        datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=8))), number % 2 == 0,
        bytes([number % 256, 0, 255]),
    )  # fmt: skip


NOTHING = (7_777, *[None] * (len(COLUMNS) - 1))


def _all(engine: Engine) -> list[tuple[Any, ...]]:
    with reading(engine) as conn:
        return [tuple(row) for row in conn.execute(things.select().order_by("id"))]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_inserted_is_what_is_read(store: Engine, size: int) -> None:
    given_rows = [*(_row(number) for number in range(1, size)), NOTHING]
    with writing(store) as conn:
        assert rows.insert_many(conn, things, given_rows, COLUMNS) == size
    assert _all(store) == given_rows


def test_no_rows_are_no_statement(store: Engine) -> None:
    with writing(store) as conn:
        assert rows.insert_many(conn, things, [], COLUMNS) == 0
        assert rows.update_many(conn, things, "id", [], ["text"]) == 0
        assert rows.delete_many(conn, things, "id", []) == 0
        assert rows.select_by_keys(conn, things, "id", []) == []
        assert list(rows.next_ids(conn, "things_id_seq", things, 0)) == []


awkward = st.text(
    alphabet=st.one_of(
        st.sampled_from("\"\\{},NULLnull \t\n\r'%$张"), st.characters(codec="utf-8", exclude_characters="\0")
    ),
    max_size=20,
)
instants = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))
INT64 = st.integers(-(2**63), 2**63 - 1)
contents = st.tuples(
    st.none() | awkward, st.none() | INT64, st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.dates(),
    st.none() | instants, st.none() | st.booleans(), st.none() | st.binary(max_size=20),
)  # fmt: skip


@pytest.mark.parametrize("by_copy", [False, True])
@examples(max_examples=40 * LONGER, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(filling=st.lists(contents, min_size=1, max_size=8))
def test_any_value_survives_the_way_in_and_back(store: Engine, by_copy: bool, filling: list[tuple[Any, ...]]) -> None:
    given_rows = [(number, f"C{number}", *content) for number, content in enumerate(filling, 1)]
    with pytest.MonkeyPatch.context() as patch, writing(store) as conn:
        patch.setattr(rows, "COPY_FROM_ROWS", 1 if by_copy else 10**9)
        rows.insert_many(conn, things, given_rows, COLUMNS)
        inserted = [tuple(row) for row in conn.execute(things.select().order_by("id"))]
        rows.update_many(conn, things, "id", [(row[0], *row[2:]) for row in reversed(given_rows)], COLUMNS[2:])
        updated = [tuple(row) for row in conn.execute(things.select().order_by("id"))]
        conn.rollback()
    assert inserted == given_rows
    assert updated == given_rows


@pytest.mark.parametrize("size", SIZES)
def test_a_naive_instant_is_refused_in_any_size(store: Engine, size: int) -> None:
    with pytest.raises(ValueError, match="offset"), writing(store) as conn:
        rows.insert_many(conn, things, [(datetime(2026, 1, 1),)] * size, ["at"])


def test_rows_of_another_length_are_refused(store: Engine) -> None:
    with pytest.raises(Exception, match=r"shorter|longer|bindings|columns"), writing(store) as conn:
        rows.insert_many(conn, things, [(1, "a"), (2,)], ["id", "code"])
    assert _all(store) == []


@pytest.mark.parametrize("size", [3, 1_200])
def test_skip_existing_leaves_what_is_there_and_counts_what_is_new(store: Engine, size: int) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [(1, "C1", "first"), (2, "C2", "first")], ["id", "code", "text"])
        again = [(number, f"C{number}", "again") for number in range(2, size + 2)]
        assert rows.insert_many(conn, things, again, ["id", "code", "text"], skip_existing=True) == size - 1
    assert [row[2] for row in _all(store)[:3]] == ["first", "first", "again"]


@pytest.mark.parametrize("size", [3, 1_200])
def test_an_update_changes_the_named_columns_of_the_named_rows(store: Engine, size: int) -> None:
    before = [_row(number) for number in range(1, size + 1)]
    with writing(store) as conn:
        rows.insert_many(conn, things, before, COLUMNS)
        changes = [(row[0], "new", b"\x00" * 32) for row in before[1:]] + [(10**6, "nobody", b"")]
        assert rows.update_many(conn, things, "id", changes, ["text", "body"]) == size - 1
    after = _all(store)
    assert after[0] == before[0]
    assert {(row[2], row[8]) for row in after[1:]} == {("new", b"\x00" * 32)}
    assert [row[:2] + row[3:8] for row in after] == [row[:2] + row[3:8] for row in before]


@pytest.mark.parametrize(("key", "place"), [("id", 0), ("code", 1), ("body", 8)])
@pytest.mark.parametrize("lock", [False, True, "skip"])
def test_rows_are_found_by_any_kind_of_key_in_key_order(store: Engine, key: str, place: int, lock: rows.Lock) -> None:
    stored = [(*_row(number)[:8], number.to_bytes(2)) for number in range(1, 1_300)]
    wanted = [row[place] for row in stored[40:1_200]]
    unknown: Any = {"id": 10**9, "code": "none", "body": b"none"}[key]
    with writing(store) as conn:
        rows.insert_many(conn, things, stored, COLUMNS)
        found = rows.select_by_keys(conn, things, key, [unknown, *reversed(wanted), wanted[0]], lock=lock)
    assert [tuple(row) for row in found] == sorted(stored[40:1_200], key=lambda row: row[place])


PAIR = ("text", "count")


def _shared(number: int) -> tuple[Any, ...]:
    """Rows whose `text` is one of two, and whose `count` both of them have."""
    return (number, f"C{number}", "wuhan" if number % 2 else "yichang", number, (number + 1) // 2)


@pytest.mark.parametrize("source", [things, sa.select(things.c.id, things.c.text, things.c.count)])
@pytest.mark.parametrize("lock", [False, True, "skip"])
def test_a_key_of_two_columns_finds_the_rows_that_have_both_and_no_other(
    store: Engine, source: sa.Table | sa.Select[Any], lock: rows.Lock
) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_shared(n) for n in range(1, 2_001)], ("id", "code", "text", "fen", "count"))
        wanted = [("yichang", 7), ("wuhan", 7), ("wuhan", 3), ("wuhan", 10**6), ("nobody", 3), ("wuhan", 3)]
        wanted += [("yichang", n) for n in range(500, 900)]
        found = rows.select_by_keys(conn, source, PAIR, wanted, lock=lock)
    place = 2 if isinstance(source, sa.Select) else 4
    assert [(row.text, row[place]) for row in found] == [
        ("wuhan", 3), ("wuhan", 7), ("yichang", 7), *(("yichang", n) for n in range(500, 900)),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [4, 1_200])
def test_an_update_by_two_columns_leaves_rows_that_share_one_of_them_alone(store: Engine, size: int) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_shared(n) for n in range(1, size + 1)], ("id", "code", "text", "fen", "count"))
        changes = [("wuhan", n, b"new") for n in range(1, size // 2 + 1)] + [("nobody", 1, b"new")]
        assert rows.update_many(conn, things, PAIR, changes, ["body"]) == size // 2
    assert {(row[2], row[8]) for row in _all(store)} == {("wuhan", b"new"), ("yichang", None)}


def test_a_select_of_some_columns_finds_by_its_key(store: Engine) -> None:
    some = sa.select(things.c.code, things.c.fen).where(things.c.flag.is_(True))
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(number) for number in range(1, 9)], COLUMNS)
        found = rows.select_by_keys(conn, some, "code", ["C2", "C3", "C4"], lock=True)
    assert [tuple(row) for row in found] == [("C2", 2 * 10**12), ("C4", 4 * 10**12)]


@pytest.mark.only("postgresql")
def test_rows_held_by_another_are_skipped_or_waited_for(store: Engine) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(number) for number in (1, 2, 3)], COLUMNS)
    waited: list[str | None] = []

    def wait() -> None:
        with writing(store) as conn:
            waited.extend(row.text for row in rows.select_by_keys(conn, things, "id", [2], lock="wait"))

    waiting = threading.Thread(target=wait)
    with writing(store) as holder:
        rows.select_by_keys(holder, things, "id", [2], lock=True)
        rows.update_many(holder, things, "id", [(2, "held")], ["text"])
        with writing(store) as other:
            found = rows.select_by_keys(other, things, "id", [1, 2, 3], lock="skip")
        waiting.start()
    waiting.join(20)
    assert [row.id for row in found] == [1, 3]
    assert waited == ["held"]


def test_rows_are_deleted_by_key(store: Engine) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(number) for number in range(1, 5)], COLUMNS)
        assert rows.delete_many(conn, things, "id", [2, 4, 99]) == 2
        assert rows.delete_many(conn, things, "code", ["C1"]) == 1
    assert [row[0] for row in _all(store)] == [3]


def test_fresh_ids_are_new_and_ascending(store: Engine) -> None:
    with writing(store) as conn:
        first = list(rows.next_ids(conn, "things_id_seq", things, 5))
        rows.insert_many(conn, things, [(number, f"C{number}") for number in first], ["id", "code"])
    with writing(store) as conn:
        second = list(rows.next_ids(conn, "things_id_seq", things, 3))
    assert first == sorted(set(first))
    assert first[-1] < second[0]
    assert second == sorted(set(second))


@pytest.mark.only("sqlite")
def test_fresh_ids_need_the_write_lock(database: Database, store: Engine) -> None:
    other = open_engine(database.url)
    with reading(other) as conn, pytest.raises(RuntimeError):
        rows.next_ids(conn, "things_id_seq", things, 1)
    other.dispose()


queue = sa.Table("waiting", things.metadata, sa.Column("thing", BigId, primary_key=True, autoincrement=False))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sent_together", [False, True])
def test_queued_rows_get_ascending_ids_and_a_place_in_the_queue_each(
    store: Engine, size: int, sent_together: bool
) -> None:
    wanted = [_row(number)[1:] for number in range(1, size + 1)]
    with writing(store) as conn:
        queue.create(conn)
        if sent_together:
            with rows.together(conn):
                rows.insert_queued(conn, things, wanted, COLUMNS[1:], queue=queue, sequence_name="things_id_seq")
        else:
            rows.insert_queued(conn, things, wanted, COLUMNS[1:], queue=queue, sequence_name="things_id_seq")
        rows.insert_queued(conn, things, [], COLUMNS[1:], queue=queue, sequence_name="things_id_seq")
    found = _all(store)
    assert [row[1:] for row in found] == wanted
    with reading(store) as conn:
        assert sorted(conn.execute(sa.select(queue)).scalars()) == [row[0] for row in found]


def test_questions_sent_together_are_answered_each_with_its_own(store: Engine) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(number) for number in range(1, 6)], COLUMNS)
        with rows.together(conn):
            some = rows.ask_by_keys(conn, things, "id", [4, 2, 99], lock="skip")
            every = rows.ask_all(conn, things)
        assert [tuple(row) for row in some()] == [_row(2), _row(4)]
        assert sorted(tuple(row) for row in every()) == [_row(number) for number in range(1, 6)]


def test_an_answer_that_is_wanted_among_statements_sent_together_comes(store: Engine) -> None:
    with writing(store) as conn, rows.together(conn):
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        assert [tuple(row) for row in rows.ask_all(conn, things)()] == [_row(1)]
        with rows.together(conn):  # within the other one
            rows.insert_many(conn, things, [_row(2)], COLUMNS)
        assert [tuple(row) for row in rows.select_by_keys(conn, things, "id", [2])] == [_row(2)]
    assert _all(store) == [_row(1), _row(2)]


def test_statements_sent_together_may_be_larger_than_what_a_connection_takes_at_once(store: Engine) -> None:
    large = [(*_row(number)[:2], "款" * 1_000_000, *_row(number)[3:]) for number in range(1, 4)]
    with writing(store) as conn:
        with rows.together(conn):
            for row in large:
                rows.insert_many(conn, things, [row], COLUMNS)
            every = rows.ask_all(conn, things)
        assert sorted(tuple(row) for row in every()) == large
    assert _all(store) == large


@pytest.mark.only("postgresql")  # SQLite is no server
def test_statements_sent_together_are_sent_at_once(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = list[int]()

    def counted(pgconn: Any) -> Any:
        sent.append(pgconn.transaction_status)
        return send(pgconn)

    monkeypatch.setattr(sent_together, "send", counted)
    with writing(store) as conn, rows.together(conn):
        for number in range(1, 6):
            rows.insert_many(conn, things, [_row(number)], COLUMNS)
        assert sent == []
    assert len(sent) == 1, "the beginning of the transaction goes with them"
    assert len(_all(store)) == 5


@pytest.mark.only("postgresql")
def test_a_commit_travels_with_what_it_commits(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = list[int]()

    def counted(pgconn: Any) -> Any:
        sent.append(pgconn.transaction_status)
        return send(pgconn)

    monkeypatch.setattr(sent_together, "send", counted)
    with writing(store) as conn:
        with rows.together(conn):
            rows.insert_many(conn, things, [_row(1)], COLUMNS)
            commit_with_these(conn)
        assert _all(store) == [_row(1)], "others see it already"
    assert len(sent) == 1
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(2)], COLUMNS)
    assert _all(store) == [_row(1), _row(2)]


def test_a_commit_travels_in_vain_with_a_statement_that_fails(store: Engine) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), writing(store) as conn, rows.together(conn):
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        commit_with_these(conn)
    assert _all(store) == []


def test_without_others_to_travel_with_a_transaction_is_committed_at_its_end(store: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(store) as conn:
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        commit_with_these(conn)
        raise ZeroDivisionError
    assert _all(store) == []
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        commit_with_these(conn)
    assert _all(store) == [_row(1)]


def test_an_error_among_statements_sent_together_is_raised_and_leaves_nothing(store: Engine) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), writing(store) as conn, rows.together(conn):
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        rows.insert_many(conn, things, [_row(1)], COLUMNS)
        rows.insert_many(conn, things, [_row(2)], COLUMNS)
    assert _all(store) == []
    with writing(store) as conn:  # and the connection is as good as new
        rows.insert_many(conn, things, [_row(3)], COLUMNS)
    assert _all(store) == [_row(3)]


def test_instants_that_are_selected_by_keys_are_in_utc(store: Engine) -> None:
    with writing(store) as conn:
        rows.insert_many(conn, things, [_row(1), NOTHING], COLUMNS)
        found = rows.select_by_keys(conn, things, "id", [1, NOTHING[0]])
    assert [row.at and row.at.tzinfo for row in found] == [UTC, None]


@pytest.mark.only("postgresql")  # SQLite takes the statement through SQLAlchemy
def test_a_select_with_parameters_of_its_own_is_refused_where_only_keys_are_sent(store: Engine) -> None:
    statement = sa.select(things).where(things.c.fen > 5)
    with pytest.raises(TypeError, match="nothing else"), reading(store) as conn:
        rows.select_by_keys(conn, statement, "id", [1])
