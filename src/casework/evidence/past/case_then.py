"""One case as it was at an instant, and what became of it between two. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec

from casework.evidence.past.instant import Instant, Source
from casework.work.cases.case import COLUMNS, Case, Facts


class CaseThen(msgspec.Struct):
    """A case at `instant`, as all entries recorded up to and including it say (those of one command share one time).

    `bucket_recorded` is what the last entry said that reported figures: what lists showed. `bucket_computed` and
    `days_past_due` are made of the oldest due date, the institution's `business_date` then (`business_date_from`: the
    last feed, the case's own entry, or the calendar) and the `policy` then in force. `audit_seq` and `audit_head` (the
    leaf hash of the last entry counted) say how much of the stream was read; compare them with a receipt.
    """

    instant: Instant
    business_date: date
    business_date_from: Source
    policy: str
    days_past_due: int
    bucket_recorded: str
    bucket_computed: str
    id: int
    institution: str
    loan_id: str
    borrower_id: str
    product: str | None
    channel_code: str | None
    team: str | None
    region: str | None
    chart: str
    state: str
    state_zh: str
    state_en: str
    state_since: date
    live: bool
    version: int
    owner: str
    handler: str
    opened_on: date
    opened_for: str
    opened_by: str
    closed_as: str | None
    ended_as: str | None
    principal_at_opening_fen: int
    oldest_due_date: date | None
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    overdue_fen: int
    outstanding_principal_fen: int
    facts: Facts
    last_entry_id: str
    last_entry_at: datetime
    audit_seq: int
    audit_head: str


class ChangeThen(msgspec.Struct, frozen=True):
    """One field that entries changed; a fact is `facts.<name>`. Before the opening every field is none."""

    field: str
    before: Any
    after: Any


class Between(msgspec.Struct):
    """An entry between two instants: who did what. Texts and figures are in the case's history."""

    entry_id: str
    seq: int
    event: str
    zh: str
    en: str
    actor: str
    via: str
    acting_for: str | None
    recorded_at: datetime
    from_state: str | None
    to_state: str | None
    reason_code: str | None
    rules: Sequence[str]


class CaseDifference(msgspec.Struct):
    """A case at two instants. `before` is none if it was opened between them.

    `changes` are those that entries made; days past due and computed buckets change by time alone and stand in `before`
    and `after`. `entries` are those after the first instant, up to and including the second; `next` is the `after` of
    the page that follows.
    """

    case_id: int
    from_at: Instant
    to_at: Instant
    before: CaseThen | None
    after: CaseThen
    changes: list[ChangeThen]
    entries_in_all: int
    entries: list[Between]
    next: int | None


_HEAD: Final = frozenset({"last_entry_at", "audit_seq", "audit_head"})
_NAMED: Final = tuple(name for name in COLUMNS if name not in {*_HEAD, "id", "bucket", "facts"})


def changes_between(before: Case | None, after: Case | None) -> list[ChangeThen]:
    """The fields in which a case differs from itself at an earlier instant; the head of its stream is none of them."""
    then, now = _fields(before), _fields(after)
    names = [*then, *(name for name in now if name not in then)]
    return [
        ChangeThen(name, then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)
    ]  # fmt: skip


def _fields(case: Case | None) -> Mapping[str, Any]:
    if case is None:
        return {}
    return {
        **{name: msgspec.to_builtins(getattr(case, name)) for name in _NAMED},
        "bucket_recorded": case.bucket,
        **{f"facts.{name}": msgspec.to_builtins(getattr(case.facts, name)) for name in Facts.__struct_fields__},
    }
