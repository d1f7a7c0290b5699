"""Loans: on which grounds a case of one may be opened."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.params import FromPath

from api.permitted import reach
from api.reading.asking import answers, reader_of
from casework.intake.feed.last_known import known_loan
from casework.storage.database import reading
from casework.work.cases.filter import BusinessDates, check_id
from casework.work.cases.options import OpeningOffer, openings_of_loan
from casework.work.cases.queries import cases_of_loan


class LoanOpenings(msgspec.Struct):
    """The loan's cases, oldest first, and each ground on which one may be opened, or why not."""

    loan_id: str
    cases: list[int]
    openings: list[OpeningOffer]


_OPENINGS = {
    "loan_id": "L2024000917", "cases": [1207],
    "openings": [{"ground": "misuse", "zh": "挪用资金提前收回", "en": "Misuse of the loan, early recall",
                  "allowed": False,
                  "reasons": [{"code": "case_open_already", "rules": ["1.1.1"], "saw": {"case_id": 1207},
                               "needs": {"live_cases_at_most": 0}, "zh": "该贷款已有在办案件1207",
                               "en": "the loan already has a live case, 1207", "opens_on": None}],
                  "data": [{"name": "finding", "type": "ref", "zh": "检查结论", "en": "finding",
                            "required": True}],
                  "posts": ["business_rep"], "rules": ["1.2.2", "4.2"]}],
}  # fmt: skip


@get(
    "/loans/{loan_id:str}/openings",
    sync_to_thread=True,
    responses=answers(LoanOpenings, _OPENINGS, "unknown_loan", "filter_malformed"),
    tags=["cases"],
)
def loan_openings(request: Request[Any, Any, Any], loan_id: FromPath[str]) -> LoanOpenings:
    """On which grounds the caller may open a case of this loan, and why not on the others."""
    serving, actor = reader_of(request)
    loan_id = check_id("loan_id", loan_id)
    within = reach(request)
    with reading(serving.engine, snapshot=True) as conn:
        loan, measure = known_loan(conn, serving.branch, loan_id, within)
        known = cases_of_loan(conn, loan_id)
        dates = BusinessDates(conn, serving.branch)
        offers = openings_of_loan(conn, serving.branch, dates, actor, loan=loan, measure=measure)
        return LoanOpenings(loan_id, known, offers)
