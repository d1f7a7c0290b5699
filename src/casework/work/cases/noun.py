"""The case as a noun: the main one of the house; all others are its children or are told to it. Pure."""

from casework.lifecycle.noun import Noun
from casework.work import case_guards as guards  # (the first and the last register what its chart may name)
from casework.work.cases import effects, fold
from casework.work.cases.case import ROWS, Case
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import Situation

CASE_CHART = "overdue_loan"

CASE = Noun(
    chart=CASE_CHART, word="case", subject=Case, rows=ROWS, registry=REGISTRY, situation=Situation,
    begin=fold.open_case, more={fold.MEASURED: fold.measured, fold.ASSIGNED: fold.assigned},
)  # fmt: skip

__all__ = ["CASE", "CASE_CHART", "effects", "guards"]
