"""What people do to a case between two feeds."""

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.storage.database import writing
from casework.work.cases.commands import Command
from casework.work.four_eyes import requests
from tests.feed.bank import Bank


def do(bank: Bank, *commands: Command) -> None:
    """Through the door; everything must happen."""
    with writing(bank.started.engine) as conn:
        outcomes = advance(conn, commands, bank.started.branch)
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes


def ask_write_off(bank: Bank, number: int | str, *, principal_fen: int = 5_000_000, interest_fen: int = 100) -> int:
    """The write-off of the case of loan L<number> (or of that name) asked for; the request's number."""
    keeper, case_id = bank.staff("A1", "asset_preservation"), int(bank.case(number).id)
    proposal = {
        "criterion": "death", "evidence": "doc:1", "principal_fen": principal_fen, "interest_fen": interest_fen,
    }  # fmt: skip
    with writing(bank.started.engine) as conn:
        asked = requests.ask(
            conn, bank.started.branch, actor=keeper, kind="event", subject=f"case:{case_id}", what="write_off",
            data=proposal,
        )  # fmt: skip
    assert isinstance(asked, requests.Asked), asked
    return asked.request_id


def decide_write_off(bank: Bank, request_id: int) -> None:
    """Reviewed and approved by two other people."""
    reviewer, approver = bank.staff("B9", "basic_risk_manager"), bank.staff("V1", "approver")
    with writing(bank.started.engine) as conn:
        for moved in (
            requests.review(conn, bank.started.branch, request_id, actor=reviewer),
            requests.approve(conn, bank.started.branch, request_id, actor=approver),
        ):
            assert isinstance(moved, requests.Moved), moved


def write_off(bank: Bank, number: int | str, *, principal_fen: int = 5_000_000, interest_fen: int = 100) -> int:
    """The case of loan L<number> (or of that name), written off by three people."""
    decide_write_off(bank, ask_write_off(bank, number, principal_fen=principal_fen, interest_fen=interest_fen))
    assert bank.case(number).state == "written_off"
    return int(bank.case(number).id)
