"""Everything of the house that has a chart and is changed through the door; the main noun first.

A new noun is a chart in `statecharts/`, a module of `casework.work` with its struct and rules, a line in `NOUNS`
and one here.
"""

from typing import Final

import sqlalchemy as sa

from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.storage.database import partial_index
from casework.work.call_backs import CALLBACK
from casework.work.cases import door, named_ways, one_of_a_case, visiting
from casework.work.cases.commands import Assign, Measure, OpenCase
from casework.work.cases.holds import HOLDS, about
from casework.work.cases.noun import CASE
from casework.work.cases.repairing import REPAIRS
from casework.work.cases.risks import RISKS
from casework.work.cases.tables import cases
from casework.work.cases.visit_addresses import visits
from casework.work.consents import CONSENT
from casework.work.disposals import DISPOSAL
from casework.work.promises import PROMISE
from casework.work.remittances import REMITTANCE
from casework.work.visits.noun import VISIT

CASES: Final = Kept.of(
    CASE, table=cases, verbs={OpenCase: door.open_case, Measure: door.measure, Assign: door.assign},
    about=door.about, prepare=door.prepare, beside=door.beside, following=door.following,
)  # fmt: skip
PROMISES: Final = Kept.of(PROMISE, table=table_of("promises", PROMISE.rows, unique=("ref",)))
partial_index("ix_promises_judged", PROMISES.table.c.judged_on, where="judged_on IS NOT NULL")
CONSENTS: Final = Kept.of(CONSENT, table=table_of("consents", CONSENT.rows), about=about)
CALL_BACKS: Final = Kept.of(
    CALLBACK, table=table_of("callbacks", CALLBACK.rows), prepare=named_ways.prepare, beside=named_ways.beside
)  # fmt: skip
REMITTANCES: Final = Kept.of(REMITTANCE, table=table_of("remittances", REMITTANCE.rows))
sa.Index("ix_remittances_ended", REMITTANCES.table.c.ended_on, REMITTANCES.table.c.begins_at)
VISITS: Final = Kept.of(
    VISIT, table=visits, prepare=visiting.prepare, beside=visiting.beside, following=visiting.following
)  # fmt: skip
DISPOSALS: Final = Kept.of(
    DISPOSAL, table=table_of("disposals", DISPOSAL.rows), prepare=one_of_a_case.prepare_for(DISPOSAL.chart),
    beside=one_of_a_case.beside_with("filed_at"),
)  # fmt: skip
sa.Index("ix_disposals_state", DISPOSALS.table.c.state, DISPOSALS.table.c.id)  # what waits for somebody
sa.Index("ix_disposals_since", DISPOSALS.table.c.state_since)  # the papers of a day: forms that moved on it

LIFECYCLES: Final[tuple[Kept, ...]] = (
    CASES,
    PROMISES,
    CALL_BACKS,
    REMITTANCES,
    VISITS,
    REPAIRS,
    DISPOSALS,
    CONSENTS,
    RISKS,
    HOLDS,
)
