"""The register of staff: who joins, holds which post from when, moves, leaves and returns; each change is an entry.

Every change reads the person's rows under lock, decides (CallerErrors), appends to `staff:<no>`, brings the rows to
what the entry makes of them and says that the register has another version; the caller commits. Authority never counts
backwards: a day that has passed means today.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import ids
from casework.log.write.trail import Draft, Trail
from casework.people.staff import (
    conflicts,
    dossier,
    mistakes,
    person,
    places,
)
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Permissions
from casework.people.staff.person import (
    ACTIVE,
    LEFT,
    LONGEST_CODE,
    LONGEST_NAME,
    MOST_CASES,
    UNVERIFIED,
    Person,
    day_before,
)
from casework.people.staff.tables import (
    absences,
    register_version,
    staff,
)
from casework.rules.statechart.fields import LATEST
from casework.storage import rows


def stream_of(staff_no: str) -> str:
    """The audit stream of a member of staff."""
    return f"staff:{staff_no}"


def bump(conn: Connection) -> None:
    """Say that who may do what has changed; every change of the register does, in its transaction.

    A random number, not the next one: what was read in a transaction that was rolled back must not pass for current.
    """
    conn.execute(register_version.update().values(version=secrets.randbits(53)))


def record(
    conn: Connection, trail: Trail, actor: Actor, before: Person | None, staff_no: str, event: str,
    data: Mapping[str, Any], *, name: str | None = None,
) -> Person:  # fmt: skip
    """Append the entry of a change that was found good, and bring the rows to what it makes of the person."""
    said = {**data, "staff_no": staff_no}
    texts = {} if name is None else {"name": name}
    head = trail.append(conn, stream_of(staff_no), Draft(event, actor.signed, said, texts=texts))
    after = person.apply(before, event, said, by=actor.id, recorded_at=head.recorded_at)
    if after is None:
        raise ValueError(f"{event} makes nobody")
    dossier.write(conn, before, after, name or (staff_no if before is None else None))
    bump(conn)
    return after


# ── joining ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def add(
    conn: Connection, trail: Trail, actor: Actor, permissions: Permissions, *, staff_no: str, name: str,
    posts: Iterable[str] = (), team: str | None = None, region: str | None = None, capacity: int | None = None,
    joined_on: date | None = None, leaves_on: date | None = None,
) -> Person:  # fmt: skip
    """Add somebody, with posts from today on, or make active whom a feed has named.

    Whether posts may be granted without four eyes is for the caller to say (policy `staff.shell_grants`). CallerErrors:
    staff_no_malformed, staff_malformed, unknown_post, posts_conflict, staff_exists, unknown_team, unknown_region,
    region_differs, capacity_out_of_range, day_in_future, day_in_past, dates_out_of_order.
    """
    staff_no = ids.fold(staff_no)
    fault = person.fault_of_staff_no(staff_no)
    if fault is not None:
        raise mistakes.staff_no_malformed(fault)
    held, today = sorted(set(posts)), trail.today
    conflicts.check_posts(permissions, held)
    before = dossier.persons(conn, [staff_no], lock=True).get(staff_no)
    if before is not None and before.status != UNVERIFIED:
        raise mistakes.staff_exists(staff_no)
    said = _joining(conn, today, name, team, region, capacity, joined_on or today, leaves_on)
    data = {"posts": held, **said, "known_from_feed": before is not None}
    return record(conn, trail, actor, before, staff_no, person.ADDED, data, name=name)


def confirm(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, name: str, team: str | None = None,
    region: str | None = None, capacity: int | None = None, joined_on: date | None = None,
    leaves_on: date | None = None,
) -> Person:  # fmt: skip
    """Somebody whom only a feed named is who they seem: they become active, without a post.

    CallerErrors: unknown_staff, wrong_status, and those of `add`.
    """
    before = _of_status(conn, staff_no, UNVERIFIED)
    said = _joining(conn, trail.today, name, team, region, capacity, joined_on or trail.today, leaves_on)
    return record(conn, trail, actor, before, staff_no, person.CONFIRMED, said, name=name)


def _joining(
    conn: Connection, today: date, name: str, team: str | None, region: str | None, capacity: int | None,
    joined_on: date, leaves_on: date | None,
) -> dict[str, Any]:  # fmt: skip
    """What the entry of somebody who joins says besides their posts."""
    check_text("name", name, LONGEST_NAME)
    if joined_on > today:
        raise mistakes.day_in_future("joined_on", today)
    _check_capacity(capacity)
    _check_leaving(leaves_on, today)
    return {
        **_home(conn, team, region), "from_on": today.isoformat(), "joined_on": joined_on.isoformat(),
        **({} if capacity is None else {"capacity": capacity}),
        **({} if leaves_on is None else {"leaves_on": leaves_on.isoformat()}),
    }  # fmt: skip


def named_by_feed(conn: Connection, trail: Trail, actor: Actor, staff_nos: Collection[str]) -> list[str]:
    """Enter those that nobody registered as *unverified*: they own the cases that name them but cannot log in.

    CallerError staff_no_malformed.
    """
    fault = next(filter(None, map(person.fault_of_staff_no, sorted(staff_nos))), None)
    if fault is not None:
        raise mistakes.staff_no_malformed(fault)
    held = {row[0] for row in rows.select_by_keys(conn, _NUMBERS, "staff_no", sorted(staff_nos))}
    unknown = sorted(set(staff_nos) - held)
    fresh = []
    for staff_no in unknown:
        head = trail.append(conn, stream_of(staff_no), Draft(person.NAMED, actor.signed, {"staff_no": staff_no}))
        fresh.append((staff_no, staff_no, UNVERIFIED, head.recorded_at))
    rows.insert_many(conn, staff, fresh, ("staff_no", "name", "status", "added_at"))
    if unknown:
        bump(conn)
    return unknown


# ── posts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def grant_post(
    conn: Connection, trail: Trail, actor: Actor, permissions: Permissions, known: Collection[str], *, staff_no: str,
    post: str, from_on: date, until_on: date | None = None, request_id: int | None = None,
) -> Person:  # fmt: skip
    """Grant a post of `known`, from `from_on` (from today if that has passed) through `until_on`.

    CallerErrors: unknown_staff, wrong_status, unknown_post, posts_conflict, post_held_already, dates_out_of_order,
    day_out_of_range.
    """
    before = _of_status(conn, staff_no, ACTIVE)
    first = max(from_on, trail.today)
    _check_days(first, until_on)
    if post not in known:
        raise mistakes.unknown_post([post], known)
    for held in before.posts:
        if held.post == post and person.overlapping(held, first, until_on):
            raise mistakes.post_held_already(staff_no, post, held.from_on, held.until_on)
    conflicts.check_grant(conn, permissions, before, post, first, until_on)
    data = {
        "post": post, "from_on": first.isoformat(), "until_on": until_on.isoformat() if until_on else None,
        "request": request_id,
    }  # fmt: skip
    return record(conn, trail, actor, before, staff_no, person.POST_GRANTED, data)


def end_post(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, post: str, on: date) -> Person:
    """End a post: `on` is its last day, yesterday at the earliest (it ends at once); what would begin later is gone.

    CallerErrors: unknown_staff, wrong_status, post_not_held, day_in_past.
    """
    before = _of_status(conn, staff_no, ACTIVE)
    if on < day_before(trail.today):
        raise mistakes.day_in_past("on", day_before(trail.today))
    if not any(held.post == post and (held.until_on is None or held.until_on > on) for held in before.posts):
        raise mistakes.post_not_held(staff_no, post)
    data = {"post": post, "on": on.isoformat()}
    return record(conn, trail, actor, before, staff_no, person.POST_ENDED, data)


# ── leaving, moving, coming back ────────────────────────────────────────────────────────────────────────────────────


def leave(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, on: date, cause: Mapping[str, Any]) -> Person:
    """They have left, `on` being their last day (today at the latest).

    Posts, membership and leave end, and nobody they deputise for has a deputy any more. `cause` goes into the entry.
    CallerErrors: unknown_staff, wrong_status, day_in_future, dates_out_of_order, owns_open_cases (the database refuses
    it as long as they are owner or handler of a case that is not finally closed, 1.1.1).
    """
    before = _of_status(conn, staff_no, ACTIVE, UNVERIFIED)
    if on > trail.today:
        raise mistakes.day_in_future("on", trail.today)
    if before.joined_on is not None and on < before.joined_on:
        raise mistakes.dates_out_of_order("joined_on", "on")
    _end_deputising(conn, trail, actor, staff_no, on)
    return record(conn, trail, actor, before, staff_no, person.LEFT_US, {**cause, "on": on.isoformat()})


def _end_deputising(conn: Connection, trail: Trail, actor: Actor, deputy: str, on: date) -> None:
    """Those who are away after `on` with them as deputy stay away without one."""
    later = sa.select(absences.c.staff_no).where(absences.c.deputy == deputy, absences.c.until_on > on)
    for staff_no, principal in sorted(dossier.persons(conn, conn.execute(later).scalars().all(), lock=True).items()):
        after = principal
        for absence in principal.absences:
            if absence.deputy == deputy and absence.until_on > on:
                data = {"from_on": absence.from_on.isoformat(), "on": on.isoformat(), "deputy": deputy}
                after = record(conn, trail, actor, after, staff_no, person.DEPUTY_ENDED, data)


def move(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, team: str | None, region: str | None,
    from_on: date, cause: Mapping[str, Any],
) -> Person:  # fmt: skip
    """They belong to another team and region from `from_on` on (from today if that has passed), for good.

    A move that was to come later is gone. `cause` goes into the entry.
    CallerErrors: unknown_staff, wrong_status, unknown_team, unknown_region, region_differs, staff_malformed,
    nothing_changes, day_out_of_range.
    """
    before = _of_status(conn, staff_no, ACTIVE)
    first = max(from_on, trail.today)
    _check_days(first, None)
    home = _home(conn, team, region)
    now, later = before.home_on(first), any(held.from_on > first for held in before.homes)
    is_same = (home["team"], home["region"]) == ((now.team, now.region) if now else (None, None))
    if is_same and not later and (now is None or now.until_on is None):
        raise mistakes.nothing_changes(staff_no)
    return record(conn, trail, actor, before, staff_no, person.MOVED, {**cause, **home, "from_on": first.isoformat()})


def come_back(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, team: str | None = None, region: str | None = None
) -> Person:
    """Somebody who left is back from today on, without posts and without any of their old cases.

    CallerErrors: unknown_staff, wrong_status, unknown_team, unknown_region, region_differs, staff_malformed.
    """
    before = _of_status(conn, staff_no, LEFT)
    data = {**_home(conn, team, region), "on": trail.today.isoformat()}
    return record(conn, trail, actor, before, staff_no, person.RETURNED, data)


# ── particulars ─────────────────────────────────────────────────────────────────────────────────────────────────────


def change(
    conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, name: str | None = None,
    joined_on: date | None = None, figures: Mapping[str, Any] | None = None,
) -> Person:  # fmt: skip
    """Change their name, their first day, and what `figures` has.

    These are capacity (none: the policy's) and leaves_on (their last day; none: they stay). CallerErrors:
    unknown_staff, wrong_status, staff_malformed, capacity_out_of_range, day_in_past, day_in_future, nothing_changes.
    """
    before = _of_status(conn, staff_no, ACTIVE)
    wanted = {key: value for key, value in (figures or {}).items() if getattr(before, key) != value}
    if "capacity" in wanted:
        _check_capacity(wanted["capacity"])
    if "leaves_on" in wanted:
        _check_leaving(wanted["leaves_on"], trail.today)
        wanted["leaves_on"] = wanted["leaves_on"].isoformat() if wanted["leaves_on"] else None
    if joined_on is not None and joined_on != before.joined_on:
        if joined_on > trail.today:
            raise mistakes.day_in_future("joined_on", trail.today)
        wanted["joined_on"] = joined_on.isoformat()
    if name is not None:
        check_text("name", name, LONGEST_NAME)
        held = conn.execute(sa.select(staff.c.name).where(staff.c.staff_no == staff_no)).scalar_one()
        name = None if name == held else name
    if not wanted and name is None:
        raise mistakes.nothing_changes(staff_no)
    return record(conn, trail, actor, before, staff_no, person.CHANGED, wanted, name=name)


def merged(conn: Connection, trail: Trail, actor: Actor, *, staff_no: str, into: str) -> Person:
    """Somebody whom only a feed named turns out to be `into`; their cases have been moved before (`cases.merging`).

    CallerErrors: unknown_staff, wrong_status, merged_into_himself, owns_open_cases.
    """
    people = dossier.persons(conn, {staff_no, into}, lock=True)
    check_merge(people, staff_no, into)
    return record(conn, trail, actor, people[staff_no], staff_no, person.MERGED_INTO, {"into": into})


def check_merge(people: Mapping[str, Person], staff_no: str, into: str) -> None:
    """CallerErrors unknown_staff, wrong_status, merged_into_himself."""
    if staff_no == into:
        raise mistakes.merged_into_himself(staff_no)
    for number, status in ((staff_no, UNVERIFIED), (into, ACTIVE)):
        if number not in people:
            raise mistakes.unknown_staff(number)
        if people[number].status != status:
            raise mistakes.wrong_status(number, people[number].status, status)


# ── what is asked of all of them ────────────────────────────────────────────────────────────────────────────────────


def check_text(field: str, text: str, longest: int) -> None:
    """CallerError staff_malformed for a text that is empty, too long or no text."""
    if len(text) > longest or not text.strip() or not text.isprintable():
        raise mistakes.staff_malformed(field, longest)


def _of_status(conn: Connection, staff_no: str, *statuses: str) -> Person:
    found = dossier.person(conn, staff_no, lock=True)
    if found.status not in statuses:
        raise mistakes.wrong_status(staff_no, found.status, *statuses)
    return found


def _home(conn: Connection, team: str | None, region: str | None) -> dict[str, str | None]:
    team, region = person.folded(team), person.folded(region)
    for field, code in (("team", team), ("region", region)):
        if code is not None:
            check_text(field, code, LONGEST_CODE)
    return {"team": team, "region": places.check(conn, team, region)}


def _check_days(first: date, last: date | None) -> None:
    if last is not None and last < first:
        raise mistakes.dates_out_of_order("from_on", "until_on")
    if max(first, last or first) > LATEST:
        raise mistakes.day_out_of_range("until_on" if first <= LATEST else "from_on", LATEST)


def _check_capacity(capacity: int | None) -> None:
    if capacity is not None and not 0 <= capacity <= MOST_CASES:
        raise mistakes.capacity_out_of_range(MOST_CASES)


def _check_leaving(leaves_on: date | None, today: date) -> None:
    if leaves_on is not None and leaves_on < today:
        raise mistakes.day_in_past("leaves_on", today)
    if leaves_on is not None and leaves_on > LATEST:
        raise mistakes.day_out_of_range("leaves_on", LATEST)


_NUMBERS = sa.select(staff.c.staff_no)
