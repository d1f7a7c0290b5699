"""The door: one transaction, every reason, and a batch that is nothing but its commands one after the other."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casework.clock import now
from casework.errors import TryAgain
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, NotDone, Note, Open, Outcome, Record, Refused
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.settings import Settings, load_keys
from casework.storage import rows
from casework.storage.database import metadata, reading, writing
from casework.work.cases.commands import (
    Assign,
    Command,
    Measure,
    OpenCase,
)
from casework.work.cases.tables import cases
from tests.conftest import LONGER, Database, Published, StartedAfter
from tests.contacted import REPAIRED, contact_day
from tests.fed import dated
from tests.fresh import Fresh

TODAY = date(2024, 3, 1)
FEED = system("feed")
POSTS = {
    "R1": "business_rep", "T1": "phone_collector", "P1": "post_loan_officer", "B1": "basic_risk_manager",
    "G1": "agency_post", "A1": "asset_preservation", "V1": "approver", "V2": "approver",
}  # fmt: skip
WHO = {
    staff_no: Actor(staff_no, "staff", "api", frozenset({post}), team="T1", region="R1")
    for staff_no, post in POSTS.items()
}


def measure(days_past_due: int | None = 5, fen: int = 100_000) -> dict[str, Any]:
    due = None if days_past_due is None else (TODAY - timedelta(days=days_past_due)).isoformat()
    return {
        "oldest_due_date": due, "bucket": "M1" if due else "M0", "overdue_principal_fen": fen if due else 0,
        "overdue_interest_fen": 0, "overdue_penalty_fen": 0, "outstanding_principal_fen": 5_000_000, "risk_class": None,
        "npl_since": None,
    }  # fmt: skip


def opening(loan_id: str, *, actor: Actor = FEED, ground: str = "arrears", days_past_due: int | None = 5) -> OpenCase:
    loan: dict[str, str | None] = {
        "loan_id": loan_id, "institution": "wuhan", "borrower_id": f"B-{loan_id}", "product": "consumer",
        "channel_code": None, "team": "T1", "region": "R1", "owner": "R1",
    }  # fmt: skip
    given_ = {"finding": "doc:1", "recall_demand": "doc:2"} if ground == "misuse" else {}
    return OpenCase(actor=actor, ground=ground, loan=loan, measure=measure(days_past_due), data=given_)


def repaired(case_id: int, on: date = TODAY, version: int | None = None) -> Record:
    return Record(
        actor=WHO["T1"], id=case_id, kind="information_repair", on=on, evidence="rec:1", version=version, data=REPAIRED
    )


def fire(who: str, case_id: int, event: str, version: int | None = None, **data: Any) -> Fire:
    actor = FEED if who == "system" else WHO[who]
    return Fire(actor=actor, id=case_id, event=event, data=data, version=version)


def visit(case_id: int, **changes: Any) -> Fire:
    data = {"address_kind": "home", "address": "虚构路1号", "visit_on": TODAY.isoformat()} | changes
    return fire("R1", case_id, "start_visit", **data)


@dataclass
class Branch:
    """A branch to work on through the door."""

    started: Started

    def do(self, *commands: Command, **options: Any) -> list[Outcome]:
        """One batch in one transaction, committed."""
        with writing(self.started.engine) as conn:
            return advance(conn, commands, self.started.branch, **options)

    def open(self, *loans: str, **options: Any) -> list[int]:
        """Cases of these loans."""
        outcomes = self.do(*[opening(loan_id, **options) for loan_id in loans])
        return [done.id for done in outcomes if isinstance(done, Done)]

    def case(self, case_id: int) -> Any:
        """The row."""
        with reading(self.started.engine) as conn:
            return conn.execute(sa.select(cases).where(cases.c.id == case_id)).one()

    def bodies(self, stream: str) -> list[dict[str, Any]]:
        """The entries of a stream."""
        with reading(self.started.engine) as conn:
            wanted = sa.select(entries.c.body).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
            return [msgspec.json.decode(bytes(body)) for body in conn.execute(wanted).scalars()]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with reading(self.started.engine, snapshot=True) as conn:
            return {
                t.name: sorted((tuple(r) for r in conn.execute(sa.select(t))), key=repr) for t in metadata.sorted_tables
            }

    def assert_sound(self) -> None:
        """Chains hold, and every row is the fold of its entries (replayed)."""
        keys = load_keys(self.started.settings.keys_dir)
        with reading(self.started.engine, snapshot=True) as conn:
            report = verify(conn, keys.mac, self.started.branch.vault)
        assert report.verdict == "sound", report.as_json()


def furnish(started: Started) -> Branch:
    """An institution with a business date, and its people."""
    with writing(started.engine) as conn:
        dated(conn, started.branch, TODAY)
        trail = started.branch.trail(now())
        for staff_no, post in POSTS.items():
            register.add(
                conn,
                trail,
                system("cli"),
                started.branch.rulebook.permissions,
                staff_no=staff_no,
                name="某员工",
                posts=[post],
                team="T1",
                region="R1",
            )
        trail.write(conn)
    return Branch(started)


@pytest.fixture
def branch(started_after: StartedAfter) -> Branch:
    """A furnished branch."""
    started, _ = started_after(furnish)
    return Branch(started)


def only(outcomes: list[Outcome]) -> Any:
    (outcome,) = outcomes
    return outcome


# ── one command ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.every_postgres
def test_an_event_changes_state_version_and_log_together(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    done = only(branch.do(visit(case_id)))
    assert done == Done(case_id, 2, "phone_collection", "home_visit", f"case:{case_id}:2")
    row, entry = branch.case(case_id), branch.bodies(f"case:{case_id}")[-1]
    assert (row.state, row.version, row.audit_seq) == ("home_visit", 2, 2)
    assert (entry["event"], entry["from"], entry["to"], entry["rules"]) == (
        "case.step.start_visit", "phone_collection", "home_visit", ["1.3.2a", "1.3.2c"],
    )  # fmt: skip
    assert entry["data"]["given"] == {"address_kind": "home", "visit_on": "2024-03-01"}
    assert entry["personal"].keys() == {"address"}
    branch.assert_sound()


def test_a_refusal_lists_every_unmet_guard_with_rule_facts_and_what_would_satisfy_it(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    hold = {"hold": "complaint"}
    branch.do(Record(actor=FEED, id=case_id, kind="hold", on=TODAY, evidence="doc:1", data=hold))
    refused = only(branch.do(fire("system", case_id, "mark_lost")))
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["days_without_contact"]
    for reason in refused.reasons:
        assert reason.rules
        assert reason.zh
        assert reason.en
        assert reason.saw
        assert reason.needs
    assert (refused.state, refused.version, refused.forbidden) == ("phone_collection", 2, False)
    entry = branch.bodies(f"case:{case_id}")[-1]
    assert (entry["event"], entry["reason_code"]) == ("case.refused.mark_lost", "days_without_contact")
    assert [reason["code"] for reason in entry["data"]["reasons"]] == ["days_without_contact"]
    assert (branch.case(case_id).version, branch.case(case_id).audit_seq) == (2, 3)
    branch.assert_sound()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (lambda _: fire("T1", 999_999, "reached"), "unknown_case"),
        (lambda case_id: fire("T1", case_id, "fly"), "unknown_event"),
        (lambda case_id: replace(repaired(case_id), kind="dream"), "unknown_fact"),
        (lambda _: replace(opening("L9"), ground="whim"), "unknown_ground"),
        (lambda case_id: fire("R1", case_id, "start_visit", version=7), "stale_version"),
        (lambda case_id: visit(case_id, address_kind="moon"), "faulty_data"),
        (lambda case_id: visit(case_id, surprise=1), "faulty_data"),
        (lambda case_id: visit(case_id, visit_on="2024-02-29"), "faulty_data"),
        (lambda case_id: replace(repaired(case_id), data={}), "faulty_data"),
        (lambda case_id: replace(repaired(case_id), evidence="张三的电话"), "faulty_data"),
        (lambda case_id: repaired(case_id, now().date() + timedelta(days=3)), "faulty_data"),
        (lambda case_id: Note(actor=WHO["T1"], id=case_id, text=""), "faulty_data"),
    ],
)  # fmt: skip
def test_a_callers_mistake_is_told_and_leaves_no_trace(
    branch: Branch, command: Callable[[int], Command], code: str
) -> None:
    (case_id,) = branch.open("L1")
    before = branch.dump()
    mistaken = only(branch.do(command(case_id)))
    assert isinstance(mistaken, Mistaken)
    assert mistaken.code == code
    assert bool(mistaken.faults) == (code in ("faulty_data", "unknown_ground", "unknown_event", "unknown_fact"))
    assert branch.dump() == before


def test_a_stale_version_is_told_with_the_present_one(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    first, second = branch.do(repaired(case_id, version=1), repaired(case_id, version=1))
    assert isinstance(first, Done)
    assert second == Mistaken("stale_version", case_id, 2)


def test_somebody_without_the_post_is_refused_before_his_data_are_looked_at(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    refused = only(branch.do(fire("T1", case_id, "start_visit", nonsense=1)))
    assert isinstance(refused, Refused)
    assert refused.forbidden
    assert [reason.code for reason in refused.reasons] == ["post_not_permitted"]
    branch.assert_sound()


def test_a_wrong_state_is_a_refusal_and_names_where_the_event_is_possible(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    refused = only(branch.do(fire("R1", case_id, "found")))
    assert isinstance(refused, Refused)
    assert len(refused.reasons) == 1
    assert "home_visit" in str(refused.reasons[0].needs)


def test_a_note_is_committed_and_its_text_is_not_in_the_log(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    assert isinstance(only(branch.do(Note(actor=WHO["T1"], id=case_id, text="电话里提到的秘密"))), Done)
    assert branch.case(case_id).version == 1
    assert "秘密".encode() not in repr(branch.dump()["entries"]).encode()
    branch.assert_sound()


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_opening_a_loan_twice_is_refused_and_names_the_live_case(branch: Branch) -> None:
    first, second = branch.do(opening("L1"), opening("L1"))
    assert isinstance(first, Done)
    assert isinstance(second, Refused)
    assert [(reason.code, dict(reason.saw)) for reason in second.reasons] == [
        ("case_open_already", {"case_id": first.id})
    ]
    third = only(branch.do(opening("L1")))
    assert isinstance(third, Refused)
    assert [body["event"] for body in branch.bodies("openings:wuhan")] == ["case.refused_opening"] * 2
    branch.assert_sound()


def test_an_opening_is_refused_with_the_guards_it_does_not_meet(branch: Branch) -> None:
    refused = only(branch.do(opening("L1", days_past_due=None)))
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["in_arrears"]
    assert branch.bodies("openings:wuhan")[0]["reason_code"] == "in_arrears"


def test_a_new_case_after_a_settled_one_names_it_also_within_one_batch(branch: Branch) -> None:
    (first,) = branch.open("L1")
    settled: list[Command] = [
        Measure(actor=FEED, id=first, measure=measure(None), run=1),
        fire("system", first, "arrears_cleared", previous_as_of="2024-02-29"),
    ]
    *_, opened = branch.do(*settled, opening("L1"))
    assert isinstance(opened, Done)
    assert branch.bodies(f"case:{opened.id}")[0]["data"]["earlier_cases"] == [first]
    assert (branch.case(first).live, branch.case(opened.id).live) == (False, True)
    branch.assert_sound()


@pytest.mark.every_postgres
def test_of_two_openings_of_one_loan_at_the_same_moment_one_wins_and_the_other_is_told(branch: Branch) -> None:
    together, outcomes, busy = threading.Barrier(2), list[Outcome](), list[TryAgain]()
    wanted = opening("L1", actor=WHO["R1"], ground="misuse")

    def try_it() -> None:
        together.wait()
        try:
            outcomes.extend(branch.do(wanted))
        except TryAgain as told:
            busy.append(told)
            outcomes.extend(branch.do(wanted))

    threads = [threading.Thread(target=try_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Done", "Refused"]
    assert [told.code for told in busy] in ([], ["database_busy"])
    assert len(branch.dump()["cases"]) == 1
    branch.assert_sound()


@pytest.mark.only("postgresql")
def test_an_opening_that_another_transaction_commits_first_is_busy_and_leaves_nothing(branch: Branch) -> None:
    first_inserted, second_waits = threading.Event(), threading.Event()
    told: list[str] = []

    def second() -> None:
        first_inserted.wait(10)
        second_waits.set()
        try:
            branch.do(opening("L1"), opening("L2"))
        except TryAgain as busy:
            told.append(busy.code)

    thread = threading.Thread(target=second)
    thread.start()
    with writing(branch.started.engine) as conn:
        advance(conn, [opening("L1")], branch.started.branch)
        first_inserted.set()
        second_waits.wait(10)
        thread.join(0.5)  # it is blocked on the unique index until this transaction ends
        assert thread.is_alive()
    thread.join(10)
    assert told == ["database_busy"]
    assert [row.loan_id for row in branch_rows(branch)] == ["L1"]


def branch_rows(branch: Branch) -> Sequence[Any]:
    with reading(branch.started.engine) as conn:
        return conn.execute(sa.select(cases).order_by(cases.c.id)).all()


# ── one transaction ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("broken", ["update_many", "insert_many"])
def test_a_crash_between_row_and_entry_leaves_neither(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    (case_id,) = branch.open("L1")
    before = branch.dump()

    def crash(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(rows, broken, crash)
    with pytest.raises(ZeroDivisionError):
        branch.do(visit(case_id))
    monkeypatch.undo()
    assert branch.dump() == before


def test_nothing_is_kept_unless_the_caller_commits(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    before = branch.dump()
    with pytest.raises(ZeroDivisionError), writing(branch.started.engine) as conn:
        assert isinstance(only(advance(conn, [visit(case_id)], branch.started.branch)), Done)
        raise ZeroDivisionError
    assert branch.dump() == before


def test_a_dry_run_answers_the_same_and_writes_nothing(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    batch: list[Command] = [
        visit(case_id),
        fire("R1", case_id, "found"),
        repaired(case_id, version=1),
        opening("L2"),
        opening("L1"),
    ]
    before = branch.dump()
    forecast = branch.do(*batch, dry_run=True)
    assert branch.dump() == before
    assert [type(outcome) for outcome in forecast] == [Done, Refused, Mistaken, Done, Refused]
    assert [replace(outcome, id=0, entry_id="") if isinstance(outcome, Done) else outcome for outcome in forecast] == [
        replace(outcome, id=0, entry_id="") if isinstance(outcome, Done) else outcome for outcome in branch.do(*batch)
    ]


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_several_commands_on_one_case_each_see_what_the_one_before_did(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    seen = {
        "outcome": "found", "stated": True, "person_met": "debtor", "address_kind": "home",
    }  # fmt: skip
    outcomes = branch.do(
        visit(case_id),
        Record(actor=WHO["R1"], id=case_id, kind="visit", on=TODAY, evidence="doc:1", data=seen),
        fire("R1", case_id, "found", version=3),
        fire("R1", case_id, "found"),
    )
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Done, Refused]
    assert (branch.case(case_id).state, branch.case(case_id).version, branch.case(case_id).audit_seq) == (
        "phone_collection",
        4,
        5,
    )
    branch.assert_sound()


def test_an_atomic_batch_with_a_refusal_does_nothing_but_record_the_refusal(branch: Branch) -> None:
    first, second = branch.open("L1", "L2")
    outcomes = branch.do(visit(first), fire("system", second, "mark_lost"), fire("T1", 999_999, "reached"), atomic=True)
    assert [type(outcome) for outcome in outcomes] == [NotDone, Refused, Mistaken]
    assert [branch.case(first).state, branch.case(second).state] == ["phone_collection"] * 2
    assert len(branch.bodies(f"case:{first}")) == 1
    assert branch.bodies(f"case:{second}")[-1]["event"] == "case.refused.mark_lost"
    branch.assert_sound()


def test_an_atomic_batch_without_a_refusal_is_done_whole(branch: Branch) -> None:
    first, second = branch.open("L1", "L2")
    assert [type(outcome) for outcome in branch.do(visit(first), visit(second), atomic=True)] == [Done, Done]
    branch.assert_sound()


def test_what_an_atomic_batch_refused_only_because_of_its_own_earlier_command_is_told_not_done_and_not_recorded(
    branch: Branch,
) -> None:
    (case_id,) = branch.open("L1")
    before = branch.dump()
    first, second = branch.do(visit(case_id), visit(case_id), atomic=True)
    assert first == NotDone(case_id)
    assert isinstance(second, Refused)
    assert second.entry_id is None
    assert branch.dump() == before
    opened, again = branch.do(opening("L2"), opening("L2"), atomic=True)
    assert (type(opened), type(again)) == (NotDone, Refused)
    assert branch.dump() == before


@pytest.mark.only("postgresql")
def test_with_skip_a_case_that_another_transaction_holds_is_busy_and_the_others_are_done(branch: Branch) -> None:
    held, free = branch.open("L1", "L2")
    with writing(branch.started.engine) as holder:
        advance(holder, [repaired(held)], branch.started.branch)
        outcomes = branch.do(repaired(held), repaired(free), lock="skip")
    assert outcomes[0] == Mistaken("case_busy", held)
    assert isinstance(outcomes[1], Done)
    branch.assert_sound()


@pytest.mark.every_postgres
def test_two_people_at_once_on_one_version_one_wins_and_the_other_is_stale(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    together, outcomes = threading.Barrier(2), list[Outcome]()

    def try_it() -> None:
        together.wait()
        outcomes.extend(branch.do(repaired(case_id, version=1)))

    threads = [threading.Thread(target=try_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Done", "Mistaken"]
    assert branch.case(case_id).version == 2
    branch.assert_sound()


def test_times_never_run_backwards_within_a_case(branch: Branch) -> None:
    (case_id,) = branch.open("L1")
    earlier = datetime(2020, 1, 1, tzinfo=UTC)
    branch.do(repaired(case_id, date(2019, 12, 1)), clock=lambda: earlier)
    first, second = (body["recorded_at"] for body in branch.bodies(f"case:{case_id}"))
    assert first == second
    branch.assert_sound()


# ── a batch of N equals N batches of one ────────────────────────────────────────────────────────────────────────────

LOANS = ("L1", "L2", "L3")
_case = st.integers(1, 4)


def _agency(case_id: int) -> Record:
    file = {"agency": "AG1", "active": True, "inspected_on": TODAY.isoformat(), "evaluated_on": TODAY.isoformat()}
    return Record(actor=WHO["G1"], id=case_id, kind="agency_file", on=TODAY, evidence="doc:7", data=file)


def _visited(case_id: int, outcome: str) -> Record:
    seen = {"outcome": outcome, "stated": True, "person_met": "nobody", "address_kind": "home"}
    return Record(actor=WHO["P1"], id=case_id, kind="visit", on=TODAY, evidence="doc:1", data=seen)


def _assigned(case_id: int, who: str, owner: str, handler: str | None) -> Assign:
    return Assign(actor=WHO[who], id=case_id, owner=owner, handler=handler, reason="workload")


def _reversal(case_id: int) -> Record:
    given_ = {"payment": "pay:1", "paid_on": TODAY.isoformat(), "amount_fen": 5}
    return Record(actor=FEED, id=case_id, kind="reversal", on=TODAY, evidence="run:1", data=given_)


def _measured(case_id: int, days_past_due: int | None) -> Measure:
    return Measure(actor=FEED, id=case_id, measure=measure(days_past_due), run=1)


_days = st.integers(0, 6).map(lambda days: TODAY - timedelta(days=days))
_proposal: dict[str, Any] = {"criterion": "death", "evidence": "doc:3", "principal_fen": 5, "interest_fen": 0}
_term: dict[str, Any] = {"agency": "AG1", "term_until": "2024-06-01"}
commands = st.one_of(
    st.sampled_from(LOANS).map(opening),
    st.sampled_from(LOANS).map(lambda loan_id: opening(loan_id, days_past_due=None)),
    st.sampled_from(LOANS).map(lambda loan_id: opening(loan_id, actor=WHO["P1"], ground="misuse")),
    st.builds(repaired, _case, _days),
    st.builds(lambda case_id, on, met: contact_day(case_id, on, connected=met), _case, _days, st.booleans()),
    st.builds(repaired, _case, st.just(TODAY), st.integers(1, 4)),
    st.builds(lambda case_id: Note(actor=WHO["T1"], id=case_id, text="记录"), _case),
    st.builds(_measured, _case, st.sampled_from([None, 5, 40, 100])),
    st.builds(_agency, _case),
    st.builds(_visited, _case, st.sampled_from(["found", "not_found"])),
    st.builds(
        _assigned, _case, st.sampled_from(["B1", "B1", "T1"]), st.sampled_from(["P1", "T1", "V1", "R1", "X9"]),
        st.sampled_from([None, "P1"]),
    ),
    st.builds(_reversal, _case),
    st.builds(visit, _case),
    st.builds(lambda c: fire("G1", c, "place", **_term), _case),
    st.builds(lambda c: fire("G1", c, "recall", reason="term_over", destruction_due_on="2024-04-01"), _case),
    st.builds(lambda c: fire("system", c, "arrears_cleared", previous_as_of="2024-02-29"), _case),
    st.builds(lambda c: fire("system", c, "reverse_payment", reversal="pay:2"), _case),
    st.builds(lambda c, who: fire(who, c, "write_off", **_proposal), _case, st.sampled_from(["V1", "A1"])),
    st.builds(lambda c, e: fire("R1", c, e), _case, st.sampled_from(["found", "not_found", "reached", "fly"])),
    st.builds(lambda c: fire("system", c, "mark_lost"), _case),
)  # fmt: skip

_examples = itertools.count(1)
_WITHOUT = ("recorded_at", "occurred_at", "prev", "personal")
_ROW_WITHOUT = ("last_entry_at", "audit_head")


def said(branch: Branch) -> list[Any]:
    """Every entry of cases and openings as far as it does not depend on the moment, its chain or a salt."""
    with reading(branch.started.engine) as conn:
        wanted = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body)
        found = conn.execute(wanted.order_by(entries.c.stream, entries.c.stream_seq)).all()
    bodies = [msgspec.json.decode(bytes(row.body)) for row in found if row.stream.startswith(("case:", "openings:"))]
    return [{k: v for k, v in b.items() if k not in _WITHOUT} | {"personal": sorted(b["personal"])} for b in bodies]


def held(branch: Branch) -> list[dict[str, Any]]:
    """Every case's row as far as it does not depend on the moment or its chain."""
    return [{k: v for k, v in row._asdict().items() if k not in _ROW_WITHOUT} for row in branch_rows(branch)]


