"""Some command on a case of the built log: sensible or not, permitted or not. For generated examples."""

from datetime import date

from hypothesis import strategies as st

from casework.lifecycle.commands import Fire, Note, Record
from casework.work.cases.commands import Command, Measure
from tests.contacted import contact_day
from tests.log import built_log as logs

DAYS = st.sampled_from([date(2026, 1, day) for day in range(5, 11)])
EVENTS = st.sampled_from(
    ["mark_lost", "reached", "lead_found", "found", "not_found", "abandon_visit", "archive", "sue", "cancel"]
)
ACTORS = st.sampled_from([logs.PHONE, logs.BUSINESS, logs.RISK, logs.ASSETS, logs.SWEEP, *logs.APPROVERS])
REPAIR = {"outcome": "new_number", "source": "debtor", "legal_basis": "consent"}


def commands_on(case_id: int) -> st.SearchStrategy[Command]:
    """Some command on the case: sensible or not, permitted or not."""
    options: list[st.SearchStrategy[Command]] = [
        st.builds(lambda actor, event: Fire(actor=actor, id=case_id, event=event), ACTORS, EVENTS),
        st.builds(lambda day, answered: contact_day(case_id, day, connected=answered), DAYS, st.booleans()),
        st.just(logs.visit_ordered(case_id)),
        st.builds(
            lambda day, result, met, photo: Record(
                actor=logs.SWEEP, id=case_id, kind="visit", on=day, evidence="v:1",
                data={"outcome": result, "person_met": met, "photo": "sha256:" + photo * 64, "address_kind": "home"},
            ), DAYS, st.sampled_from(["found", "not_found"]), st.sampled_from(["debtor", "nobody", "family"]),
            st.sampled_from("0123"),
        ),
        st.builds(
            lambda ref, kept: Record(
                actor=logs.SWEEP, id=case_id, kind="promise_ended" if kept else "promise", on=logs.TODAY,
                evidence=f"case:{case_id}:1",
                data={"promise": ref} | (kept or {"pay_by": "2026-01-12", "amount_fen": 9}),
            ), st.sampled_from(["P1", "P2"]), st.sampled_from([None, {"outcome": "kept"}, {"outcome": "broken"}]),
        ),
        st.just(Record(
            actor=logs.PHONE, id=case_id, kind="information_repair", on=logs.TODAY, evidence="r:1",
            data=REPAIR,
        )),
        st.builds(
            lambda kind, hold: Record(
                actor=logs.SWEEP, id=case_id, kind=kind, on=logs.TODAY, evidence="doc:1", data={"hold": hold},
            ), st.sampled_from(["hold", "hold_lifted"]), st.sampled_from(["dispute", "complaint"]),
        ),
        st.just(Note(actor=logs.PHONE, id=case_id, text=logs.NOTE)),
        st.builds(
            lambda due: Measure(actor=logs.FEED, id=case_id, measure=logs.measure(due), run=2),
            st.sampled_from([None, "2025-12-01", "2026-01-05"]),
        ),
        st.just(Fire(
            actor=logs.FEED, id=case_id, event="arrears_cleared", data={"previous_as_of": "2026-01-09"}
        )),
    ]  # fmt: skip
    return st.one_of(options)
