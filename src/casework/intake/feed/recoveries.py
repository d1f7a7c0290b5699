"""Money on claims that were written off, and its undoing (账销案存: the case lives on until the money is in).

A payment dated since the write-off is counted once, also one beyond what was owed, for another may yet bounce; its
reversal uncounts it. When what was received reaches what was
written off the case is paid in full, and if a reversal takes it below that again the case is open again. Whether each
of these may be is the chart's to say; here it is only worked out what to ask for, set-wise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.books import Reversed, reversals_of
from casework.intake.feed.payments import payment_ref
from casework.intake.feed.row import RepaymentRow
from casework.lifecycle.commands import Fire, Record
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.case_guards.shown import FOR_ARREARS
from casework.work.cases.case import Facts
from casework.work.cases.commands import Command
from casework.work.cases.tables import cases

_CLAIMS: Final = sa.select(cases.c.loan_id, cases.c.id, cases.c.state, cases.c.opened_for, cases.c.facts)
_decode = msgspec.json.Decoder(Facts).decode


@dataclass(slots=True)
class Claim:
    """A case that is written off, or settled: as the commands so far leave it."""

    case_id: int
    state: str
    opened_for: str
    facts: Facts
    latest: bool = False  # the loan has no newer case

    @property
    def paid_up(self) -> bool:
        """What was written off has been received."""
        return self.facts.recovered_fen >= self.facts.written_off_fen

    @property
    def settled_by_money(self) -> bool:
        """Settled because what was written off was received."""
        return self._paid_in_full and self.facts.written_off_on is not None

    @property
    def outlives_arrears(self) -> bool:
        """Settled as paid in full though it was not for arrears: its loan need not be overdue to be owed again."""
        whole_debt = self.opened_for not in FOR_ARREARS or self.facts.accelerated_on is not None
        return self._paid_in_full and self.facts.written_off_on is None and whole_debt

    @property
    def _paid_in_full(self) -> bool:
        return self.latest and self.state == "settled" and self.facts.settled_as == "paid_in_full"


@dataclass(frozen=True, slots=True)
class Undoing:
    """By whom, on which day and by which run a payment's undoing is reported."""

    actor: Actor
    as_of: date
    run_id: int

    def of(self, case_id: int, undone: Reversed) -> tuple[Command, Command]:
        """The payment's undoing on record, and the settled case asked to open again."""
        given = {
            "payment": payment_ref(undone.payment),
            "paid_on": undone.paid_on.isoformat(),
            "amount_fen": undone.amount_fen,
        }
        fact = Record(
            actor=self.actor, id=case_id, kind="reversal", on=self.as_of, evidence=f"run:{self.run_id}", data=given
        )
        data = {"reversal": payment_ref(undone.reversal)}
        return fact, Fire(actor=self.actor, id=case_id, event="reverse_payment", data=data)


def commands_of(
    conn: Connection, payments: Sequence[RepaymentRow], undoing: Undoing, previous_as_of: date
) -> list[Command]:
    """What the new payments and reversals ask of cases written off, and of those settled whose money is undone.

    Two questions to the database, however many rows.
    """
    claims = _claims(conn, {row.loan_id for row in payments})
    if not claims:
        return []
    undone = _undone(conn, payments, claims, undoing.run_id)
    before = {one for one in undone if any(_counted(one, claim) for claim in claims[one.loan_id])}
    commands = list(_reversed((one for one in undone if one in before), claims, undoing))
    commands += _received(payments, claims, undoing.actor)
    commands += _reversed((one for one in undone if one not in before), claims, undoing)
    for several in claims.values():
        for claim in several:
            if claim.state == "written_off" and claim.facts.recoveries and claim.paid_up:
                data = {"previous_as_of": previous_as_of.isoformat()}
                commands.append(Fire(actor=undoing.actor, id=claim.case_id, event="paid_in_full", data=data))
    return commands


def _claims(conn: Connection, loan_ids: Iterable[str]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    newest: dict[str, int] = {}
    for loan_id, case_id, state, opened_for, facts in rows.select_by_keys(conn, _CLAIMS, "loan_id", sorted(loan_ids)):
        newest[loan_id] = max(case_id, newest.get(loan_id, 0))
        if state in ("written_off", "settled"):
            found.setdefault(loan_id, []).append(Claim(case_id, state, opened_for, _decode(bytes(facts))))
    for loan_id, several in found.items():
        for claim in several:
            claim.latest = claim.case_id == newest[loan_id]
    return found


def _undone(
    conn: Connection, payments: Sequence[RepaymentRow], claims: dict[str, list[Claim]], run_id: int
) -> list[Reversed]:
    loans = {row.loan_id for row in payments if row.reverses is not None} & claims.keys()
    return [one for several in reversals_of(conn, sorted(loans)).values() for one in several if one.run_id == run_id]


def _counted(undone: Reversed, claim: Claim) -> bool:
    return payment_ref(undone.payment) in claim.facts.recoveries


def _received(payments: Sequence[RepaymentRow], claims: dict[str, list[Claim]], actor: Actor) -> Iterator[Command]:
    for row in payments:
        for claim in claims.get(row.loan_id, ()) if row.reverses is None else ():
            since = claim.facts.written_off_on
            if since is None or row.paid_on < since or not (claim.latest or claim.state == "written_off"):
                continue
            ref = payment_ref(row.payment_id)
            claim.facts.recoveries.append(ref)
            claim.facts.recovered_fen += row.amount_fen
            data = {"payment": ref, "amount_fen": row.amount_fen}
            yield Fire(actor=actor, id=claim.case_id, event="recover", data=data)


def _reversed(undone: Iterable[Reversed], claims: dict[str, list[Claim]], undoing: Undoing) -> Iterator[Command]:
    for one in undone:
        for claim in claims[one.loan_id]:
            counted = _counted(one, claim)
            if counted:
                claim.facts.recovered_fen -= one.amount_fen
                claim.facts.recoveries.remove(payment_ref(one.payment))
                data = {
                    "payment": payment_ref(one.payment), "reversal": payment_ref(one.reversal),
                    "amount_fen": one.amount_fen,
                }  # fmt: skip
                yield Fire(actor=undoing.actor, id=claim.case_id, event="recovery_reversed", data=data)
            if (counted and claim.settled_by_money and not claim.paid_up) or (not counted and claim.outlives_arrears):
                yield from undoing.of(claim.case_id, one)
                if counted:
                    claim.state = "written_off"
