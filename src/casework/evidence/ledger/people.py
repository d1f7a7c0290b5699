"""Whose a day's work is: members of a team on that day, where everybody belonged, what they are called."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff import mistakes
from casework.people.staff.listing import names_of
from casework.people.staff.places import all_teams
from casework.people.staff.roster_rows import in_force
from casework.people.staff.tables import memberships

_HOMES: Final = sa.select(memberships.c.staff_no, memberships.c.team).where(
    memberships.c.team.is_not(None), in_force(memberships)
)


class TeamsThen(NamedTuple):
    """Where everybody belonged on a day; who belonged nowhere then, belongs where they do today. By staff number."""

    teams: Mapping[str, str]
    names: Mapping[str, str]
    """What registered teams are called, by code."""

    def of(self, staff_no: str) -> str | None:
        """The code of their team."""
        return self.teams.get(staff_no)

    def called(self, staff_no: str) -> str | None:
        """What their team is called."""
        code = self.teams.get(staff_no)
        return self.names.get(code, code) if code is not None else None


def teams_then(conn: Connection, on: date, today: date) -> TeamsThen:
    """Three statements."""
    found = {row[0]: row[1] for day in (today, on) for row in conn.execute(_HOMES, {"on": day})}
    return TeamsThen(found, {one.code: one.name for one in all_teams(conn)})


def members_of(conn: Connection, team: str, on: date, today: date) -> frozenset[str]:
    """Who was in a team, by its code or name; CallerError `unknown_team` where none is or ever was called so."""
    then = teams_then(conn, on, today)
    codes = {team, *(code for code, name in then.names.items() if name == team)}
    if not codes & then.names.keys():
        ever = conn.execute(sa.select(memberships.c.team).where(memberships.c.team == team).limit(1)).scalar()
        if ever is None:
            raise mistakes.unknown_place("team", team, {*then.names, *then.teams.values()})
    return frozenset(staff_no for staff_no, code in then.teams.items() if code in codes)


class Called(NamedTuple):
    """What people and posts are called."""

    names: Mapping[str, str]
    posts: Mapping[str, str]

    def who(self, whose: str | None) -> str:
        """By name and number; a post by its name."""
        if whose is None:
            return ""
        if whose in self.posts:
            return self.posts[whose]
        name = self.names.get(whose)
        return f"{name} {whose}" if name else whose


def called(conn: Connection, whose: Iterable[str], posts: Mapping[str, str]) -> Called:
    """Of these; `posts`: by code."""
    return Called(names_of(conn, set(whose) - posts.keys()), posts)
