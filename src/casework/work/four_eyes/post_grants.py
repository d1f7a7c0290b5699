"""Requests for a post: an administrator asks, somebody else approves, the register grants (rule 1.1.4).

The subject is `staff:<no>`, `what` the post, `data` from_on and perhaps until_on (ISO dates). Whoever is to get the
post, and their deputies, have no part in it. The register asks its own questions (conflicts, dates, status) both times.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.posts import known_posts
from casework.people.staff.register import grant_post
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.four_eyes.kinds import Carried
from casework.work.requests import POST, Request

NAME = POST
TOPIC = "post_grant"
PREFIX = "staff:"
PINNED = 1  # nothing of the register voids it: whatever would forbid the post is asked again at the approval


class PostGrants:
    """Posts of people."""

    name = NAME

    def topic(self, branch: Branch, subject: str, what: str) -> str:
        """CallerError `unknown_post`."""
        del subject
        known = known_posts(branch.rulebook.chart)
        if what not in known:
            raise CallerError(
                "unknown_post", f"没有这样的岗位：{what[:32]}", f"no such post; known are {', '.join(sorted(known))}",
                posts=[what[:32]],
            )  # fmt: skip
        return TOPIC

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """Always the same; the register locks the person itself."""
        del conn, branch, what, data
        _staff_no(subject)
        return PINNED

    def concerned(
        self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]
    ) -> frozenset[str]:
        """Who is to get the post."""
        del conn, branch, what, data
        return frozenset({_staff_no(subject)})

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...]:  # fmt: skip
        """As the register would answer now: the post is granted, and that is undone at once."""
        from_on, until_on = _days(data)
        tried = conn.begin_nested()
        try:
            _grant(conn, branch, actor, subject, what, from_on, until_on, request_id, clock)
        except CallerError as mistake:
            if mistake.code in ("unknown_staff", "dates_out_of_order", "day_out_of_range"):
                raise
            return (_reason(mistake),)
        finally:
            tried.rollback()
        return ()

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Grant it; the entry of the person names the request."""
        from_on, until_on = _days(data)
        try:
            entry_id = _grant(conn, branch, actor, request.subject, request.what, from_on, until_on, request.id, clock)
        except CallerError as mistake:  # the register writes only what it has found good
            return (_reason(mistake),)
        return Carried(entry_id)


def _grant(
    conn: Connection, branch: Branch, actor: Actor, subject: str, post: str, from_on: date, until_on: date | None,
    request_id: int, clock: Clock,
) -> str:  # fmt: skip
    trail = branch.trail(clock())
    known = known_posts(branch.rulebook.chart)
    grant_post(
        conn, trail, actor, branch.rulebook.permissions, known, staff_no=_staff_no(subject), post=post,
        from_on=from_on, until_on=until_on, request_id=request_id,
    )  # fmt: skip
    (entry_id,) = trail.entry_ids
    trail.write(conn)
    return entry_id


def _staff_no(subject: str) -> str:
    number = subject.removeprefix(PREFIX)
    if number == subject or not 1 <= len(number) <= 32:
        raise CallerError("unknown_staff", "没有这个工号", "there is no such staff number")
    return number


def _days(data: Mapping[str, Any]) -> tuple[date, date | None]:
    """CallerError `faulty_data`."""
    try:
        if set(data) - {"from_on", "until_on"}:
            raise ValueError  # told below
        until_on = data.get("until_on")
        return date.fromisoformat(data["from_on"]), None if until_on is None else date.fromisoformat(until_on)
    except (KeyError, TypeError, ValueError):
        raise CallerError(
            "faulty_data", "授岗申请须有 from_on，可有 until_on(日期)",
            "a request for a post takes from_on and perhaps until_on, dates YYYY-MM-DD",
            faults=[{"field": "from_on", "code": "malformed", "zh": "日期", "en": "dates"}],
        ) from None  # fmt: skip


def _reason(mistake: CallerError) -> Reason:
    """The register's mistake as a reason; its facts hold codes and dates, never a name."""
    return Reason(mistake.code, ("1.1.4",), dict(mistake.facts), {}, mistake.zh, str(mistake))
