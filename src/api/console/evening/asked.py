"""Which day's evening is asked for, and whose."""

from datetime import date
from typing import Annotated, NamedTuple

from litestar.params import QueryParameter


class OfTeam(NamedTuple):
    """Today where no day is named; everybody whom the reader sees where no team is."""

    on: date | None
    team: str | None


def of_team(
    on: Annotated[date | None, QueryParameter()] = None,
    team: Annotated[str, QueryParameter(max_length=64)] = "",
) -> OfTeam:
    """From the address of a page or a file."""
    return OfTeam(on, team or None)
