"""Outages are declared and withdrawn, some at a time: a result for each, each an entry (1.3.1d)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail, locked_head
from casework.people.days.loading import DECLARED, OUTAGES, WITHDRAWN, every_outage
from casework.people.days.tables import outages
from casework.people.staff.actor import Actor

MOST: Final = 366


class Outage(NamedTuple):
    """A day, and what was out on it, a key of `[outages]`; none: there was no outage, it is withdrawn."""

    day: date
    reason: str | None


def declare_outages(
    conn: Connection, trail: Trail, actor: Actor, wanted: Sequence[Outage], known: Iterable[str], *,
    closed: date | None, atomic: bool = False,
) -> list[CallerError | None]:  # fmt: skip
    """On these days something was out, so that nobody could do what was owed; what each is refused for, if it is.

    `closed`: the last day that is closed, up to which what was owed has been taken: of those days nothing is declared
    or withdrawn. `atomic`: one refused, and the others are `not_done`. Of one: outage_reason_unknown, outage_declared,
    outage_to_come, outage_of_closed_day, outage_unknown (where there is none to withdraw).
    """
    reasons = sorted(known)

    def judged() -> list[CallerError | None]:
        held, faults = every_outage(conn), list[CallerError | None]()
        for one in wanted:
            fault = _fault(one, held, reasons, trail.today, closed)
            faults.append(fault)
            if fault is None and one.reason is None:
                del held[one.day]
            elif fault is None:
                held[one.day] = str(one.reason)
        return [fault or CallerError("not_done") for fault in faults] if atomic and any(faults) else faults

    if all(faults := judged()):
        return faults
    locked_head(conn, OUTAGES)  # whoever else declares waits until these are in
    faults = judged()
    for one in (one for one, fault in zip(wanted, faults, strict=True) if fault is None):
        said = {"on": one.day.isoformat()}
        if one.reason is None:
            trail.append(conn, OUTAGES, Draft(WITHDRAWN, actor.signed, said))
            conn.execute(outages.delete().where(outages.c.day == one.day))
        else:
            trail.append(conn, OUTAGES, Draft(DECLARED, actor.signed, said | {"reason": one.reason}))
            conn.execute(outages.insert().values(day=one.day, reason=one.reason))
    return faults


def declare_outage(
    conn: Connection, trail: Trail, actor: Actor, one: Outage, known: Iterable[str], *, closed: date | None
) -> None:
    """One of them; its CallerError is raised."""
    (fault,) = declare_outages(conn, trail, actor, [one], known, closed=closed)
    if fault is not None:
        raise fault


def _fault(
    one: Outage, held: Mapping[date, str], reasons: Sequence[str], today: date, closed: date | None
) -> CallerError | None:
    day = str(one.day)
    if one.reason is None and one.day not in held:
        return CallerError("outage_unknown", day=day)
    if one.reason is not None and one.reason not in reasons:
        return CallerError(
            "outage_reason_unknown", f"没有此故障原因（可用：{'、'.join(reasons)}）",
            f"no such reason of an outage; there are {', '.join(reasons)}", known=list(reasons),
        )  # fmt: skip
    if one.day > today:
        return CallerError("outage_to_come", day=day, latest=str(today))
    if closed is not None and one.day <= closed:
        return CallerError("outage_of_closed_day", day=day, first=str(closed + timedelta(days=1)))
    return CallerError("outage_declared", day=day) if one.reason is not None and one.day in held else None
