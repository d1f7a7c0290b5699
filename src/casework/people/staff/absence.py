"""Leave, who deputises meanwhile, and training certificates: dated rows like the others (people.staff.register)."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.write.trail import Trail
from casework.people.staff import dossier, mistakes, person
from casework.people.staff.actor import Actor
from casework.people.staff.conflicts import check_deputy
from casework.people.staff.permissions import Permissions
from casework.people.staff.person import (
    ACTIVE,
    Absence,
    Person,
    day_before,
    overlapping,
)
from casework.people.staff.register import record
from casework.people.staff.tables import absences
from casework.rules.statechart.fields import EARLIEST, LATEST

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "leave": ("休假", "leave"), "sick": ("病假", "sick leave"), "training": ("培训", "training"),
    "other": ("其他", "other"),
}  # fmt: skip
LONGEST_DAYS: Final = 366
LONGEST_LENT_DAYS: Final = 31
"""Of a leave that lends a wide post: longer ones are recorded anew, and looked at anew, month by month."""
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


def absent(
    conn: Connection, trail: Trail, actor: Actor, permissions: Permissions, *, staff_no: str, from_on: date,
    until_on: date, reason: str, deputy: str | None = None,
) -> Person:  # fmt: skip
    """They are away from `from_on` through `until_on`; `deputy` sees and acts in their place on those days (1.1.1).

    A deputy is active, is there on all those days, and nobody deputises for them then: authority is lent once. Nor may
    they act by a post that conflicts with their own. CallerErrors: unknown_staff, wrong_status, unknown_reason,
    dates_out_of_order, leave_too_long, day_in_past, day_out_of_range, leave_overlaps, deputy_himself, deputy_away,
    deputises_then, posts_conflict.
    """
    people = dossier.persons(conn, {staff_no, deputy or staff_no}, lock=True)
    before = _active(people, staff_no)
    _check_leave(before, from_on, until_on, reason)
    _check_deputised(conn, staff_no, from_on, until_on)
    if deputy is not None:
        if deputy == staff_no:
            raise mistakes.deputy_himself(staff_no)
        _check_deputy(_active(people, deputy), from_on, until_on)
        check_deputy(permissions, before, people[deputy], from_on, until_on)
    data = {
        "from_on": from_on.isoformat(), "until_on": until_on.isoformat(), "reason": reason, "deputy": deputy
    }  # fmt: skip
    return record(conn, trail, actor, before, staff_no, person.ABSENT, data)


def end_absence(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, from_on: date, on: date | None = None
) -> Person:
    """The leave that began on `from_on` ends early: `on` is its last day, the day before it began if it never did.

    What has passed stays as it was, and a day on which somebody deputised is such a day: for four eyes the two
    are one person until it is over (1.1.4). `on`: none for the earliest possible day. CallerErrors: unknown_staff,
    wrong_status, leave_unknown, dates_out_of_order, day_in_past.
    """
    before = _active(dossier.persons(conn, [staff_no], lock=True), staff_no)
    ending = next((absence for absence in before.absences if absence.from_on == from_on), None)
    if ending is None:
        raise mistakes.leave_unknown(staff_no, from_on)
    deputised = ending.deputy is not None and from_on <= trail.today
    earliest = max(trail.today if deputised else day_before(trail.today), day_before(from_on))
    on = earliest if on is None else on
    if on >= ending.until_on:
        raise mistakes.dates_out_of_order("on", "until_on")
    if on < earliest:
        raise mistakes.day_in_past("on", earliest)
    data = {"from_on": from_on.isoformat(), "on": on.isoformat()}
    return record(conn, trail, actor, before, staff_no, person.ABSENCE_ENDED, data)


def certify(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, kind: str, issued_on: date,
    expires_on: date | None = None,
) -> Person:  # fmt: skip
    """They have a certificate of `kind`, a code such as collector_training (X13), until `expires_on` (none: for good).

    CallerErrors: unknown_staff, wrong_status, certificate_kind_malformed, day_in_future, day_in_past,
    dates_out_of_order, day_out_of_range, certificate_exists.
    """
    before = _active(dossier.persons(conn, [staff_no], lock=True), staff_no)
    if _KIND.fullmatch(kind) is None:
        raise mistakes.certificate_kind_malformed()
    if issued_on > trail.today:
        raise mistakes.day_in_future("issued_on", trail.today)
    if issued_on < EARLIEST:
        raise mistakes.day_in_past("issued_on", EARLIEST)
    if expires_on is not None and expires_on < issued_on:
        raise mistakes.dates_out_of_order("issued_on", "expires_on")
    if expires_on is not None and expires_on > LATEST:
        raise mistakes.day_out_of_range("expires_on", LATEST)
    if any((held.kind, held.issued_on) == (kind, issued_on) for held in before.certificates):
        raise mistakes.certificate_exists(staff_no, kind, issued_on)
    data = {
        "kind": kind, "issued_on": issued_on.isoformat(), "expires_on": expires_on.isoformat() if expires_on else None
    }  # fmt: skip
    return record(conn, trail, actor, before, staff_no, person.CERTIFIED, data)


def check_recorder(
    conn: Connection, permissions: Permissions, actor: Actor, staff_no: str, deputy: str | None,
    days: tuple[date, date] | None = None, *, today: date,
) -> None:  # fmt: skip
    """Whether the actor may record this leave: their own, lending no post that the deputy lacks, or by `leave.record`.

    `days`: its first and last, wherever a deputy is named; a post that either of them holds on some of them counts on
    those alone. Nobody names themselves, and a post that reviews, approves or keeps the register is lent only to
    somebody who holds it: anything else would be a post without four eyes (1.1.4). One that reaches beyond its holder's
    own cases is lent from tomorrow on, for a month at most: there is a night in which others can see it. CallerErrors:
    post_not_permitted, key_not_permitted, deputy_by_himself, deputy_lacks_post, lent_from_tomorrow, lent_too_long.
    """
    if actor.kind == "system":
        return
    if deputy == actor.id:
        raise mistakes.deputy_by_himself(actor.id)
    people = dossier.persons(conn, {staff_no, deputy or staff_no})
    principal, lent_to = people.get(staff_no), people.get(deputy or staff_no)
    if staff_no == actor.id and (deputy is None or (days is not None and _lends_nothing(principal, lent_to, *days))):
        permissions.require(actor, "leave.own")
    else:
        permissions.require(actor, "leave.record")
        deciding = permissions.commands["request.decide"].posts | permissions.commands["staff.change"].posts
        if deputy is not None and days is not None and not _lends_nothing(principal, lent_to, *days, among=deciding):
            raise mistakes.deputy_lacks_post(deputy, deciding)
    if deputy is not None and days is not None and _widens(permissions, principal, lent_to, *days):
        _check_wide(today, *days)


def _check_wide(today: date, from_on: date, until_on: date) -> None:
    if from_on <= today:
        raise mistakes.lent_from_tomorrow(today + timedelta(days=1))
    if until_on - from_on >= timedelta(days=LONGEST_LENT_DAYS):
        raise mistakes.lent_too_long(LONGEST_LENT_DAYS)


def _widens(
    permissions: Permissions, principal: Person | None, deputy: Person | None, from_on: date, until_on: date
) -> bool:
    """Whether the deputy comes to reach cases of others: by a post that they lack, or in a place not theirs."""
    scopes = {name: {post.sees, post.acts} - {None, "own"} for name, post in permissions.posts.items()}
    wide = frozenset(name for name, reached in scopes.items() if reached)
    if not _lends_nothing(principal, deputy, from_on, until_on, among=wide):
        return True
    if principal is None or deputy is None:
        return False
    lent = {held.post for held in principal.posts if overlapping(held, from_on, until_on)}
    reached = {scope for post in lent for scope in scopes.get(post, ())}
    theirs, deputys = (
        [home for home in who.homes if overlapping(home, from_on, until_on)] for who in (principal, deputy)
    )
    return any(
        {getattr(home, place) for home in theirs} - {None} - {getattr(home, place) for home in deputys}
        for place in ("team", "region") if place in reached
    )  # fmt: skip


def _lends_nothing(
    principal: Person | None, deputy: Person | None, from_on: date, until_on: date, *,
    among: frozenset[str] | None = None,
) -> bool:  # fmt: skip
    """Whether the deputy holds each post of the principal too, on every day of the leave on which they would act.

    `among`: only these posts count.
    """
    for lent in principal.posts if principal else ():
        if not overlapping(lent, from_on, until_on) or (among is not None and lent.post not in among):
            continue
        first, last = max(lent.from_on, from_on), min(lent.until_on or until_on, until_on)
        for own in sorted(held for held in (deputy.posts if deputy else ()) if held.post == lent.post):
            if own.from_on <= first and (own.until_on is None or own.until_on >= first):
                first = LATEST if own.until_on is None else own.until_on + timedelta(days=1)
        if first <= last:
            return False
    return True


def _active(people: Mapping[str, Person], staff_no: str) -> Person:
    if staff_no not in people:
        raise mistakes.unknown_staff(staff_no)
    if people[staff_no].status != ACTIVE:
        raise mistakes.wrong_status(staff_no, people[staff_no].status, ACTIVE)
    return people[staff_no]


def _check_leave(before: Person, from_on: date, until_on: date, reason: str) -> None:
    if reason not in REASONS:
        raise mistakes.unknown_reason(REASONS)
    if until_on < from_on:
        raise mistakes.dates_out_of_order("from_on", "until_on")
    if until_on - from_on >= timedelta(days=LONGEST_DAYS):
        raise mistakes.leave_too_long(LONGEST_DAYS)
    if from_on < EARLIEST:
        raise mistakes.day_in_past("from_on", EARLIEST)
    if until_on > LATEST:
        raise mistakes.day_out_of_range("until_on", LATEST)
    for absence in before.absences:
        if overlapping(absence, from_on, until_on):
            raise mistakes.leave_overlaps(before.staff_no, absence.from_on, absence.until_on)


def _check_deputised(conn: Connection, staff_no: str, from_on: date, until_on: date) -> None:
    """Who deputises for somebody on those days cannot be away too."""
    for row in conn.execute(_DEPUTISED, {"deputy": staff_no}):
        if overlapping(Absence(row.from_on, row.until_on, "", None), from_on, until_on):
            raise mistakes.deputises_then(staff_no, row.staff_no, row.from_on, row.until_on)


def _check_deputy(deputy: Person, from_on: date, until_on: date) -> None:
    """They are there on all those days."""
    for absence in deputy.absences:
        if overlapping(absence, from_on, until_on):
            raise mistakes.deputy_away(deputy.staff_no, absence.from_on, absence.until_on)
    if deputy.leaves_on is not None and deputy.leaves_on < until_on:
        raise mistakes.deputy_away(deputy.staff_no, deputy.leaves_on + timedelta(days=1), None)


_DEPUTISED: Final = (
    sa.select(absences.c.staff_no, absences.c.from_on, absences.c.until_on)
    .where(absences.c.deputy == sa.bindparam("deputy"))
    .order_by(absences.c.from_on, absences.c.staff_no)
)
