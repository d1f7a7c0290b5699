"""Holds: of the debtor or of one loan, from when until when; the cases that they bind are told."""

from collections.abc import Iterator
from typing import Any

import pytest

from casework.intake.feed.agreed import import_holds
from casework.intake.sheets.taken import FileTaken
from casework.lifecycle import gather
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Refused
from casework.lifecycle.listing import every
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.case import from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.holds import HOLDS, to_confirm
from casework.work.cases.tables import cases
from casework.work.holds import Hold
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day

# Loans 1 and 2 are one debtor's; loan 3 is not in arrears yet, and theirs too.
BOOKS = [loan(1), loan(2, borrower_id="B1"), loan(3, borrower_id="B1"), loan(4)]
STEADY = [arrears(number) for number in (1, 2, 4)]
RISK = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))


@pytest.fixture
def held(bank_after: BankAfter) -> Iterator[Bank]:
    """Three cases; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, STEADY, loans=BOOKS)


def take(bank: Bank, *lines: str, on: int = 0) -> FileTaken:
    content = ("loan_id,hold,from,until\n" + "".join(f"{line}\n" for line in lines)).encode()
    with writing(bank.started.engine) as conn:
        return import_holds(conn, bank.started.branch, content, "h.csv", system("cli"), clock=at(day(on)))


def holds(bank: Bank) -> list[Hold]:
    with reading(bank.started.engine) as conn:
        return every(conn, HOLDS, live_only=False)


def on_cases(bank: Bank) -> dict[str, list[str]]:
    """The holds that each case knows of."""
    with reading(bank.started.engine) as conn:
        found = [from_row(row) for row in conn.execute(CASE_ROWS.order_by(cases.c.id))]
    return {case.loan_id: case.facts.holds for case in found}


@pytest.mark.parametrize(
    ("hold", "bound"),
    [
        ("complaint", {"L1", "L2"}), ("hardship", {"L1", "L2"}), ("bankruptcy", {"L1", "L2"}), ("death", {"L1", "L2"}),
        ("custody", {"L1", "L2"}), ("incapacity", {"L1", "L2"}),
        ("dispute", {"L1"}), ("legal", {"L1"}),
    ],
)  # fmt: skip
def test_a_hold_binds_the_debtor_or_the_loan_that_it_names(held: Bank, hold: str, bound: set[str]) -> None:
    assert take(held, f"L1,{hold},{DAY},").stored == 1
    assert {loan_id for loan_id, known in on_cases(held).items() if known == [hold]} == bound


@pytest.mark.parametrize("many", [1, gather._MANY])  # where thousands open it is asked first whether there is any
def test_a_case_that_opens_is_told_what_is_in_force(held: Bank, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(gather, "_MANY", many)
    take(held, f"L1,complaint,{DAY},", f"L1,dispute,{DAY},", f"L4,death,{DAY},")
    held.send(day(1), [*STEADY, arrears(3, on=day(1))])
    assert on_cases(held)["L3"] == ["complaint"]
    story = held.story(held.case(3).id)
    assert story[:2] == ["case.opened", "case.fact.hold"]


def test_it_is_half_open_and_its_last_day_is_told_when_it_is_over(held: Bank) -> None:
    """Until midnight of the third day: the second is its last; until noon of it: the third is."""
    take(held, f"L1,complaint,{DAY},{day(2)}", f"L4,hardship,{DAY},{day(2)}T12:00:00+08:00")
    assert [one.last_on for one in holds(held)] == [day(1), day(2)]
    engine, branch = held.started.engine, held.started.branch
    fired = []
    for number in range(1, 4):
        held.send(day(number), STEADY)
        fired.append(sweep(engine, branch, clock=at(day(number))).fired.get("hold.expire", 0))
    assert fired == [0, 1, 1]
    lifted = [body for body in held.bodies(f"case:{held.case(4).id}") if body["event"] == "case.fact.hold_lifted"]
    assert [body["data"]["on"] for body in lifted] == [day(2).isoformat()]
    assert set(map(tuple, on_cases(held).values())) == {()}


def test_a_case_that_hears_late_that_a_hold_is_over_keeps_another_of_its_ground(held: Bank) -> None:
    """The first of them was entered when it had ended, so its end is told after the second has begun."""
    take(held, f"L1,death,{day(-2)},{day(-1)}", f"L1,death,{DAY},", f"L4,death,{day(-2)},{day(-1)}")
    sweep(held.started.engine, held.started.branch, clock=at(day(0)))
    assert on_cases(held) == {"L1": ["death"], "L2": ["death"], "L4": []}
    with reading(held.started.engine) as conn:
        (case,) = [from_row(row) for row in conn.execute(CASE_ROWS.where(cases.c.loan_id == "L1"))]
    assert [(one.first, one.last) for one in case.facts.spoilt] == [(day(-2), day(-2)), (day(0), None)]


def test_the_same_row_again_changes_nothing_and_another_until_sets_its_end(held: Bank) -> None:
    assert take(held, f"L1,complaint,{DAY},").stored == 1
    assert take(held, f"L1,complaint,{DAY},").repeated == 1
    assert take(held, f"L1,complaint,{DAY},{day(3)}").changed == 1
    assert take(held, f"L1,complaint,{DAY},{day(3)}").repeated == 1
    (only,) = holds(held)
    assert (only.last_on, only.due_on) == (day(2), day(3))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"L2,complaint,{day(-1)},", "no_overlap"),  # the debtor's, whichever loan names it
        (f"L1,dispute,{DAY}T10:00:00+08:00,", "no_overlap"),
        ("L99,complaint,2024-06-03,", "unknown_loan"),
        (f"L1,quarrel,{DAY},", "unknown_ground"),
        ("L1,death,yesterday,", "malformed_time"),
        ("L1,death,2024-06-03T10:00:00,", "malformed_time"),
        ("L1,death,0001-01-01T00:00:00+14:00,", "malformed_time"),
        (f"L1,death,{day(2)},", "malformed"),
        (f"L1,death,{DAY},{DAY}", "ends_after_it_begins"),
    ],
)
def test_what_cannot_be_is_set_aside_with_its_reason(held: Bank, line: str, why: str) -> None:
    take(held, f"L1,complaint,{day(-1)}T08:00:00+08:00,", f"L1,dispute,{day(-1)},")
    assert [note.code for note in take(held, line).set_aside] == [why]
    assert len(holds(held)) == 2


def test_a_hold_of_another_debtor_or_after_the_first_is_over_does_not_overlap(held: Bank) -> None:
    take(held, f"L1,complaint,{day(-2)},{day(-1)}")
    assert take(held, f"L1,complaint,{day(-1)},", f"L4,complaint,{day(-2)},").stored == 2


def test_it_is_set_here_with_a_day_of_review_confirmed_and_lifted_by_those_who_may(held: Bank) -> None:
    caller = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
    stranger = Actor("S2", "staff", "api", frozenset({"post_loan_officer"}), "T9", "R9")
    data = {"loan_id": "L1", "hold": "complaint", "begins_at": f"{DAY}T09:00:00+08:00"}

    def do(command: Open | Fire) -> Any:
        with writing(held.started.engine) as conn:
            return advance(conn, [command], held.started.branch, clock=at(DAY))[0]

    missing = do(Open(actor=caller, noun="hold", ground="set", data=data))
    assert isinstance(missing, Mistaken)
    assert [fault.field for fault in missing.faults] == ["review_by"]
    data["review_by"] = day(7).isoformat()
    assert do(Open(actor=stranger, noun="hold", ground="set", data=data)) == Mistaken("unknown_loan", None)
    done = do(Open(actor=caller, noun="hold", ground="set", data=data))
    assert isinstance(done, Done)
    lift = {"reason": "resolved"}
    refused = do(Fire(actor=caller, noun="hold", id=done.id, event="lift", data=lift))
    assert isinstance(refused, Refused)
    assert refused.reasons[0].code == "post_not_permitted"
    assert do(Fire(actor=stranger, noun="hold", id=done.id, event="confirm")) == Mistaken("unknown_hold", done.id)
    assert isinstance(do(Fire(actor=RISK, noun="hold", id=done.id, event="confirm")), Done)
    assert isinstance(do(Fire(actor=RISK, noun="hold", id=done.id, event="lift", data=lift)), Done)
    assert on_cases(held)["L1"] == []


def test_a_review_or_an_end_farther_ahead_than_the_policy_lets_is_refused_here_and_a_warning_in_a_file(
    held: Bank,
) -> None:
    policy = held.started.branch.rulebook.policies.all[-1]
    review, end = policy.figure("hold.review_within_days"), policy.figure("hold.ends_within_days")

    def do(command: Open | Fire) -> Any:
        with writing(held.started.engine) as conn:
            return advance(conn, [command], held.started.branch, clock=at(DAY))[0]

    def put(loan_id: str, review_in: int, end_in: int) -> Any:
        data = {
            "loan_id": loan_id, "hold": "complaint", "begins_at": f"{DAY}T09:00:00+08:00",
            "review_by": day(review_in).isoformat(), "ends_at": f"{day(end_in)}T00:00:00+08:00",
        }  # fmt: skip
        return do(Open(actor=RISK, noun="hold", ground="set", data=data))

    def faulty(outcome: Any) -> list[tuple[str, str]]:
        assert isinstance(outcome, Mistaken), outcome
        return [(fault.field, fault.code) for fault in outcome.faults]

    assert faulty(put("L1", review + 2, end)) == [("review_by", "malformed")]
    assert faulty(put("L1", review, end + 2)) == [("ends_at", "malformed")]
    done = put("L1", review, end)
    assert isinstance(done, Done)
    later = {"review_by": day(review + 2).isoformat()}
    assert faulty(do(Fire(actor=RISK, noun="hold", id=done.id, event="review", data=later))) == [
        ("review_by", "malformed")
    ]
    far = {"ends_at": f"{day(end + 2)}T00:00:00+08:00"}
    assert faulty(do(Fire(actor=RISK, noun="hold", id=done.id, event="set_end", data=far))) == [
        ("ends_at", "malformed")
    ]
    taken = take(held, f"L4,complaint,{DAY},{day(end + 2)}", f"L1,complaint,{DAY}T09:00:00+08:00,{day(end + 2)}")
    assert (taken.stored, taken.changed) == (1, 1)
    assert [note.code for note in taken.warnings] == ["review_missing", "ends_late", "ends_late"]


# ── confirmed by another post, and what it leads to ─────────────────────────────────────────────────────────────────

COLLECTOR = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")


def here(bank: Bank, command: Open | Fire, on: int = 0) -> Any:
    with writing(bank.started.engine) as conn:
        return advance(conn, [command], bank.started.branch, clock=at(day(on)))[0]


def set_here(bank: Bank, ground: str = "set", who: Actor = COLLECTOR, **changes: str) -> int:
    data = {
        "loan_id": "L1", "hold": "complaint", "begins_at": f"{DAY}T09:00:00+08:00", "review_by": day(7).isoformat(),
    } | changes  # fmt: skip
    done = here(bank, Open(actor=who, noun="hold", ground=ground, data=data))
    assert isinstance(done, Done), done
    return done.id


def close(bank: Bank, number: int) -> dict[str, int]:
    """What the sweep of a day fired of holds."""
    if number:
        bank.send(day(number), STEADY)
    fired = sweep(bank.started.engine, bank.started.branch, day(number), clock=at(day(number))).fired
    return {event: number for event, number in fired.items() if event.startswith("hold.")}


def test_a_hold_that_a_collector_set_waits_a_day_for_the_basic_risk_post_and_names_who_set_it(held: Bank) -> None:
    number = set_here(held)
    (waiting,) = holds(held)
    assert (waiting.set_by, waiting.to_confirm_on, waiting.due_on) == ("S1", DAY, day(1))
    assert isinstance(here(held, Fire(actor=RISK, noun="hold", id=number, event="confirm")), Done)
    (confirmed,) = holds(held)
    assert (confirmed.confirmed_on, confirmed.to_confirm_on, confirmed.due_on) == (DAY, None, None)
    assert close(held, 1) == {}


def test_a_hold_that_nobody_confirms_stays_in_force_and_the_sweep_says_once_that_it_was_missed(held: Bank) -> None:
    number = set_here(held)
    assert [close(held, one) for one in range(3)] == [{}, {"hold.confirm_overdue": 1}, {}]
    (missed,) = holds(held)
    assert (missed.state, missed.confirm_missed_on, missed.confirmed_on) == ("in_force", day(1), None)
    assert on_cases(held)["L1"] == ["complaint"]
    with reading(held.started.engine) as conn:
        assert [one.id for one in to_confirm(conn, 10)] == [number]
    assert isinstance(here(held, Fire(actor=RISK, noun="hold", id=number, event="confirm"), on=3), Done)
    with reading(held.started.engine) as conn:
        assert to_confirm(conn, 10) == []


def test_what_ends_on_the_day_on_which_it_was_to_be_confirmed_is_over(held: Bank) -> None:
    set_here(held, ends_at=f"{day(1)}T00:00:00+08:00")
    assert [close(held, one) for one in range(2)] == [{}, {"hold.expire": 1}]


def test_nobody_confirms_their_own_and_what_basic_risk_or_a_file_sets_waits_for_nobody(held: Bank) -> None:
    own = set_here(held, who=RISK)
    refused = here(held, Fire(actor=RISK, noun="hold", id=own, event="confirm"))
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["set_by_another"]
    set_here(held, "ordered", RISK, loan_id="L4")
    take(held, f"L4,death,{DAY},")
    with reading(held.started.engine) as conn:
        assert [one.id for one in to_confirm(conn, 10)] == [own]
    assert {one.hold: one.set_by for one in holds(held) if one.loan_id == "L4"} == {
        "complaint": "B9",
        "death": "system",
    }


def test_hardship_leads_to_the_wish_for_an_arrangement_with_papers_and_a_day_of_review(held: Bank) -> None:
    number = set_here(held, hold="hardship")
    wish = {"wish": "instalments", "papers": "doc:2024-0001", "review_by": day(3).isoformat(), "remark": "失业"}
    assert isinstance(
        here(held, Fire(actor=COLLECTOR, noun="hold", id=number, event="wish_arrangement", data=wish)), Done
    )
    (hold,) = holds(held)
    assert (hold.wish, hold.papers, hold.review_by) == ("instalments", "doc:2024-0001", day(3))
    other = set_here(held, loan_id="L4")
    refused = here(held, Fire(actor=COLLECTOR, noun="hold", id=other, event="wish_arrangement", data=wish))
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["of_hardship"]
    for missing in ("wish", "papers", "review_by"):
        less = {name: value for name, value in wish.items() if name != missing}
        faulty = here(held, Fire(actor=COLLECTOR, noun="hold", id=number, event="wish_arrangement", data=less))
        assert isinstance(faulty, Mistaken)
        assert [fault.field for fault in faulty.faults] == [missing]
