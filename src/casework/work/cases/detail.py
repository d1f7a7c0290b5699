"""One case whole, as the API and the shell show it."""

from datetime import date
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from casework.people.staff.listing import names_of
from casework.work.cases.case import Case, Facts
from casework.work.cases.rulebook import Rulebook
from casework.work.contacts.latest import is_half_lost


class CaseDetail(msgspec.Struct):
    """A case as it stands. `version` is its ETag; amounts in fen; `facts` are what guards read.

    `half_lost`: the debtor does not answer, somebody around them has (a live case; docs/day.md).
    """

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
    deadline_zh: str
    deadline_en: str
    live: bool
    version: int
    owner: str
    handler: str
    owner_name: str | None
    handler_name: str | None
    opened_on: date
    opened_for: str
    opened_by: str
    closed_as: str | None
    ended_as: str | None
    principal_at_opening_fen: int
    oldest_due_date: date | None
    days_past_due: int
    business_date: date
    bucket: str
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    overdue_fen: int
    outstanding_principal_fen: int
    half_lost: bool
    facts: Facts
    audit_seq: int
    audit_head: str


def detail_of(conn: Connection, found: Case, rulebook: Rulebook, today: date) -> CaseDetail:
    """A case in its wire form, with the labels of its state and the deadline as the policy of `today` has it."""
    state = rulebook.chart.told_with(rulebook.policies.at(today)).state_named(found.state)
    names = names_of(conn, (found.owner, found.handler))
    beside: dict[str, Any] = {
        "state_zh": state.told(found.ended_as, "zh"), "state_en": state.told(found.ended_as, "en"),
        "deadline_zh": state.deadline_zh,
        "deadline_en": state.deadline_en, "days_past_due": found.days_past_due(today), "business_date": today,
        "audit_head": found.audit_head.hex(), "owner_name": names.get(found.owner),
        "handler_name": names.get(found.handler),
        "half_lost": found.live and is_half_lost(conn, found.customer, rulebook.results),
    }  # fmt: skip
    values = {name: beside[name] if name in beside else getattr(found, name) for name in CaseDetail.__struct_fields__}
    return CaseDetail(**values)
