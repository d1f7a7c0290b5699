"""Teams and regions. As long as none is registered, a team or region may be called anything, as feeds name them.

They are entries of the streams `register:teams` and `register:regions`, and the rows are what those make of them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.write.trail import Draft, Trail
from casework.people.staff import mistakes
from casework.people.staff.actor import Actor
from casework.people.staff.person import LONGEST_CODE, LONGEST_NAME, folded
from casework.people.staff.tables import regions, teams

TEAMS, REGIONS = "register:teams", "register:regions"
TEAM_SET, REGION_SET = "register.team_set", "register.region_set"


class Team(NamedTuple):
    """A team and the region in which it lies."""

    code: str
    name: str
    region: str | None


class Region(NamedTuple):
    """A region."""

    code: str
    name: str


_Place = TypeVar("_Place", Team, Region)


def check(conn: Connection, team: str | None, region: str | None) -> str | None:
    """The region of somebody of that team: as given, else the team's.

    CallerErrors: unknown_team, unknown_region where others are registered; region_differs.
    """
    known = {row.code: row.region for row in all_teams(conn)}
    if team is not None and known and team not in known:
        raise mistakes.unknown_place("team", team, known)
    lies_in = known.get(team) if team is not None else None
    if team is not None and region is not None and lies_in is not None and lies_in != region:
        raise mistakes.region_differs(team, lies_in)
    places = {row.code for row in all_regions(conn)}
    if region is not None and places and region not in places:
        raise mistakes.unknown_place("region", region, places)
    return region or lies_in


def all_teams(conn: Connection) -> list[Team]:
    """Every registered team, by code."""
    return [Team(*row) for row in conn.execute(sa.select(teams.c.code, teams.c.name, teams.c.region).order_by("code"))]


def all_regions(conn: Connection) -> list[Region]:
    """Every registered region, by code."""
    return [Region(*row) for row in conn.execute(sa.select(regions.c.code, regions.c.name).order_by("code"))]


def set_region(conn: Connection, trail: Trail, actor: Actor, *, code: str, name: str) -> Region:
    """Register a region, or give it another name. CallerErrors: place_malformed, nothing_changes."""
    code = folded(code) or ""
    _check("region", code, name)
    trail.append(conn, REGIONS, Draft(REGION_SET, actor.signed, {"code": code, "name": name}))
    return _put(conn, regions, Region(code, name))


def set_team(conn: Connection, trail: Trail, actor: Actor, *, code: str, name: str, region: str | None) -> Team:
    """Register a team, or change its name or region; who belongs to it stays there until they are moved.

    CallerErrors: place_malformed, unknown_region.
    """
    code, region = folded(code) or "", folded(region)
    _check("team", code, name)
    # The stream's lock first: then two changes of a team wait for each other.
    trail.append(conn, TEAMS, Draft(TEAM_SET, actor.signed, {"code": code, "name": name, "region": region}))
    if region is not None and region not in (known := {row.code for row in all_regions(conn)}):
        raise mistakes.unknown_place("region", region, known)
    return _put(conn, teams, Team(code, name, region))


def fold(event: str, data: Mapping[str, Any]) -> Team | Region | None:
    """The row that an entry makes; none for an entry of another kind."""
    if event == TEAM_SET:
        return Team(data["code"], data["name"], data["region"])
    return Region(data["code"], data["name"]) if event == REGION_SET else None


def _put(conn: Connection, table: sa.Table, place: _Place) -> _Place:
    changed = conn.execute(table.update().where(table.c.code == place.code).values(place._asdict()))
    if changed.rowcount == 0:
        conn.execute(table.insert().values(place._asdict()))
    return place


def _check(kind: str, code: str, name: str) -> None:
    for field, text, longest in (("code", code, LONGEST_CODE), ("name", name, LONGEST_NAME)):
        if len(text) > longest or not text.strip() or text != text.strip() or not text.isprintable():
            raise mistakes.place_malformed(kind, field, longest)
