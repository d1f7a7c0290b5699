"""Who was responsible: the owners of a case by date, and the cases that somebody owned on a day. Reads only.

As recorded: a change counts from the business date on which it was entered, the last one of a day for that whole day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.permissions import Reach
from casework.work.cases.branch import Branch
from casework.work.cases.filter import MAX_ID, filter_malformed
from casework.work.cases.paging import MAX_PAGE
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases, owner_history


class Ownership(msgspec.Struct):
    """One owner of a case: from `since_on` (business date) until the next row. `post` and `rule` say why they."""

    owner: str
    handler: str
    since_on: date
    since_at: datetime
    post: str | None
    reason: str
    reason_zh: str
    reason_en: str
    rule: str | None
    rule_zh: str | None
    rule_en: str | None
    entry_id: str


class OwnersOfCase(msgspec.Struct):
    """All owners of a case, the first one first; `on` and `responsible` answer for one day, if it was asked for."""

    case_id: int
    owners: list[Ownership]
    on: date | None = None
    responsible: str | None = None


class OwnedCase(msgspec.Struct):
    """A case that somebody owned on the day asked for; `state`, `overdue_fen` and the owner are today's."""

    case_id: int
    loan_id: str
    institution: str
    since_on: date
    handler: str
    reason: str
    rule: str | None
    state: str
    owner_now: str
    overdue_fen: int


class OwnedPage(msgspec.Struct):
    """One page of them by case; `next` is the id to go on after."""

    staff_no: str
    on: date
    items: list[OwnedCase]
    next: int | None


def owners_of_case(conn: Connection, branch: Branch, case_id: int, *, on: date | None = None) -> OwnersOfCase:
    """The dated owners of a case; none on a day before it was opened. The caller has seen to it that it is there."""
    wanted = sa.select(owner_history).where(owner_history.c.case_id == case_id).order_by(owner_history.c.stream_seq)
    found = [_told(branch, row) for row in conn.execute(wanted)]
    held = [one for one in found if on is not None and one.since_on <= on]
    return OwnersOfCase(case_id, found, on, held[-1].owner if held else None)


def owned_on(
    conn: Connection, staff_no: str, on: date, *, within: Reach, limit: int = 50, after: int | None = None
) -> OwnedPage:
    """The cases that `staff_no` owned on the day `on`, of those within the caller's reach now; a page by case.

    A case counts until the day before it was finally closed. CallerError `filter_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    if after is not None and not 0 <= after <= MAX_ID:
        raise filter_malformed("after", "the id of a case")
    later = owner_history.alias("later")
    replaced = sa.exists().where(
        later.c.case_id == owner_history.c.case_id, later.c.stream_seq > owner_history.c.stream_seq,
        later.c.since_on <= on,
    )  # fmt: skip
    conditions = [
        owner_history.c.owner == staff_no, owner_history.c.since_on <= on, ~replaced,
        sa.or_(cases.c.closed_as.is_(None), cases.c.state_since > on), covered_by(within, cases.c),
    ]  # fmt: skip
    if after is not None:
        conditions.append(owner_history.c.case_id > after)
    asked = (
        sa.select(
            *(owner_history.c[name] for name in _OF_HISTORY),
            *(cases.c[name] for name in _OF_CASES),
            cases.c.owner.label("owner_now"),
        )
        .join(cases, cases.c.id == owner_history.c.case_id)
        .where(*conditions)
        .order_by(owner_history.c.case_id)
        .limit(limit + 1)
    )
    found: Sequence[Any] = conn.execute(asked).all()
    items = [
        OwnedCase(
            row.case_id, row.loan_id, row.institution, row.since_on, row.handler, row.reason, row.rule, row.state,
            row.owner_now, row.overdue_fen,
        )
        for row in found[:limit]
    ]  # fmt: skip
    return OwnedPage(staff_no, on, items, items[-1].case_id if len(found) > limit else None)


_OF_HISTORY = ("case_id", "since_on", "handler", "reason", "rule")
_OF_CASES = ("loan_id", "institution", "state", "overdue_fen")


def _told(branch: Branch, row: Any) -> Ownership:
    rules = branch.rulebook.owners
    rule_zh, rule_en = rules.labels(row.rule) if row.rule else (None, None)
    return Ownership(
        row.owner, row.handler, row.since_on, row.since_at, row.post, row.reason, *rules.reason_labels(row.reason),
        row.rule, rule_zh, rule_en, f"case:{row.case_id}:{row.stream_seq}",
    )  # fmt: skip
