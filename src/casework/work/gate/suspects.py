"""The contacts that may be breaches: all that are, and few others, found by what the database counts without judging.

One rule after the other asks for less than the gate does, so nothing that it forbids is missing: only these need the
whole course of their debtors. A rule that `judge` learns needs its condition here.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.storage.database import UtcDateTime
from casework.storage.rare import rare
from casework.work.cases.branch import Branch
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import REMITTANCES
from casework.work.cases.tables import cases
from casework.work.contacts.contact import CALLS, DEBTOR, MESSAGE, Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.judge import HELD_PURPOSES
from casework.work.gate.limits import Limits, limits_by_product, limits_of
from casework.work.holds import LIFTED

_log: Final = contact_log.c
_DAYS: Final = sa.select(_log.day).distinct().order_by(_log.day)
_NO_CAP: Final = 1 << 40
_judged: Final = _log.channel != "inbound", _log.permit_id.is_(None)


class _Strictest(NamedTuple):
    """The figures of a day, each as strict as those of any product."""

    opens: datetime
    closes: datetime
    connected: int
    unanswered: int
    messages: int
    states: list[str]


def suspects(conn: Connection, branch: Branch, first: date | None, last: date | None) -> list[Contact]:
    """Of the contacts that began from `first` to `last` (both included; none: without end), each once."""
    days: list[sa.ColumnElement[bool]] = [rare(_log.day >= first)] if first is not None else []
    days += [_log.day <= last] if last is not None else []
    found = {(one.source, one.contact_ref): one for one in _on_wrong_numbers(conn, branch, days)}
    for day in conn.execute(_DAYS.where(*days)).scalars().all():
        for row in conn.execute(_of_day(), _figures(branch, day)._asdict() | _of(branch, day)):
            one = contact_of(row)
            found[one.source, one.contact_ref] = one
    return list(found.values())


@cache
def _of_day() -> sa.Select[Any]:
    day, calls = sa.bindparam("day", type_=sa.Date), _log.channel.in_(sorted(CALLS))
    other, holds = contact_log.alias("other"), HOLDS.table.c
    of_day = rare(other.c.day == day)
    called = of_day, other.c.channel.in_(sorted(CALLS))
    often_reached = (  # X2
        sa.select(other.c.borrower_id).where(*called, other.c.outcome == DEBTOR)
        .group_by(other.c.borrower_id, other.c.institution)
        .having(sa.func.count() >= sa.bindparam("connected", type_=sa.Integer))
    )  # fmt: skip
    often_dialled = (  # X3
        sa.select(other.c.number)
        .where(*called, other.c.number.is_not(None), other.c.outcome.in_(["unanswered", "invalid_number"]))
        .group_by(other.c.number).having(sa.func.count() >= sa.bindparam("unanswered", type_=sa.Integer))
    )  # fmt: skip
    often_written = (  # X8
        sa.select(other.c.borrower_id).where(of_day, other.c.channel == MESSAGE)
        .group_by(other.c.borrower_id, other.c.institution)
        .having(sa.func.count() > sa.bindparam("messages", type_=sa.BigInteger))
    )  # fmt: skip
    held = sa.select(holds.borrower_id).where(
        holds.begins_at < sa.bindparam("ends", type_=UtcDateTime),
        holds.ends_at.is_(None) | (holds.ends_at > sa.bindparam("begins", type_=UtcDateTime)) | (holds.state == LIFTED),
    )
    kept = REMITTANCES.table.c
    paid = sa.select(kept.loan_id).where(
        kept.begins_at < sa.bindparam("ends", type_=UtcDateTime), kept.ended_on.is_(None) | (kept.ended_on >= day)
    )
    apart = sa.select(cases.c.borrower_id).where(cases.c.state.in_(sa.bindparam("states", expanding=True)))
    return CONTACTS.where(rare(_log.day == day), *_judged).where(
        (_log.party != DEBTOR)  # X4, X5, X6
        | (_log.started_at < sa.bindparam("opens", type_=UtcDateTime))
        | (_log.started_at >= sa.bindparam("closes", type_=UtcDateTime))
        | (calls & _log.borrower_id.in_(often_reached))
        | (calls & _log.number.in_(often_dialled))
        | ((_log.channel == MESSAGE) & _log.borrower_id.in_(often_written))
        | (_log.purpose.in_(sorted(HELD_PURPOSES)) & _log.borrower_id.in_(held))
        | (_log.purpose.in_(sorted(HELD_PURPOSES)) & _log.loan_id.in_(paid))
        | _log.borrower_id.in_(apart)
    )


def _on_wrong_numbers(
    conn: Connection, branch: Branch, days: Sequence[sa.ColumnElement[bool]]
) -> Iterator[Contact]:  # fmt: skip
    """Calls of these days to numbers that somebody found wrong (X4), whenever."""
    wrong = sorted(code for code, one in branch.rulebook.results.by_code.items() if one.number == "wrong")
    other = contact_log.alias("other").c
    # Not of all columns: those SQLite would not take from the index alone.
    told = sa.exists(sa.literal_column("1")).where(other.number == _log.number, other.result.in_(wrong))
    calls = CONTACTS.where(*days, _log.channel.in_(sorted(CALLS)), _log.permit_id.is_(None), told)
    return map(contact_of, conn.execute(calls).all())


def _of(branch: Branch, day: date) -> dict[str, Any]:
    begins = datetime.combine(day, time(), limits_of(branch.rulebook.policies.at(day)).zone)
    return {"day": day, "begins": begins, "ends": begins + timedelta(days=1)}


def _figures(branch: Branch, day: date) -> _Strictest:
    policy = branch.rulebook.policies.at(day)
    each = list(limits_by_product(policy).values())
    begins = datetime.combine(day, time(), each[0].zone)
    return _Strictest(
        begins + timedelta(hours=max(one.quiet_until_hour for one in each)),
        begins + timedelta(hours=min(one.quiet_from_hour for one in each)),
        min(one.connected_calls for one in each), min(one.unanswered_calls for one in each),
        min((one.messages for one in each if one.messages is not None), default=_NO_CAP), _apart(each),
    )  # fmt: skip


def _apart(each: Sequence[Limits]) -> list[str]:
    """The states in which only some posts may contact the debtor."""
    return sorted({state for one in each for state in one.own_posts})
