"""The people of a case: the borrower and whoever is around them, masked as permissions.toml says."""

from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.intake.feed.borrowers import Borrower, borrower_page, fields_shown
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import PersonalField, Purpose
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.filter import BusinessDates
from casework.work.cases.sight import reach_of

READ: Final = "borrower.read"


class People(msgspec.Struct):
    """Who is shown, which of their fields, which of these may be shown in clear, and for which purposes."""

    page: Borrower
    fields: set[str]
    revealed: list[PersonalField]
    purposes: list[Purpose]


def people_of_case(conn: Connection, branch: Branch, dates: BusinessDates, found: Case, actor: Actor) -> People | None:
    """The borrower of a case; none for readers who look at no borrowers, and where nobody knows them."""
    permissions = branch.rulebook.permissions
    if not permissions.may(actor, READ):
        return None
    within = reach_of(branch, actor, READ, dates.of(found.institution))
    try:
        page = borrower_page(conn, branch, dates, found.customer, actor=actor, within=within)
    except CallerError:  # a case opened before its borrower was fed
        return None
    return people(branch, actor, page)


def people(branch: Branch, actor: Actor, page: Borrower) -> People:
    """A borrower's page with what may be revealed of it."""
    permissions = branch.rulebook.permissions
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    may = permissions.may(actor, "borrower.reveal")
    revealed = [row for row in permissions.personal.values() if may and row.reveal & held]
    purposes = [row for row in permissions.purposes.values() if row.posts & held]
    return People(page, set(fields_shown(page)), revealed, purposes)
