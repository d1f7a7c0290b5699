"""The case as a noun: the main one of the house; all others are its children or are told to it. Pure."""

from casework.lifecycle.noun import Noun
from casework.work import case_guards as guards  # (the first and the last register what its chart may name)
from casework.work.cases import effects, effects_of_visits, fold
from casework.work.cases.case import ROWS, Case
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

CASE_CHART = "overdue_loan"

CASE = Noun(
    chart=CASE_CHART, word="case", subject=Case, rows=ROWS, registry=REGISTRY, situation=CaseSituation,
    begin=fold.open_case, more={fold.MEASURED: fold.measured, fold.ASSIGNED: fold.assigned},
    called={
        fold.SAYS.opened: ("入催", "Case opened"), fold.SAYS.refused_opening: ("入催被拒", "Opening refused"),
        fold.MEASURED: ("数据更新", "Figures reported by the feed"), fold.ASSIGNED: ("分派", "Assigned"),
        f"{fold.SAYS.refused}assign": ("被拒：分派", "Refused: Assign"),
    },
)  # fmt: skip

__all__ = ["CASE", "CASE_CHART", "effects", "effects_of_visits", "guards"]
