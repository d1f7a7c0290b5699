"""Who is who: adding staff and finding the actor behind a staff number. Names are committed, never in an entry."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.trail import Draft, Trail
from casework.errors import CallerError
from casework.staff.actor import SYSTEM_POST, Actor
from casework.staff.tables import staff
from casework.statechart.chart import Chart

AUDITOR, ADMINISTRATOR = "auditor", "administrator"
POSTS_BESIDE_THE_CHART = frozenset({AUDITOR, ADMINISTRATOR, "customer_service", "channel_post"})
ACTIVE, UNVERIFIED = "active", "unverified"
_STAFF_NO = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CODE = re.compile(r"[^\x00-\x1f\x7f]{1,32}")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of staff as the register shows him."""

    staff_no: str
    name: str
    posts: tuple[str, ...]
    team: str | None
    region: str | None
    status: str


def known_posts(chart: Chart) -> frozenset[str]:
    """The posts a person may hold: the chart's (without the service's own) and those beside it."""
    return (frozenset(chart.posts) - {SYSTEM_POST}) | POSTS_BESIDE_THE_CHART


def stream_of(staff_no: str) -> str:
    """The audit stream of a member of staff."""
    return f"staff:{staff_no}"


def add(
    conn: Connection, trail: Trail, actor: Actor, chart: Chart, *, staff_no: str, name: str, posts: Iterable[str],
    team: str | None = None, region: str | None = None,
) -> Member:  # fmt: skip
    """Add somebody, or make active whom a feed has named. CallerErrors: staff_no_malformed, unknown_post, staff_exists.

    An auditor holds no other post: he reads everything and changes nothing.
    """
    held = tuple(sorted(set(posts)))
    _check_person(staff_no, name, team, region)
    _check_posts(held, known_posts(chart))
    row = conn.execute(sa.select(staff).where(staff.c.staff_no == staff_no).with_for_update()).one_or_none()
    if row is not None and row.status != UNVERIFIED:
        raise CallerError(
            "staff_exists", f"员工{staff_no}已在册", f"{staff_no} is registered already", staff_no=staff_no
        )
    values = {"name": name, "posts": " ".join(held), "team": team, "region": region, "status": ACTIVE}
    if row is None:
        conn.execute(staff.insert().values(staff_no=staff_no, added_at=trail.recorded_at, **values))
    else:
        conn.execute(staff.update().where(staff.c.staff_no == staff_no).values(**values))
    data = {
        "staff_no": staff_no,
        "posts": list(held),
        "team": team,
        "region": region,
        "known_from_feed": row is not None,
    }
    trail.append(conn, stream_of(staff_no), Draft("staff.added", actor.signed, data, texts={"name": name}))
    return Member(staff_no, name, held, team, region, ACTIVE)


def _check_person(staff_no: str, name: str, team: str | None, region: str | None) -> None:
    if _STAFF_NO.fullmatch(staff_no) is None or staff_no == SYSTEM_POST:
        raise CallerError(
            "staff_no_malformed", "工号须为1至32位字母、数字或 . _ -",
            "a staff number has 1 to 32 letters, digits or . _ -, and is not “system”",
        )  # fmt: skip
    for what, text, longest in (("name", name, 64), ("team", team, 32), ("region", region, 32)):
        if text is not None and (len(text) > longest or not text.strip() or any(ord(char) < 32 for char in text)):
            raise CallerError(
                "staff_malformed",
                f"{what}须为1至{longest}个字符",
                f"{what} must have 1 to {longest} characters",
                field=what,
            )


def _check_posts(posts: tuple[str, ...], known: frozenset[str]) -> None:
    unknown = sorted(set(posts) - known)
    if unknown or not posts:
        raise CallerError(
            "unknown_post", f"没有这样的岗位:{'、'.join(unknown) or '(空)'};可用:{'、'.join(sorted(known))}",
            f"no such post: {', '.join(unknown) or '(none given)'}; known are {', '.join(sorted(known))}",
            posts=unknown,
        )  # fmt: skip
    if AUDITOR in posts and len(posts) > 1:
        raise CallerError(
            "posts_conflict", "审计岗不得兼任其他岗位", "an auditor may hold no other post", posts=list(posts)
        )


def members(conn: Connection) -> list[Member]:
    """Everybody, by staff number."""
    rows = conn.execute(sa.select(staff).order_by(staff.c.staff_no))
    return [Member(r.staff_no, r.name, tuple(r.posts.split()), r.team, r.region, r.status) for r in rows]


def actor_for(conn: Connection, staff_no: str, via: str) -> Actor:
    """The actor behind a staff number; CallerError `unknown_staff`, or `staff_unverified` for one only a feed named."""
    row = conn.execute(sa.select(staff.c.posts, staff.c.status).where(staff.c.staff_no == staff_no)).one_or_none()
    if row is None:
        raise CallerError("unknown_staff", f"没有工号{staff_no[:32]}", f"there is no staff number {staff_no[:32]}")
    if row.status != ACTIVE:
        raise CallerError(
            "staff_unverified", f"员工{staff_no}尚未核实,不能操作", f"{staff_no} is not verified and cannot act",
            staff_no=staff_no,
        )  # fmt: skip
    return Actor(staff_no, "staff", via, frozenset(row.posts.split()))
