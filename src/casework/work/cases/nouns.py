"""The nouns of the house as their charts and entries know them: what is loaded, published, replayed. Pure."""

from typing import Final

from casework.lifecycle.noun import Noun
from casework.work.call_backs import CALLBACK
from casework.work.cases.noun import CASE
from casework.work.consents import CONSENT
from casework.work.disposals import DISPOSAL
from casework.work.handovers import HANDOVER
from casework.work.holds import HOLD
from casework.work.promises import PROMISE
from casework.work.remittances import REMITTANCE
from casework.work.repairs import REPAIR
from casework.work.requests import REQUEST
from casework.work.risks import RISK
from casework.work.visits.noun import VISIT

NOUNS: Final[tuple[Noun, ...]] = (
    CASE,
    PROMISE,
    CALLBACK,
    REMITTANCE,
    VISIT,
    REPAIR,
    DISPOSAL,
    HANDOVER,
    REQUEST,
    CONSENT,
    RISK,
    HOLD,
)
