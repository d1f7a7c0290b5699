"""Where the nouns of the house are listed, what may be asked for under four eyes, and what follows their acts."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.intake.dialler.met import correct_met, record_met
from casework.lifecycle.afterwards import Acted, Afterwards, Follow
from casework.lifecycle.kept import Kept
from casework.work.cases.lifecycles import LIFECYCLES, VISITS
from casework.work.four_eyes.chart_moves import ChartMoves
from casework.work.four_eyes.events import Events
from casework.work.four_eyes.kinds import Kind
from casework.work.four_eyes.post_grants import PostGrants
from casework.work.four_eyes.tables import REQUESTS
from casework.work.handover.approving import Handovers
from casework.work.handover.tables import HANDOVERS
from casework.work.photos.again import end_rechecks
from casework.work.photos.relied import ask_about_placements

APART: Final[tuple[Kept, ...]] = (REQUESTS, HANDOVERS)
"""Nouns on the engine that have doors of their own."""
KINDS: Final[tuple[Kind, ...]] = (Events(), PostGrants(), ChartMoves(), Handovers())


def _one_by_one(*steps: Follow) -> Follow:
    def follow(conn: Connection, house: Any, acted: Sequence[Acted], clock: Clock) -> None:
        for step in steps:
            step(conn, house, acted, clock)

    return follow


AFTERWARDS: Final[Afterwards] = {
    (VISITS.chart, "report"): record_met,
    (VISITS.chart, "report_again"): _one_by_one(correct_met, ask_about_placements),
    (VISITS.chart, "set_aside"): ask_about_placements,
    (VISITS.chart, "recheck"): _one_by_one(end_rechecks, ask_about_placements),
    (VISITS.chart, "recheck_corrected"): ask_about_placements,
}
"""Who was met on a visit is a contact of the debtor's; the verdict on a photo ends the task of looking at it.

And what was done in reliance on a visit that proves nothing any more is looked into.
"""

__all__ = ["AFTERWARDS", "APART", "KINDS", "LIFECYCLES"]
