"""Where the nouns of the house are listed, what may be asked for under four eyes, and what follows their acts."""

from typing import Final

from casework.intake.dialler.met import record_met
from casework.lifecycle.afterwards import Afterwards
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

APART: Final[tuple[Kept, ...]] = (REQUESTS, HANDOVERS)
"""Nouns on the engine that have doors of their own."""
KINDS: Final[tuple[Kind, ...]] = (Events(), PostGrants(), ChartMoves(), Handovers())

AFTERWARDS: Final[Afterwards] = {(VISITS.chart, "report"): record_met, (VISITS.chart, "recheck"): end_rechecks}
"""Who was met on a visit is a contact of the debtor's; the verdict on a photo ends the task of looking at it."""

__all__ = ["AFTERWARDS", "APART", "KINDS", "LIFECYCLES"]
