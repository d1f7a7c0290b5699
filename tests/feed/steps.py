"""What people do to a case between two feeds."""

from casework.cases.advance import advance
from casework.cases.commands import Command, Done
from casework.database import writing
from casework.four_eyes import requests
from tests.feed.bank import Bank


def do(bank: Bank, *commands: Command) -> None:
    """Through the door; everything must happen."""
    with writing(bank.started.engine) as conn:
        outcomes = advance(conn, commands, bank.started.branch)
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes


def write_off(bank: Bank, number: int | str, *, principal_fen: int = 5_000_000, interest_fen: int = 100) -> int:
    """The case of loan L<number> (or of that name), written off by three people."""
    keeper, reviewer, approver = (
        bank.staff("A1", "asset_preservation"),
        bank.staff("B9", "basic_risk_manager"),
        bank.staff("V1", "approver"),
    )
    case_id = int(bank.case(number).id)
    proposal = {
        "criterion": "death",
        "evidence": "doc:1",
        "principal_fen": principal_fen,
        "interest_fen": interest_fen,
    }
    with writing(bank.started.engine) as conn:
        branch = bank.started.branch
        asked = requests.ask(
            conn, branch, actor=keeper, kind="event", subject=f"case:{case_id}", what="write_off", data=proposal
        )
        assert isinstance(asked, requests.Asked), asked
        assert isinstance(requests.review(conn, branch, asked.request_id, actor=reviewer), requests.Moved)
        assert isinstance(requests.approve(conn, branch, asked.request_id, actor=approver), requests.Moved)
    assert bank.case(number).state == "written_off"
    return case_id
