"""Everything of the house that has a chart and is changed through the door; the main noun first."""

from typing import Final

from casework.cases import door
from casework.cases.commands import Assign, Measure, OpenCase
from casework.cases.noun import CASE
from casework.cases.tables import cases
from casework.lifecycle.kept import Kept

CASES: Final = Kept.of(
    CASE, table=cases, verbs={OpenCase: door.open_case, Measure: door.measure, Assign: door.assign},
    about=door.about, prepare=door.prepare, beside=door.beside, following=door.following,
)  # fmt: skip

LIFECYCLES: Final[tuple[Kept, ...]] = (CASES,)
