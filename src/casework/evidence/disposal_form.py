"""A judicial disposal form on paper, and what the branch knows already when somebody draws one up (5.2)."""

from datetime import date, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.evidence.ledger.gathering import names_in_clear
from casework.file_names import FileName, file_name
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.rules.statechart.chart import Chart
from casework.spreadsheet import Column
from casework.table import LIST_EXPORTED, Sheet, printed
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.disclosure import record_export, record_read
from casework.work.cases.export import columns_of, fields_in, noun_texts
from casework.work.cases.lifecycles import DISPOSALS, PROMISES
from casework.work.cases.shown import history_of_noun, seen
from casework.work.contacts.tables import contact_log, contacts
from casework.work.disposals import Disposal
from casework.work.promises import BROKEN

SIGNED_BY: Final = ("填写人", "审核人")
_CALLS, _VISIT, _GUARANTOR = ("call", "ai_voice"), "visit", "guarantor"
_COLUMNS: Final = (Column("item", "项目", "item", 24), Column("said", "内容", "what it says", 60))
_MOST: Final = 200
_log: Final = contact_log.c
_MADE: Final = (
    sa.select(_log.channel, sa.func.count())
    .where(
        _log.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
        _log.institution == sa.bindparam("institution", type_=sa.String),
    )
    .group_by(_log.channel)
)
_GUARANTORS: Final = sa.select(sa.func.count()).where(
    contacts.c.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
    contacts.c.institution == sa.bindparam("institution", type_=sa.String),
    contacts.c.role == _GUARANTOR, contacts.c.ended_at.is_(None),
)  # fmt: skip
_promises: Final = PROMISES.table.c
_BROKEN: Final = sa.select(sa.func.count()).where(
    _promises.parent_id == sa.bindparam("case_id", type_=sa.BigInteger), _promises.state == BROKEN
)


class Prefilled(msgspec.Struct):
    """What is known of a case, as the opening takes it; the customer masked. What nobody knows is left out."""

    case_id: int
    loan_id: str
    borrower_id: str
    customer: str | None
    data: dict[str, Any]


def prefilled(conn: Connection, branch: Branch, actor: Actor, case: Case) -> Prefilled:
    """Amounts of the newest snapshot; contacts of the debtor whatever they were made for."""
    whose = {"borrower_id": case.borrower_id, "institution": case.institution}
    made: dict[str, int] = {row[0]: row[1] for row in conn.execute(_MADE, whose)}
    since = case.facts.first_overdue_on
    if since is None and case.oldest_due_date is not None:
        since = case.oldest_due_date + timedelta(days=1)
    data = {
        "overdue_since": since.isoformat() if since else None,
        "principal_fen": case.outstanding_principal_fen, "interest_fen": case.overdue_interest_fen,
        "penalty_fen": case.overdue_penalty_fen,
        "security": "guarantor" if conn.execute(_GUARANTORS, whose).scalar_one() else "none",
        "limitation_ends_on": case.facts.limitation_ends_on.isoformat() if case.facts.limitation_ends_on else None,
        "calls": sum(made.get(channel, 0) for channel in _CALLS), "visits": made.get(_VISIT, 0),
        "promises_broken": conn.execute(_BROKEN, {"case_id": case.id}).scalar_one(),
    }  # fmt: skip
    known = {name: value for name, value in data.items() if value is not None}
    return Prefilled(case.id, case.loan_id, case.borrower_id, _customer(conn, branch, actor, case.customer), known)


def form_name(number: int, on: date) -> FileName:
    """Of the form with this number, as it stands on that day."""
    return file_name("司法处置表", "disposal-form", number, on, kind="xlsx")


def form_file(conn: Connection, branch: Branch, actor: Actor, number: int, today: date) -> bytes:
    """The form as a workbook to be signed, on record in the caller's transaction.

    Texts stand in it as the actor is shown them; that they were shown is an entry too. CallerError `unknown_disposal`.
    """
    form, whose = seen(conn, branch, DISPOSALS, actor, number, today)
    case, chart = whose[0], branch.rulebook.charts[DISPOSALS.chart]
    history = history_of_noun(conn, branch, DISPOSALS, form, whose, actor, limit=_MOST)
    texts = {name: text for item in history.items if _counts(item) for name, text in item.texts.items()}
    customer = _customer(conn, branch, actor, case.customer)
    sheet = _sheet(form, chart, customer, texts, branch.time_zone)
    body = printed([sheet], "zh", SIGNED_BY)
    shown = {*texts, *(["name"] if customer else [])}
    if shown:
        record_read(conn, branch, actor, [case.customer], shown)
    asked = {"noun": DISPOSALS.word, "id": number}
    record_export(conn, branch, actor, asked, rows=1, kind="xlsx", event=LIST_EXPORTED, file=body)
    return body


def _counts(item: Any) -> bool:
    """What was filed or corrected, not what was refused."""
    says = DISPOSALS.says
    return item.event in (says.opened, f"{says.step}correct")


def _sheet(form: Disposal, chart: Chart, customer: str | None, texts: dict[str, str], zone: str) -> Sheet:
    columns, told = columns_of(DISPOSALS, chart), noun_texts(form, DISPOSALS, chart, "zh", zone)
    fields = fields_in(chart)
    lines = [
        ("客户（脱敏）", customer or "已删除"),
        *((column.zh, text) for column, text in zip(columns, told, strict=True) if text),
        *((fields[name].zh, text) for name, text in sorted(texts.items())),
    ]
    about = f"借据号 {form.loan_id}　第{form.id}号　{form.opened_on}　填写人 {form.opened_by}"
    return Sheet("司法处置表", about, _COLUMNS, lines)


def _customer(conn: Connection, branch: Branch, actor: Actor, customer: Customer) -> str | None:
    """Masked, for whoever is shown names at all."""
    if branch.rulebook.permissions.view(actor, "name") is None:
        return None
    name = names_in_clear(conn, branch, [(customer.borrower_id, customer.institution)]).get(customer)
    return None if name is None else mask("name", name)
