"""A case as lists show it, and a page of them. Pure."""

from datetime import date, datetime

import msgspec


class CaseLine(msgspec.Struct):
    """A case as lists show it. Amounts in fen; `days_past_due` counts to its institution's business date."""

    id: int
    institution: str
    loan_id: str
    borrower_id: str
    product: str | None
    channel_code: str | None
    team: str | None
    region: str | None
    state: str
    state_since: date
    live: bool
    version: int
    owner: str
    handler: str
    opened_on: date
    opened_for: str
    closed_as: str | None
    ended_as: str | None
    principal_at_opening_fen: int
    oldest_due_date: date | None
    bucket: str
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    overdue_fen: int
    outstanding_principal_fen: int
    last_entry_at: datetime
    days_past_due: int
    owner_name: str | None = None
    handler_name: str | None = None


class CasePage(msgspec.Struct):
    """One page; `next` is the cursor of the page after it, none at the end."""

    items: list[CaseLine]
    next: str | None
