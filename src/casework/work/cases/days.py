"""Which days a fact of a case can have happened on. Pure."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from casework.rules.statechart.fields import EARLIEST, DataFault
from casework.rules.statechart.policy import Policy

if TYPE_CHECKING:
    from casework.work.cases.case import Case


def day_faults(case: "Case", on: date, latest: date, policy: Policy) -> list[DataFault]:
    """What is wrong with the day `on` of a fact: before there was the loan, or after `latest`, the branch's today.

    A loan is there from its disbursement, or from its due date and opening if the feed gave a later day for that.
    Where that day is not known, the policy says how long before the opening its history may begin.
    """
    disbursed = case.facts.disbursed_on
    if disbursed is not None:
        others = (case.opened_on, case.oldest_due_date, case.facts.first_overdue_on)
        first = min(disbursed, *(day for day in others if day is not None))
        why = ("放款日" if first == disbursed else "贷款已存在", "when the loan was there")
    else:
        days = policy.figure("case.history_days")
        first = max(case.opened_on - timedelta(days=days), EARLIEST)
        why = (f"入催前{days}天", f"{days} days before the case was opened")
    if first <= on <= latest:
        return []
    bounds = first.isoformat(), latest.isoformat()
    cause = "过早" if on < first else "晚于今天"
    return [
        DataFault(
            "on", "out_of_range", f"发生日期{cause}，须在{bounds[0]}（{why[0]}）至{bounds[1]}之间",
            f"on: must lie between {bounds[0]}, {why[1]}, and {bounds[1]}",
        )
    ]  # fmt: skip
