"""What a case carries that has a date, and must not be forgotten because its owner changes. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

import msgspec

from casework.work.cases.case import Case

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "promise": ("承诺还款日", "promise to pay by"),
    "visit": ("已安排下户日", "visit ordered for"),
    "placement_term": ("委外到期日", "end of the placement's term"),
    "exception": ("留存催收例外到期日", "end of the exception from placement"),
    "destruction": ("委外资料销毁期限", "agency's copy to be destroyed by"),
    "limitation": ("诉讼时效届满日", "limitation period ends"),
    "request": ("待审批申请到期日", "pending request expires"),
    "hold": ("停催标记（无日期）", "hold (without a date)"),
}
"""What may be carried, in Chinese and English; `hold` has no date of its own."""


class Carried(msgspec.Struct):
    """How many cases carry one kind of thing, and the earliest date of it (none for a hold)."""

    kind: str
    zh: str
    en: str
    cases: int
    earliest: date | None


def dates_of(case: Case, visit_on: date | None = None, request_expires_on: date | None = None) -> dict[str, Any]:
    """The dates that a case carries, by kind; holds as the list of their codes. What it does not carry is left out."""
    facts, placement = case.facts, case.facts.placement
    running = placement is not None and not placement.ended
    found: dict[str, Any] = {
        "promise": facts.promise_pay_by,
        "visit": visit_on,
        "placement_term": placement.term_until if placement is not None and running else None,
        "exception": facts.exception_until,
        "destruction": facts.destruction_due_on,
        "limitation": facts.limitation_ends_on,
        "request": request_expires_on,
        "hold": facts.holds or None,
    }
    return {kind: value for kind, value in found.items() if value is not None}


def summed(carried: Iterable[Mapping[str, Any]]) -> list[Carried]:
    """Counts and earliest dates of the `dates_of` many cases, in the order of `KINDS`."""
    counts: dict[str, int] = {}
    earliest: dict[str, date] = {}
    for dates in carried:
        for kind, value in dates.items():
            counts[kind] = counts.get(kind, 0) + 1
            if isinstance(value, date):
                earliest[kind] = min(value, earliest.get(kind, value))
    return list(_told(counts, earliest))


def _told(counts: Mapping[str, int], earliest: Mapping[str, date]) -> Iterator[Carried]:
    for kind, (zh, en) in KINDS.items():
        if kind in counts:
            yield Carried(kind, zh, en, counts[kind], earliest.get(kind))
