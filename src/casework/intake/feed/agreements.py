"""Money that the feed brings on cases with a compromise agreement: it counts towards the agreed sum, nothing else does.

Looked at with every feed: an agreement may be entered after its payment came, and a correction of an older day may
bring one. What a payment counted for goes with its reversal, and a case that it had settled goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.payments import payment_ref
from casework.intake.feed.tables import repayments
from casework.lifecycle.commands import Fire, Record
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.case import Facts
from casework.work.cases.commands import Command
from casework.work.cases.tables import cases

_PAID: Final = sa.select(
    *(repayments.c[name] for name in ("loan_id", "payment_id", "paid_on", "amount_fen", "reverses"))
)
_decode = msgspec.json.Decoder(Facts).decode
_NAMED = b'"agreed_on":'  # as the one encoding of facts has it


@dataclass(slots=True)
class Agreed:
    """A case with an agreement, live or settled, and every payment and reversal of its loan."""

    loan_id: str
    case_id: int
    live: bool
    facts: Facts
    payments: list[Any] = field(default_factory=list)


def agreed_cases(conn: Connection, institution: str, states: Iterable[str]) -> list[Agreed]:
    """Those in `states`, in order of opening. Two questions to the database, however many cases and payments."""
    facts = cases.c.facts
    needle = sa.literal(_NAMED, sa.LargeBinary)
    place = sa.func.instr(facts, needle) if conn.dialect.name == "sqlite" else sa.func.position(needle.op("IN")(facts))
    wanted = sa.select(cases.c.loan_id, cases.c.id, cases.c.live, facts).where(
        cases.c.institution == institution, cases.c.state.in_(sorted(states)), place > 0
    )
    found = [
        Agreed(row[0], row[1], row[2], _decode(bytes(row[3]))) for row in conn.execute(wanted.order_by(cases.c.id))
    ]
    paid: dict[str, list[Any]] = {one.loan_id: [] for one in found}
    for row in rows.select_by_keys(conn, _PAID, "loan_id", sorted(paid)):
        paid[row.loan_id].append(row)
    for one in found:
        one.payments = paid[one.loan_id]
    return found


def undone(found: Iterable[Agreed], actor: Actor, as_of: date, run_id: int) -> list[Command]:
    """What had counted and was reversed; the door decides whether a case that it settled is open again.

    A case that ended otherwise than by compromise did not rest on it.
    """
    commands: list[Command] = []
    for one in found:
        if not one.live and one.facts.settled_as != "compromise":
            continue
        by_id = {row.payment_id: row for row in one.payments}
        for row in one.payments:
            back = by_id.get(row.reverses)
            if back is None or payment_ref(back.payment_id) not in one.facts.received_fen:
                continue
            ref = payment_ref(back.payment_id)
            data = {"payment": ref, "paid_on": back.paid_on.isoformat(), "amount_fen": back.amount_fen}
            commands.append(_fact(one, "reversal", as_of, data, actor, run_id))
            if not one.live:
                given = {"reversal": payment_ref(row.payment_id)}
                commands.append(Fire(actor=actor, id=one.case_id, event="reverse_payment", data=given))
    return commands


def received(found: Iterable[Agreed], actor: Actor, run_id: int) -> list[Command]:
    """What came since the agreement and does not count yet."""
    commands: list[Command] = []
    for one in found:
        reversed_ids = {row.reverses for row in one.payments}
        for row in one.payments if one.live else ():
            since, ref = one.facts.agreed_on, payment_ref(row.payment_id)
            counts = row.reverses is None and since is not None and row.paid_on >= since
            if counts and row.payment_id not in reversed_ids and ref not in one.facts.received_fen:
                data = {"payment": ref, "amount_fen": row.amount_fen}
                commands.append(_fact(one, "payment", row.paid_on, data, actor, run_id))
    return commands


def _fact(one: Agreed, kind: str, on: date, data: dict[str, Any], actor: Actor, run_id: int) -> Record:
    return Record(actor=actor, id=one.case_id, kind=kind, on=on, evidence=f"run:{run_id}", data=data)
