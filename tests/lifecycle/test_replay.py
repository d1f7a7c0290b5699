"""Children of cases and what is a customer's: replayed from their entries, deep too, and held against their rows."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.evidence.bundle import deep
from casework.evidence.past.one_case import case_as_of, case_difference
from casework.evidence.past.portfolio import PortfolioFilter
from casework.evidence.past.whole import portfolio_as_of
from casework.evidence.search import export
from casework.evidence.search.find import collect
from casework.evidence.search.wanted import TermsWanted
from casework.evidence.searching import words_of
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Refused
from casework.lifecycles import LIFECYCLES
from casework.log.check.findings import Report
from casework.log.format.entry import decode_strict
from casework.log.tables import entries, texts
from casework.storage.database import reading
from casework.work.cases.history import history_of_case
from casework.work.cases.publish import STREAM
from casework.work.cases.queries import find_case
from tests.lifecycle.lived import BORROWER, CASE, LATER, OTHER_CASE, STREAM_OF_CASE, Lived, fire, live
from tests.log import built_log as logs
from tests.log.built_log import built_log, clock
from tests.log.resealed import Change, reseal
from tests.mining.made import from_json, made, traces
from tests.past.then import BUILT, instant, rows_now, rows_then
from tests.postgres_server import Server

LONG_AFTER = BUILT + timedelta(days=30)
TABLES = {noun.word: noun.table for noun in LIFECYCLES}


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def lived(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[Lived]:
    """One log per database for the whole file; attacks on it are rolled back."""
    folder = tmp_path_factory.mktemp("nouns")
    with built_log(request.param, folder, migrated_sqlite, postgres_servers) as built:
        yield Lived(built, live(built))


def deep_report(conn: Connection) -> Report:
    """What a bundle of this log would be told, without its rows."""
    streams: dict[str, list[bytes]] = defaultdict(list)
    ordered = sa.select(entries.c.stream, entries.c.body).order_by(entries.c.stream, entries.c.stream_seq)
    for stream, body in conn.execute(ordered):
        streams[stream].append(bytes(body))
    held = conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest, texts.c.body)).all()
    announced = [decode_strict(body) for body in streams[STREAM]]
    deep.begin({(row.kind, row.name, row.digest): bytes(row.body) for row in held}, announced, whole=True)
    part = deep.replay_part(streams)
    part.told.compare(part.report)  # as it is once all parts are there
    return part.report


def test_what_was_lived_through_is_sound_live_and_deep(lived: Lived) -> None:
    with lived.log.attacked() as conn:
        report, without_rows = lived.log.verify(conn), deep_report(conn)
        states = {
            row.ref: row.state for row in conn.execute(sa.select(TABLES["promise"].c.ref, TABLES["promise"].c.state))
        }
    assert (report.findings, report.doubts) == ([], [])
    assert (without_rows.findings, without_rows.doubts) == ([], [])
    assert states == {"PR-kept": "kept", "PR-judged": "partly_kept", "PR-open": "open"}
    assert report.cases_not_replayed == 0


def test_the_case_of_a_promise_is_as_of_every_day_what_its_row_was(lived: Lived) -> None:
    with lived.log.attacked() as conn:
        rows = rows_now(conn)
        then = {case_id: rows_then(conn, lived.log.branch, case_id, [LONG_AFTER]) for case_id in rows}
    assert then == {case_id: [row] for case_id, row in rows.items()}


def test_every_entry_of_a_promise_has_a_label_of_its_own_in_the_cases_history(lived: Lived) -> None:
    with lived.log.attacked() as conn:
        items = history_of_case(conn, lived.log.branch, find_case(conn, CASE), logs.RISK, limit=200).items
    told_of = {item.event: (item.zh, item.en) for item in items if item.event.startswith("promise.")}
    assert told_of == {
        "promise.opened": ("还款承诺：登记", "Promise to pay: Opened"),
        "promise.refused_opening": ("还款承诺：登记被拒", "Promise to pay: Opening refused"),
        "promise.fact.payment": ("还款承诺：计入承诺的还款", "Promise to pay: Payment counted"),
        "promise.step.keep": ("还款承诺：兑现", "Promise to pay: Kept"),
        "promise.step.judge": ("还款承诺：到期认定", "Promise to pay: Judge at the end of grace"),
        "promise.refused.keep": ("还款承诺：被拒：兑现", "Promise to pay: Refused: Kept"),
        "promise.refused.judge": ("还款承诺：被拒：到期认定", "Promise to pay: Refused: Judge at the end of grace"),
        "promise.refused.withdraw": ("还款承诺：被拒：撤销承诺", "Promise to pay: Refused: Withdraw"),
    }
    assert all(item.zh != item.event for item in items)


def test_the_case_is_shown_in_its_own_state_though_the_last_entry_is_a_promises(lived: Lived) -> None:
    with lived.log.attacked() as conn:
        (refused,) = advance(conn, [fire("promise", lived.numbers["open"], "judge")], lived.log.branch, clock=clock)
        assert isinstance(refused, Refused)
        row, then = rows_now(conn)[CASE], case_as_of(conn, lived.log.branch, CASE, instant(LONG_AFTER))
        whole = portfolio_as_of(conn, lived.log.branch, instant(LONG_AFTER), PortfolioFilter(state=row.state))
        between = case_difference(conn, lived.log.branch, CASE, instant(BUILT - timedelta(1)), instant(LONG_AFTER))
    state = lived.log.branch.rulebook.chart.states[row.state]
    assert (then.state, then.state_zh, then.last_entry_id) == (row.state, state.zh, refused.entry_id)
    assert whole.total.cases >= 1
    assert "还款承诺：到期认定" in [one.zh for one in between.entries]


def test_a_process_miner_sees_promises_and_holds_beside_the_case_that_stays_in_its_state(lived: Lived) -> None:
    model, numbers = from_json(made(lived.log, "ocel-json")[0]), lived.numbers
    with lived.log.attacked() as conn:
        state = rows_now(conn)[CASE].state
    last = {one: said["state"][-1][1] for one, (_, said) in model.objects.items() if "state" in said}
    promises = [last[f"promise:{numbers[name]}"] for name in ("kept", "judged", "open")]
    holds = [last[f"hold:{numbers[name]}"] for name in ("ending", "lifted", "dispute")]
    assert (promises, holds) == (["kept", "partly_kept", "open"], ["over", "lifted", "in_force"])
    assert last[STREAM_OF_CASE] == state
    assert (f"promise:{numbers['kept']}", STREAM_OF_CASE, "of") in model.links
    kinds = {event for event, _, _ in model.events.values()}
    assert {"promise.opened", "promise.step.keep", "hold.step.lift", "hold.refused_opening"} <= kinds
    (trace,) = (events for name, events in traces(made(lived.log, "xes")[0]).items() if name == str(CASE))
    assert "promise.step.judge" in {event["concept:name"] for event in trace}


def test_a_file_of_found_entries_calls_each_by_the_chart_that_it_is_of(lived: Lived) -> None:
    with reading(lived.log.engine, snapshot=True) as conn:
        lines, _ = collect(conn, lived.log.branch.mac_key, TermsWanted(event="promise.step.*"), at_most=10)
    header = [column.en for column in export.ENTRIES.columns]
    rows = [
        dict(zip(header, cells, strict=True)) for cells in export.entry_cells(lines, words_of(lived.log.branch), "en")
    ]
    assert sorted((row["Event in words"], row["From state"], row["To state"]) for row in rows) == [
        ("Promise to pay: Judge at the end of grace", "Open", "Partly kept"), ("Promise to pay: Kept", "Open", "Kept"),
    ]  # fmt: skip


# ── corrupt twins: rows ─────────────────────────────────────────────────────────────────────────────────────────────


def changed(word: str, name: str, **values: Any) -> Callable[[Connection, Lived], None]:
    def attack(conn: Connection, lived: Lived) -> None:
        table = TABLES[word]
        done = conn.execute(table.update().where(table.c.id == lived.numbers[name]).values(values))
        assert done.rowcount == 1

    return attack


def deleted(word: str, name: str) -> Callable[[Connection, Lived], None]:
    def attack(conn: Connection, lived: Lived) -> None:
        table = TABLES[word]
        assert conn.execute(table.delete().where(table.c.id == lived.numbers[name])).rowcount == 1

    return attack


def added(word: str, name: str, **values: Any) -> Callable[[Connection, Lived], None]:
    def attack(conn: Connection, lived: Lived) -> None:
        table = TABLES[word]
        row = conn.execute(sa.select(table).where(table.c.id == lived.numbers[name])).one()
        conn.execute(table.insert().values(row._asdict() | {"id": 4_711} | values))

    return attack


# how the row is changed, the finding, where, what it says
ROWS: dict[str, tuple[Callable[[Connection, Lived], None], str, str, dict[str, Any]]] = {
    "a promise of less": (
        changed("promise", "open", amount_fen=1), "row_differs", STREAM_OF_CASE, {"columns": ["amount_fen"]},
    ),
    "a broken promise called kept": (
        changed("promise", "judged", state="kept", due_on=LATER), "row_differs", STREAM_OF_CASE,
        {"columns": ["state", "due_on"]},
    ),
    "money that never came": (
        changed("promise", "judged", counted_fen=b'{"PAY":1}'), "row_differs", STREAM_OF_CASE,
        {"columns": ["counted_fen"]},
    ),
    "a promise of another case": (
        changed("promise", "open", parent_id=OTHER_CASE), "row_differs", STREAM_OF_CASE, {"columns": ["parent_id"]},
    ),
    "a promise that is gone": (deleted("promise", "open"), "row_missing", STREAM_OF_CASE, {}),
    "a promise that nobody made": (
        added("promise", "open", ref="PR-new"), "row_without_entries", STREAM_OF_CASE, {"table": "promises"},
    ),
    "a hold of another kind": (
        changed("hold", "ending", hold="death"), "row_differs", BORROWER, {"columns": ["hold"]},
    ),
    "a hold that ended made one in force": (
        changed("hold", "ending", state="in_force", live=True), "row_differs", BORROWER,
        {"columns": ["state", "live"]},
    ),
    "a hold moved by a minute": (
        changed("hold", "dispute", begins_at=clock()), "row_differs", BORROWER, {"columns": ["begins_at"]},
    ),
    "a hold that is gone": (deleted("hold", "dispute"), "row_missing", BORROWER, {}),
    "a hold that nobody set": (
        added("hold", "dispute", hold="legal"), "row_without_entries", BORROWER, {"table": "holds"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_is_not_what_its_entries_say_is_named(lived: Lived, name: str) -> None:
    attack, code, stream, said = ROWS[name]
    report = lived.log.after(lambda conn: attack(conn, lived))
    (finding,) = report.findings
    assert (finding.code, finding.stream) == (code, stream)
    assert said.items() <= finding.detail.items()
    assert finding.detail.keys() & {"promise", "hold"}


def test_one_row_gone_and_another_in_its_place_are_both_named(lived: Lived) -> None:
    def attack(conn: Connection) -> None:
        added("promise", "open", ref="PR-new")(conn, lived)
        deleted("promise", "open")(conn, lived)

    assert {finding.code for finding in lived.log.after(attack).findings} == {"row_missing", "row_without_entries"}


# ── corrupt twins: entries ──────────────────────────────────────────────────────────────────────────────────────────


def given(**values: Any) -> Change:
    return lambda entry: {"data": entry.data | {"given": entry.data["given"] | values}}


def data(**values: Any) -> Change:
    return lambda entry: {"data": entry.data | values}


def because(code: str) -> Change:
    reasons = [{"code": code, "saw": {"posts": ["basic_risk_manager", "system"]}, "needs": {}}]
    return lambda entry: {"reason_code": code, "data": entry.data | {"reasons": reasons}}


# stream, event that is rewritten, how, the finding
ENTRIES: dict[str, tuple[str, str, Change, str]] = {
    "kept without the money": (
        STREAM_OF_CASE, "promise.fact.payment", given(amount_fen=1), "step_not_allowed",
    ),
    "judged otherwise": (STREAM_OF_CASE, "promise.step.judge", lambda _: {"to": "kept"}, "step_elsewhere"),
    "judged in grace": (
        STREAM_OF_CASE, "promise.step.judge", data(business_date="2026-01-12"), "step_not_allowed",
    ),
    "kept out of another state": (
        STREAM_OF_CASE, "promise.step.keep", lambda _: {"from_": "broken"}, "state_differs",
    ),
    "opened into another state": (STREAM_OF_CASE, "promise.opened", lambda _: {"to": "kept"}, "state_differs"),
    "opened by a post that may not": (
        STREAM_OF_CASE, "promise.opened", data(post="phone_collector"), "opening_not_allowed",
    ),
    "a payment that somebody typed": (
        STREAM_OF_CASE, "promise.fact.payment", data(post="phone_collector"), "post_not_permitted",
    ),
    "a payment of a day to come": (STREAM_OF_CASE, "promise.fact.payment", data(on="2199-01-01"), "data_not_typed"),
    "a promise without an amount": (
        STREAM_OF_CASE, "promise.opened", given(amount_fen=0), "data_not_typed",
    ),
    "a promise that was not opened": (STREAM_OF_CASE, "promise.step.judge", data(promise=4_711), "replay_impossible"),
    "a promise without a number": (STREAM_OF_CASE, "promise.step.judge", data(promise="1"), "replay_impossible"),
    "a promise of which the case was told otherwise": (
        STREAM_OF_CASE, "case.fact.promise", given(amount_fen=1), "not_told",
    ),
    "an ending that is told of another promise": (
        STREAM_OF_CASE, "case.fact.promise_ended", data(evidence="case:3:1"), "not_told",
    ),
    "a promise of which the case was not told": (
        STREAM_OF_CASE, "case.fact.promise", lambda _: {"event": "case.fact.debtor_told"}, "not_told",
    ),
    "refused for another reason": (STREAM_OF_CASE, "promise.refused.keep", because("grace_over"), "refusal_differs"),
    "forbidden to a post that may": (
        STREAM_OF_CASE, "promise.refused.withdraw", because("post_not_permitted"), "refusal_differs",
    ),
    "an opening forbidden to a post that may": (
        STREAM_OF_CASE, "promise.refused_opening", because("post_not_permitted"), "refusal_differs",
    ),
    "out of reach of a post that reaches all": (
        STREAM_OF_CASE, "promise.refused.withdraw", because("out_of_reach"), "refusal_differs",
    ),
    "an event of no kind": (
        STREAM_OF_CASE, "promise.step.judge", lambda _: {"event": "promise.touched"}, "replay_impossible",
    ),
    "a chart that was never published": (
        STREAM_OF_CASE, "promise.opened", lambda _: {"chart": "promise@9#" + "0" * 64}, "text_missing",
    ),
    "a hold that ended too early": (BORROWER, "hold.step.expire", data(business_date="2026-01-10"), "step_not_allowed"),
    "a hold ended by a post that may not": (
        BORROWER, "hold.step.expire", data(post="phone_collector"), "step_not_allowed",
    ),
    "a second hold of a kind": (BORROWER, "hold.opened", data(gathered={"overlapping": 9}), "opening_not_allowed"),
    "a hold refused for nothing": (BORROWER, "hold.refused_opening", data(gathered={}), "refusal_differs"),
    "a refused hold that was opened": (
        BORROWER, "hold.refused_opening", lambda _: {"to": "in_force"}, "state_differs",
    ),
    "a hold of another customer": (
        BORROWER, "hold.opened", data(about={"institution": "wuhan", "borrower_id": "B9"}), "replay_impossible",
    ),
    "a hold of no known kind": (BORROWER, "hold.opened", given(hold="mood"), "data_not_typed"),
    "told by a hold that there is not": (STREAM_OF_CASE, "case.fact.hold", data(evidence="hold:4711"), "told_differs"),
    "told by another debtor's hold": (STREAM_OF_CASE, "case.fact.hold", data(evidence="hold:2"), "told_differs"),
    "told of another kind": (STREAM_OF_CASE, "case.fact.hold", given(hold="death"), "told_differs"),
    "told of another day": (STREAM_OF_CASE, "case.fact.hold", data(on="2026-01-09"), "told_differs"),
    "told of an end that was none": (
        STREAM_OF_CASE, "case.fact.hold_lifted", data(on="2026-01-10"), "told_differs",
    ),
    "a hold that began on another day": (
        BORROWER, "hold.opened", given(begins_at="2026-01-09T08:00:00+08:00"), "told_differs",
    ),
    "a business date set back": (BORROWER, "hold.refused.expire", data(business_date="2026-01-09"),
                                 "business_date_decreased"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_that_could_not_be_is_found_live_and_deep(lived: Lived, name: str) -> None:
    stream, event, change, expected = ENTRIES[name]
    with lived.log.attacked() as conn:
        with logs.guards_down(conn):
            reseal(conn, lived.log.branch.mac_key, stream, event, change)
        report, without_rows = lived.log.verify(conn), deep_report(conn)
    found = {finding.code for finding in report.findings}
    assert expected in found
    assert not found & {"mac_wrong", "body_changed", "link_broken", "head_differs", "column_differs"}
    elsewhere = {finding.code for finding in report.findings if finding.stream not in (stream, None)}
    assert elsewhere <= {"told_differs", "not_told"}  # whom it told, told otherwise
    deeply = {one.code for one in (*without_rows.findings, *without_rows.doubts)}
    assert expected in deeply
