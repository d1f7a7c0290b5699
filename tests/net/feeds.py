"""What feeds make of a case in each state: its loan stays in arrears, leaves them, is paid in full, or has bounced."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.net.house import DAYS_PAST_DUE, NEXT, STATES, TODAY, House, loan_row, overdue_row

_STATES = tuple(state for state in STATES if state != "settled")
_KINDS = ("stays", "left", "paid", "bounced")


def loan_of(state: str, kind: str) -> str:
    """The loan whose case stands in this state when the feed says this of it."""
    return f"2.{state}.{kind}"


def loans() -> dict[str, int]:
    """The loans, each so many days past due."""
    return dict.fromkeys(states(), DAYS_PAST_DUE)


def states() -> dict[str, str]:
    """The state into which each is brought."""
    return {loan_of(state, kind): state for state in _STATES for kind in _KINDS}


def told(house: House, others: Mapping[str, int]) -> Iterator[str]:
    """The next two feeds; `others` stay in arrears. Every case of each loan after each of them."""
    found: dict[str, list[str]] = defaultdict(list)
    kept = [overdue_row(loan, days) for loan, days in others.items()]
    payments = [
        {"payment_id": f"P9-{loan}", "loan_id": loan, "paid_on": NEXT.isoformat(), "amount": "1021.00", "reverses": ""}
        for loan in _of("paid", "bounced")
    ]
    books = [loan_row(loan, outstanding="0.00" if loan in _of("paid") else "50000.00") for loan in loans()]
    arrears = [overdue_row(loan) for loan in _of("stays")]
    house.branch.feed(NEXT.isoformat(), loans=books, overdue=[*kept, *arrears], repayments=payments)
    _look(house, found)
    bounced = [
        {**row, "payment_id": f"R{row['payment_id']}", "paid_on": TODAY.isoformat(), "reverses": row["payment_id"]}
        for row in payments
    ]
    arrears += [overdue_row(loan) for loan in _of("bounced")]
    house.branch.feed(TODAY.isoformat(), overdue=[*kept, *arrears], repayments=bounced)
    _look(house, found)
    for state in _STATES:
        for kind in _KINDS:
            yield f"{state:<16} {kind:<8} {' | '.join(found[loan_of(state, kind)])}"


def _of(*kinds: str) -> list[str]:
    return [loan_of(state, kind) for state in _STATES for kind in kinds]


def _look(house: House, found: dict[str, list[str]]) -> None:
    now: dict[str, list[str]] = defaultdict(list)
    for line in house.branch.do("case", "list", "--all", "--json").json["items"]:
        said = [line["state"], line["ended_as"] or line["closed_as"] or "", line["owner"], str(line["overdue_fen"])]
        now[line["loan_id"]].append(" ".join(said))
    for loan in loans():
        found[loan].append(" and ".join(now[loan]))