@pytest.fixture
def two_branches(
    database: Database,
    settings: Settings,
    rulebook_published: None,
    published: Callable[[str], Published],
    tmp_path: Path,
) -> Iterator[tuple[Branch, Branch]]:
    """Two furnished branches; the examples share them, each with loans of its own. Sound at the end."""
    pair = [Fresh(database, settings, published(database.name), tmp_path) for _ in range(2)]
    one, other = (furnish(fresh()) for fresh in pair)
    yield one, other
    for branch in (one, other):
        branch.assert_sound()
    for fresh in pair:
        fresh.close()


def _numbered(text: Any, names: dict[int, int]) -> Any:
    """The same with case numbers replaced: PostgreSQL's sequence leaves a gap for a refused opening."""
    if isinstance(text, dict):
        return {
            key: names.get(value, value) if key in ("case_id", "newer_case", "id") and type(value) is int
            else [names.get(number, number) for number in value] if key == "earlier_cases"
            else _numbered(value, names)
            for key, value in text.items()
        }  # fmt: skip
    if isinstance(text, list):
        return [_numbered(part, names) for part in text]
    if isinstance(text, str) and text.startswith("case:"):
        number, *rest = text.removeprefix("case:").split(":")
        return ":".join(["case", str(names[int(number)]), *rest])
    return text


