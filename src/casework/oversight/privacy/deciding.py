"""Whether a borrower's data may be erased, and if not, every reason why not. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from casework.rules.statechart.decide import Reason
from casework.rules.statechart.policy import Policy
from casework.work.cases.privacy_rules import (
    AFTER_SETTLEMENT,
    HOLD,
    LITIGATION,
    LIVE_CASE,
    REQUEST,
    RETENTION,
    Basis,
)

RULES: Final = ("1.1.4",)
HOLD_PLACED, HOLD_RELEASED = "privacy.hold_placed", "privacy.hold_released"
_SHOWN: Final = 20  # numbers that a reason names; it counts them all


@dataclass(frozen=True, slots=True)
class ErasureSituation:
    """What is known of a borrower on the branch's day `today`.

    `holds` are the reasons of open legal holds; `last_record_on` is the day of the last entry about their cases,
    `last_ended_on` the business day on which the last of those cases that is over was settled or closed.
    """

    today: date
    live_cases: tuple[int, ...]
    open_matters: tuple[int, ...]
    open_requests: tuple[int, ...]
    holds: tuple[str, ...]
    last_record_on: date | None
    last_ended_on: date | None


def after_years(day: date, years: int) -> date:
    """The last day of a period of calendar years that begins on the day after `day` (Civil Code 201, 202).

    Where the year has no such day it is the month's last: 29 February and three years give 28 February.
    """
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1) - timedelta(days=1)


def reasons_against(basis: Basis, now: ErasureSituation, policy: Policy) -> tuple[Reason, ...]:
    """Every reason why their data may not be erased on this basis; none: they may."""
    found = (
        _some(LIVE_CASE, now.live_cases, "cases", ("仍有在办案件", "a case of theirs is live")),
        _held(now),
        _some(LITIGATION, now.open_matters, "cases", ("有未了结的法律事务", "a legal matter of theirs is open")),
        _some(REQUEST, now.open_requests, "requests", ("有未决申请", "a request about a case of theirs is open")),
        _kept(RETENTION, now.last_record_on, now.today, policy, "records.retention_years",
              ("最后一条催收记录后的保存期限未满", "the retention period after the last record is not over")),
        _kept(AFTER_SETTLEMENT, now.last_ended_on, now.today, policy, "records.retention_after_settlement_years",
              ("最后一个案件出催后的保存期限未满", "the retention period after the last case ended is not over")),
    )  # fmt: skip
    return tuple(reason for reason in found if reason is not None and reason.code in basis.waits_for)


def open_holds(events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The reasons of the holds that are open after these entries of a borrower, in the order they were placed."""
    held: list[str] = []
    for event, data in events:
        if event == HOLD_PLACED and data["reason"] not in held:
            held.append(data["reason"])
        elif event == HOLD_RELEASED:
            held = [reason for reason in held if reason not in data["reasons"]]
    return held


def _some(code: str, numbers: tuple[int, ...], what: str, texts: tuple[str, str]) -> Reason | None:
    if not numbers:
        return None
    saw = {what: list(numbers[:_SHOWN]), "count": len(numbers)}
    named = ", ".join(map(str, numbers[:_SHOWN])) + (" …" if len(numbers) > _SHOWN else "")
    return Reason(code, RULES, saw, {"count": 0}, f"{texts[0]}:{named}", f"{texts[1]}: {named}")


def _held(now: ErasureSituation) -> Reason | None:
    if not now.holds:
        return None
    named = ", ".join(now.holds)
    saw = {"reasons": list(now.holds)}
    return Reason(HOLD, RULES, saw, {"released": True}, f"处于保全中：{named}", f"a legal hold is open: {named}")


def _kept(
    code: str, since: date | None, today: date, policy: Policy, figure: str, texts: tuple[str, str]
) -> Reason | None:
    if since is None:
        return None
    years = int(policy.figure(figure))
    until = after_years(since, years)
    if today > until:
        return None
    saw = {"since": since.isoformat(), "years": years}
    opens_on = until + timedelta(days=1)
    return Reason(
        code, policy.cited[figure], saw, {"after": until.isoformat()}, f"{texts[0]}（至{until.isoformat()}）",
        f"{texts[1]} (it ends on {until.isoformat()})", opens_on,
    )  # fmt: skip
