"""By which posts somebody acts in the place of who is off: for that day and those cases; no post is granted.

A leave with a deputy lends all posts, looked at beforehand (1.1.4). The roster names whom it likes, and for today: what
it lends reaches the cases alone that who is off owns or handles. A post that reaches every case, decides requests or
keeps the register goes to who holds it anyway; and none goes with one that nobody may hold beside it.
"""

from collections.abc import Mapping

import msgspec

from casework.people.shifts.answering import Answers
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.permissions import Permissions
from casework.people.staff.roster import Colleague, Roster

ByAnswerer = Mapping[str, tuple[Principal, ...]]
"""Who is off and lends a post, by who answers for them."""


def by_answerer(answers: Answers, permissions: Permissions) -> ByAnswerer:
    """Of a whole day, so that it need be asked but once."""
    found: dict[str, tuple[Principal, ...]] = {}
    colleagues = answers.roster.colleagues
    for off, (who, _) in answers.who_of_all().items():
        lent = lent_posts(permissions, colleagues[who].posts, colleagues[off]) if who != off else frozenset()
        if lent:
            found[who] = (*found.get(who, ()), Principal(off, lent, only_own=True))
    return found


def tied(found: ByAnswerer, staff_no: str) -> frozenset[str]:
    """For whom somebody answers, and who answers for them: for four eyes they are one person (1.1.4)."""
    theirs = (one.id for one in found.get(staff_no, ()))
    return frozenset(theirs) | {who for who, off in found.items() if any(one.id == staff_no for one in off)}


def lent_posts(permissions: Permissions, held: frozenset[str], off: Colleague) -> frozenset[str]:
    """Which posts of somebody who is off the roster lends to a holder of `held`."""
    deciding = permissions.commands["request.decide"].posts | permissions.commands["staff.change"].posts
    return frozenset(
        post
        for post in off.posts
        if post in held
        or (post not in deciding and _is_narrow(permissions, post) and _goes_with(permissions, post, held))
    )


def posts_for(permissions: Permissions, roster: Roster, staff_no: str, off: str) -> frozenset[str]:
    """By which posts somebody acts for who is off: a deputy by all of them, and so do those who answer themselves."""
    answering, absent = roster.colleagues.get(staff_no), roster.colleagues.get(off)
    if answering is None or absent is None:
        return frozenset()
    if staff_no in (off, absent.deputy):
        return absent.posts
    return lent_posts(permissions, answering.posts, absent)


def with_roster(actor: Actor, found: ByAnswerer) -> Actor:
    """The actor with those for whom the roster has them answer; a deputy has more already."""
    lent = tuple(one for one in found.get(actor.id, ()) if one.id not in actor.people)
    return msgspec.structs.replace(actor, principals=(*actor.principals, *lent)) if lent else actor


def _is_narrow(permissions: Permissions, post: str) -> bool:
    row = permissions.posts.get(post)
    return row is not None and None not in (row.sees, row.acts) and "all" not in (row.sees, row.acts)


def _goes_with(permissions: Permissions, post: str, held: frozenset[str]) -> bool:
    return not any(permissions.conflicts_of({post, one}) for one in held)
