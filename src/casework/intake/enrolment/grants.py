"""How somebody gets a post: asked for with four eyes, or at the shell while the branch is set up (rule 1.1.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import ids
from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.staff import conflicts, register
from casework.people.staff.actor import Actor
from casework.people.staff.person import Person
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.four_eyes import post_grants, requests
from casework.work.four_eyes.recording import Asked
from casework.work.four_eyes.tables import requests as open_requests


@dataclass(frozen=True, slots=True)
class PostsGranted:
    """What became of one post: granted, asked for in `request`, or neither, for `reasons`."""

    post: str
    request: int | None = None
    reasons: tuple[Reason, ...] = ()
    forbidden: bool = False


def at_the_shell(branch: Branch, actor: Actor, on: date) -> bool:
    """Whether this actor grants posts without four eyes: the service at the shell, as long as the policy lets it.

    CallerError shell_grants_off when it no longer does.
    """
    if actor.kind != "system":
        return False
    if not branch.rulebook.policies.at(on).figure("staff.shell_grants"):
        raise CallerError("shell_grants_off")
    return True


def enrol(
    conn: Connection, branch: Branch, trail: Trail, actor: Actor, *, staff_no: str, name: str,
    posts: Iterable[str] = (), clock: Clock = now, **particulars: Any,
) -> tuple[Person, list[PostsGranted]]:  # fmt: skip
    """Register somebody (`particulars` as `staff.register.add`); their posts are granted or asked for.

    CallerErrors as of `register.add` and `grant`.
    """
    staff_no, wanted = ids.fold(staff_no), sorted(set(posts))
    permissions = branch.rulebook.permissions
    conflicts.check_posts(permissions, wanted)
    direct = wanted if wanted and at_the_shell(branch, actor, trail.today) else []
    person = register.add(
        conn, trail, actor, permissions, staff_no=staff_no, name=name, posts=direct, **particulars
    )  # fmt: skip
    if direct:
        return person, [PostsGranted(post) for post in direct]
    asked = [
        grant(conn, branch, trail, actor, staff_no=staff_no, post=post, from_on=trail.today, clock=clock)
        for post in wanted
    ]
    return person, asked


def grant(
    conn: Connection, branch: Branch, trail: Trail, actor: Actor, *, staff_no: str, post: str, from_on: date,
    until_on: date | None = None, clock: Clock = now,
) -> PostsGranted:  # fmt: skip
    """One post for somebody in the register, granted at the shell or asked for.

    A request that is refused is an entry too, and a value. CallerErrors: shell_grants_off, those of
    `register.grant_post` and of `four_eyes.requests.ask`.
    """
    if at_the_shell(branch, actor, trail.today):
        permissions = branch.rulebook.permissions
        register.grant_post(
            conn, trail, actor, permissions, permissions.posts.keys(), staff_no=staff_no, post=post, from_on=from_on,
            until_on=until_on,
        )  # fmt: skip
        return PostsGranted(post)
    data = {"from_on": from_on.isoformat()} | ({} if until_on is None else {"until_on": until_on.isoformat()})
    told = requests.ask(
        conn, branch, actor=actor, kind=post_grants.NAME, subject=register.stream_of(staff_no), what=post, data=data,
        clock=clock,
    )  # fmt: skip
    if isinstance(told, Asked):
        return PostsGranted(post, told.request_id)
    return PostsGranted(post, None, told.reasons, told.forbidden)


def asked_for(conn: Connection) -> dict[str, frozenset[str]]:
    """The posts that open requests ask for, by staff number."""
    prefix, found = register.stream_of(""), dict[str, set[str]]()
    for subject, post in conn.execute(_ASKED):
        found.setdefault(subject.removeprefix(prefix), set()).add(post)
    return {staff_no: frozenset(posts) for staff_no, posts in found.items()}


_ASKED = sa.select(open_requests.c.subject, open_requests.c.what).where(
    open_requests.c.live, open_requests.c.kind == post_grants.NAME
)
