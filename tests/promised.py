"""Promises and holds, opened through the door as the nouns of their own that they are."""

from datetime import date

from casework.lifecycle.commands import Open
from casework.people.staff.actor import Actor


def promise(
    actor: Actor, case_id: int, *, amount_fen: int, made_on: date, pay_by: date, ground: str = "made"
) -> Open:  # fmt: skip
    """The debtor of the case promised so much, on a day on which he was reached."""
    data = {"amount_fen": amount_fen, "made_on": made_on.isoformat(), "pay_by": pay_by.isoformat()}
    return Open(actor=actor, noun="promise", ground=ground, of=case_id, data=data)


def hold(actor: Actor, loan_id: str, kind: str, *, on: date, review_by: date) -> Open:
    """The debtor of a loan on the books is left in peace from this day on."""
    begins_at = f"{on.isoformat()}T00:00:00+08:00"
    data = {"loan_id": loan_id, "hold": kind, "begins_at": begins_at, "review_by": review_by.isoformat()}
    return Open(actor=actor, noun="hold", ground="set", data=data)
