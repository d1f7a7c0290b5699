"""Where the nouns of the house are listed, and what may be asked for under four eyes."""

from typing import Final

from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.four_eyes.chart_moves import ChartMoves
from casework.work.four_eyes.events import Events
from casework.work.four_eyes.kinds import Kind
from casework.work.four_eyes.post_grants import PostGrants
from casework.work.handover.approving import Handovers

KINDS: Final[tuple[Kind, ...]] = (Events(), PostGrants(), ChartMoves(), Handovers())

__all__ = ["KINDS", "LIFECYCLES"]
