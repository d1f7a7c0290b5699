"""Loans that a feed seems to lack while it has them in another spelling. Pure.

Who opens a file in a spreadsheet loses the zeros in front of a number, who types one its capitals. The loan under its
old number would be taken for paid, and one that nobody lent would be in arrears.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any

from casework.errors import CallerError
from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.headers import Kind
from casework.intake.feed.reconcile import Reconciliation


def _bare(loan_id: str) -> str:
    return loan_id.casefold().lstrip("0")


def respelled(missing: Collection[str], came: Iterable[str]) -> int:
    """How many of the loans `missing` came under a number that differs in capitals or in zeros in front alone."""
    return len({*map(_bare, missing)} & {*map(_bare, came)}) if missing else 0


def by_file(
    overdue: Reconciliation, overdue_sheet: FeedSheet[Any], omitted: Collection[str], loans: FeedSheet[Any] | None
) -> dict[Kind, int]:
    """How many loans each file of a feed seems to lack while it has them in another spelling.

    `omitted`: those that are on the books and not in the loans file.
    """
    opened = (row.loan_id for row in overdue.opened)
    found: dict[Kind, int] = {
        "overdue": respelled([row.loan_id for row in overdue.gone], chain(opened, overdue_sheet.set_aside_keys()[0]))
    }
    if loans is not None:
        came = (row.loan_id for row in loans.rows)
        found["loans"] = respelled(omitted, chain(came, loans.set_aside_keys()[0]))
    return found


def refusal(found: Mapping[Kind, int], confirming: Iterable[str]) -> CallerError:
    """`loans_respelled`: in how many loans of which file. It can be confirmed as what `vanished` refuses can."""
    told = {kind: number for kind, number in found.items() if number}
    return CallerError(
        "loans_respelled",
        "；".join(f"{kind} 文件有{number}笔贷款的借据号与此前只差大小写或前导零" for kind, number in told.items())
        + "。请更正文件；确属不同贷款的，须经确认",
        "; ".join(f"{kind}: the numbers of {number} loans differ from those before in capitals or zeros in front alone"
                  for kind, number in told.items()) + ". Mend the file; if they are other loans, confirm",
        loans=told, confirming_posts=sorted(confirming),
    )  # fmt: skip