def normal(branch: Branch, prefix: str) -> tuple[Any, Any]:
    """Entries and rows of the example's loans, cases numbered in order of opening."""
    rows_ = [row for row in held(branch) if row["loan_id"].startswith(prefix)]
    names = {row["id"]: place for place, row in enumerate(rows_, 1)}
    streams = {f"case:{number}" for number in names}
    bodies = [
        body for body in said(branch)
        if body["stream"] in streams or body["data"].get("loan_id", "").startswith(prefix)
    ]  # fmt: skip
    told = sorted(_numbered(bodies, names), key=lambda body: (body["stream"], body["stream_seq"]))
    return told, _numbered(rows_, names)


def placed(command: Command, ids: list[int], prefix: str) -> Command:
    """The command on this branch's cases of the example (1 to 3; a fourth is nobody's) or loans."""
    if isinstance(command, OpenCase):
        return replace(command, loan=dict(command.loan) | {"loan_id": f"{prefix}{command.loan['loan_id']}"})
    if isinstance(command, Open):
        return command
    return replace(command, id=ids[command.id - 1] if command.id <= len(ids) else 999_999)


@settings(max_examples=80 * LONGER, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(commands, min_size=2, max_size=14))
def test_a_batch_of_n_equals_n_batches_of_one_entry_for_entry(
    two_branches: tuple[Branch, Branch], batch: list[Command]
) -> None:
    together, apart = two_branches
    prefix = f"E{next(_examples)}-"
    loans = [f"{prefix}{loan_id}" for loan_id in LOANS]
    here, there = together.open(*loans), apart.open(*loans)
    at_once = together.do(*[placed(command, here, prefix) for command in batch])
    one_by_one = [only(apart.do(placed(command, there, prefix))) for command in batch]
    assert [type(outcome) for outcome in at_once] == [type(outcome) for outcome in one_by_one]
    assert normal(together, prefix) == normal(apart, prefix)
