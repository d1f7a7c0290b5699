"""Erasing: what goes, what stays, what the log says of it, and that the rest is as it was."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.intake.feed.sealed_cells import of_aside
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    loans,
    set_aside,
)
from casework.log.format.erasure import parts_of
from casework.log.tables import (
    entries,
    erasures,
    opening_keys,
    openings,
)
from casework.oversight.privacy.erase import ErasureRefused
from casework.oversight.privacy.holding import hold, release
from casework.oversight.privacy.tables import legal_holds
from casework.storage.database import metadata
from casework.work.cases.tables import idempotency
from casework.work.four_eyes.tables import requests
from casework.work.requests import ERASED as REQUEST_ERASED
from tests.feed.bank import contact
from tests.privacy.conftest import RISK, House, customer

Rows = Mapping[str, list[Any]]
_GROWS = {"entries", "unsealed", "streams", "erasures"}


def whole(conn: Connection) -> Rows:
    return {table.name: list(conn.execute(sa.select(table))) for table in metadata.sorted_tables}


def of_him(conn: Connection, house: House, number: int) -> dict[str, Any]:
    """What is held of a borrower, to the byte."""
    case_id, borrower = house.case_id(number), f"B{number}"
    asked = conn.execute(sa.select(requests).where(requests.c.subject == f"case:{case_id}")).all()
    streams = [f"case:{case_id}", *(f"request:{row.id}" for row in asked)]
    key = opening_keys.c.subject == stream_of(house.started.branch.vault, customer(number))
    return {
        "keys": conn.execute(sa.select(opening_keys).where(key)).all(),
        "openings": conn.execute(sa.select(openings).where(openings.c.stream.in_(streams))).all(),
        "requests": [bytes(row.data_sealed) for row in asked if bytes(row.data_sealed) != REQUEST_ERASED],
        "names": conn.execute(
            sa.select(borrowers).where(
                borrowers.c.borrower_id == borrower,
                sa.or_(borrowers.c.name_sealed.is_not(None), borrowers.c.id_number_sealed.is_not(None),
                       borrowers.c.name_index.is_not(None), borrowers.c.id_number_index.is_not(None)),
            )
        ).all(),
        "contacts": conn.execute(sa.select(contacts).where(contacts.c.borrower_id == borrower)).all(),
        "prints": conn.execute(
            sa.select(loans.c.row_hash).where(loans.c.borrower_id == borrower, loans.c.row_hash != b"")
        ).all(),
    }  # fmt: skip


def test_everything_of_him_is_gone_and_everybody_else_is_as_he_was(shared: House) -> None:
    with shared.undone() as conn:
        before, others = of_him(conn, shared, 1), [of_him(conn, shared, number) for number in (2, 3, 4)]
        assert all(before.values()), before
        rows_before = whole(conn)
        told = shared.erased_in(conn, 1)
        assert not any(of_him(conn, shared, 1).values())
        assert [of_him(conn, shared, number) for number in (2, 3, 4)] == others
        rows_after = whole(conn)
        for name, rows in rows_before.items():
            lost = len([row for row in rows if row not in rows_after[name]])
            expected = {
                "opening_keys": 1, "openings": told.gone.counts["openings"], "requests": told.gone.counts["requests"],
                "borrowers": 1, "contacts": 1, "loans": 1, "streams": lost,
            }  # fmt: skip
            assert lost == expected.get(name, 0), name
            assert name in _GROWS or len(rows_after[name]) <= len(rows), name


def test_the_log_stays_sound_and_counts_what_was_erased(shared: House) -> None:
    with shared.undone() as conn:
        count = len(of_him(conn, shared, 1)["openings"])
        shared.erased_in(conn, 1)
        report = shared.checked(conn)
        assert report.verdict == "sound", report.as_json()
        assert report.openings_erased == count > 0


def test_erasing_again_finds_nothing_more_and_is_another_entry(shared: House) -> None:
    with shared.undone() as conn:
        first = shared.erased_in(conn, 1)
        again = shared.erased_in(conn, 1)
        assert first.entry_ids != again.entry_ids
        assert not any(again.gone.counts[name] for name in ("keys", "openings", "requests", "contacts"))
        assert shared.checked(conn).verdict == "sound"


def _any_opening(conn: Connection, house: House, number: int) -> Any:
    stream = f"case:{house.case_id(number)}"
    return conn.execute(sa.select(openings).where(openings.c.stream == stream).limit(1)).one()


def _is(row: Any) -> sa.ColumnElement[bool]:
    return sa.and_(
        openings.c.stream == row.stream, openings.c.stream_seq == row.stream_seq, openings.c.field == row.field
    )


def test_an_opening_that_no_erasure_covers_must_be_there(shared: House) -> None:
    with shared.undone() as conn:
        shared.erased_in(conn, 1)
        conn.execute(openings.delete().where(_is(_any_opening(conn, shared, 2))))
        assert shared.found(conn) == {"opening_missing"}


def test_an_opening_that_an_erasure_covers_must_not_be_there(shared: House) -> None:
    with shared.undone() as conn:
        row = _any_opening(conn, shared, 1)
        shared.erased_in(conn, 1)
        conn.execute(openings.insert().values(row._asdict()))
        assert shared.found(conn) == {"opening_not_erased"}


def test_swapped_openings_open_nothing(shared: House) -> None:
    """Attack 18: two notes exchanged, each sealed rightly for its borrower."""
    with shared.undone() as conn:
        one, other = _any_opening(conn, shared, 1), _any_opening(conn, shared, 2)
        for at, given in ((one, other), (other, one)):
            conn.execute(openings.update().where(_is(at)).values(sealed=given.sealed, subject=given.subject))
        assert shared.found(conn) == {"opening_wrong"}


def test_a_forged_erasure_hides_nothing(shared: House) -> None:
    """Who deletes openings and writes the entry that would excuse it has no MAC for it."""
    with shared.undone() as conn:
        forged = shared.erased_in(conn, 1)
        at = sa.and_(entries.c.stream == forged.entry_ids[0].rpartition(":")[0], entries.c.event == "privacy.erased")
        row = conn.execute(sa.select(entries).where(at)).one()
        values = row._asdict() | {"mac": bytes(len(row.mac)), "stream": "borrower:wuhan~nobody", "stream_seq": 1}
        del values["id"]
        conn.execute(entries.insert().values(values))
        assert "mac_wrong" in shared.found(conn)


def test_an_erasure_is_listed_and_nothing_else_is(shared: House) -> None:
    with shared.undone() as conn:
        row = {"stream": f"case:{shared.case_id(2)}", "stream_seq": 1, **customer(2)._asdict(), "cases_until": 9}
        at = conn.execute(sa.select(entries.c.recorded_at).limit(1)).scalar_one()
        conn.execute(erasures.insert().values(row | {"erased_at": at}))
        assert "erasure_unlisted" in shared.found(conn)


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "held", "later", "basis", "reasons"),
    [
        (1, False, True, "retention_over", []),
        (1, False, False, "retention_over", ["retention", "retention_after_settlement"]),
        (1, False, False, "unlawful", []),
        (1, True, True, "retention_over", ["hold"]),
        (1, True, False, "unlawful", ["hold"]),
        (3, False, True, "retention_over", ["live_case"]),
        (3, False, False, "unlawful", ["live_case"]),
        (3, True, True, "retention_over", ["live_case", "hold"]),
    ],
)  # fmt: skip
def test_a_refusal_names_every_reason_and_is_an_entry_and_nothing_is_gone(
    shared: House, number: int, held: bool, later: bool, basis: str, reasons: list[str]
) -> None:
    with shared.undone() as conn:
        if held:
            hold(conn, shared.started.branch, customer(number), reason="complaint", actor=RISK)
        before = of_him(conn, shared, number)
        told = shared.erase_in(conn, number, basis, later=later)
        codes = [reason.code for reason in told.reasons] if isinstance(told, ErasureRefused) else []
        assert codes == reasons
        if isinstance(told, ErasureRefused):
            assert of_him(conn, shared, number) == before
            stream, _, seq = told.entry_id.rpartition(":")
            at = sa.and_(entries.c.stream == stream, entries.c.stream_seq == int(seq))
            assert conn.execute(sa.select(entries.c.event).where(at)).scalar_one() == "privacy.erase_refused"


def test_an_open_request_keeps_his_data_and_a_released_hold_does_not(shared: House) -> None:
    with shared.undone() as conn:
        hold(conn, shared.started.branch, customer(1), reason="complaint", actor=RISK)
        conn.execute(requests.update().where(requests.c.subject == f"case:{shared.case_id(1)}").values(live=True))
        told = shared.erase_in(conn, 1)
        assert isinstance(told, ErasureRefused)
        assert {reason.code for reason in told.reasons} == {"hold", "request"}
        release(conn, shared.started.branch, customer(1), actor=RISK)
        told = shared.erase_in(conn, 1)
        assert isinstance(told, ErasureRefused)
        assert [reason.code for reason in told.reasons] == ["request"]


# ── answers that were stored ────────────────────────────────────────────────────────────────────────────────


def test_his_stored_answers_become_tombstones_and_no_one_elses(house: House) -> None:
    house.answered("his", {"case_id": house.case_id(1)})
    house.answered("other", {"case_id": house.case_id(2)})
    told = house.erase(1)
    assert told.gone.counts["answers"] == 1
    held = {row.key: row for row in house.read(sa.select(idempotency))}
    assert (bytes(held["his"].answer), held["his"].status) == (b"", 410)
    assert bytes(held["his"].request_hash) == b""
    assert bytes(held["other"].request_hash) == b"h" * 32
    assert held["other"].status == 200


# ── the next feed ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_next_feed_brings_nothing_back_until_a_new_case_opens(house: House) -> None:
    house.erase(1)
    house.send(without=(1, 2))
    with house.undone() as conn:
        held = of_him(conn, house, 1)
        assert not held["names"]
        assert not held["contacts"]
    assert house.report().verdict == "sound"
    house.send(without=(2,))
    house.send(without=(2,))
    with house.undone() as conn:
        back = of_him(conn, house, 1)
        assert back["names"]
        assert back["contacts"]
    assert house.report().verdict == "sound"


# ── rows set aside ──────────────────────────────────────────────────────────────────────────────────────────


def aside_of(house: House) -> list[str]:
    """The rows set aside, opened."""
    vault = house.started.branch.vault
    held = house.read(sa.select(set_aside).order_by(set_aside.c.id))
    return [vault.open(of_aside(row.run_id, row.kind, row.line), bytes(row.row_sealed)) for row in held]


def test_rows_set_aside_that_are_his_go_and_later_ones_keep_only_ids(house: House) -> None:
    many = [contact(3, phone=f"1200001{number:04}") for number in range(40)]  # few enough of them are wrong
    wrong = [*many, contact(1, role="无"), contact(2, role="无")]
    house.send(without=(1, 2), contacts=wrong)
    before = aside_of(house)
    assert [sum(f"甄不存{number}" in row for row in before) for number in (1, 2)] == [1, 1], before
    told = house.erase(1)
    assert told.gone.counts["set_aside"] == 1
    assert aside_of(house) == [row for row in before if "B1" not in row]
    house.send(without=(1, 2), contacts=wrong)
    later = aside_of(house)
    assert "甄不存1" not in "".join(later)
    assert "虚构路1号" not in "".join(later)
    assert [sum(f'"{name}"' in row for row in later) for name in ("B1", "B2")] == [1, 2]
    assert house.report().verdict == "sound"


# ── an erasure by who has the keys, against the rules ───────────────────────────────────────────────────────


def test_an_erasure_under_a_legal_hold_is_found(shared: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casework.oversight.privacy.erase.reasons_against", lambda *_: ())
    with shared.undone() as conn:
        hold(conn, shared.started.branch, customer(1), reason="complaint", actor=RISK)
        shared.erased_in(conn, 1)
        assert shared.found(conn) == {"erased_under_hold"}


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        (None, set()),
        (legal_holds.update().values(reason="complaint"), {"row_missing", "row_without_entries"}),
        (legal_holds.delete(), {"row_missing"}),
    ],
    ids=["as it is", "for another reason", "gone"],
)
def test_a_legal_hold_is_a_row_and_one_that_no_entry_placed_or_that_is_gone_is_found(
    shared: House, attack: Any, found: set[str]
) -> None:
    with shared.undone() as conn:
        for reason in ("complaint", "litigation"):
            hold(conn, shared.started.branch, customer(1), reason=reason, actor=RISK)
        release(conn, shared.started.branch, customer(1), reason="complaint", actor=RISK)
        held = conn.execute(sa.select(legal_holds.c.borrower_id, legal_holds.c.reason)).all()
        assert [tuple(row) for row in held] == [(customer(1).borrower_id, "litigation")]
        if attack is not None:
            conn.execute(attack)
        assert shared.found(conn) == found


def test_an_erasure_that_covers_somebody_else_is_found(shared: House, monkeypatch: pytest.MonkeyPatch) -> None:
    other = (f"case:{shared.case_id(2)}", 99)
    monkeypatch.setattr("casework.oversight.privacy.erase.parts_of", lambda places: parts_of([*places, other]))
    with shared.undone() as conn:
        shared.erased_in(conn, 1)
        conn.execute(openings.delete().where(openings.c.stream == other[0]))
        assert shared.found(conn) == {"erasure_of_others"}
