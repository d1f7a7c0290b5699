"""Promises and holds and their lives, opened and moved through the door in a built log."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open, Outcome, Record, Refused
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from tests.fed import dated
from tests.log import built_log as logs
from tests.log.built_log import BuiltLog, clock
from tests.on_books import put_loan

CLI = system("cli")
CASE, OTHER_CASE = 3, 4
STREAM_OF_CASE, BORROWER = f"case:{CASE}", "borrower:wuhan~B2"
LATER = date(2026, 1, 20)
BEGINS = "2026-01-10T08:00:00+08:00"


def promise(ref: str, *, pay_by: str = "2026-01-12", actor: Actor = CLI, ground: str = "imported") -> Open:
    """Of a thousand yuan."""
    data: dict[str, Any] = {"made_on": "2026-01-10", "pay_by": pay_by, "amount_fen": 100_000}
    if ground == "imported":
        data["ref"] = ref
    return Open(actor=actor, noun="promise", of=CASE, ground=ground, data=data)


def hold(loan: int, kind: str, **more: str) -> Open:
    """From the morning on."""
    data = {"loan_id": f"L{loan}", "hold": kind, "begins_at": BEGINS, **more}
    return Open(actor=CLI, noun="hold", ground="imported", data=data)


def fire(noun: str, number: int, event: str, actor: Actor = CLI, **data: Any) -> Fire:
    """An event of one of them."""
    return Fire(actor=actor, noun=noun, id=number, event=event, data=data)


def paid(number: int, fen: int) -> Record:
    """A payment that counts for a promise."""
    data = {"payment": f"PAY{number}-{fen}", "amount_fen": fen}
    return Record(
        actor=CLI, noun="promise", id=number, kind="payment", on=logs.TODAY, evidence="feed:1", data=data
    )  # fmt: skip


def live(log: BuiltLog) -> dict[str, int]:
    """A kept promise, one that was judged, one that is open; holds that ended, are lifted, and bind one loan."""
    numbers: dict[str, int] = {}

    def do(conn: Connection, expected: type[Outcome], command: Any) -> Any:
        (outcome,) = advance(conn, [command], log.branch, clock=clock)
        assert isinstance(outcome, expected), (command, outcome)
        return outcome

    with writing(log.engine) as conn:
        for n in range(5):
            put_loan(conn, log.branch, loan_id=f"L{n}", institution="wuhan", borrower_id=f"B{n}")
        for name in ("kept", "judged", "open"):
            pay_by = "2026-02-12" if name == "open" else "2026-01-12"
            numbers[name] = do(conn, Done, promise(f"PR-{name}", pay_by=pay_by)).id
        do(conn, Refused, fire("promise", numbers["kept"], "keep"))
        do(conn, Refused, fire("promise", numbers["judged"], "judge"))
        do(conn, Refused, fire("promise", numbers["kept"], "withdraw", reason="misheard"))  # not the service's
        do(conn, Refused, promise("", actor=logs.BUSINESS, ground="made_after_broken"))  # nor the rep's
        do(conn, Refused, promise("", actor=logs.RISK, ground="made_after_broken"))  # more than is owed
        do(conn, Done, paid(numbers["kept"], 100_000))
        do(conn, Done, fire("promise", numbers["kept"], "keep"))
        do(conn, Done, paid(numbers["judged"], 40_000))
        numbers["ending"] = do(conn, Done, hold(2, "hardship", ends_at="2026-01-12T00:00:00+08:00")).id
        numbers["lifted"] = do(conn, Done, hold(3, "complaint")).id
        numbers["dispute"] = do(conn, Done, hold(2, "dispute")).id
        do(conn, Refused, hold(2, "hardship"))  # one of a kind at a time
        do(conn, Refused, fire("hold", numbers["ending"], "expire"))
        do(conn, Done, fire("hold", numbers["lifted"], "confirm", logs.RISK))
        do(conn, Done, fire("hold", numbers["lifted"], "lift", logs.RISK, reason="resolved"))
        dated(conn, log.branch, LATER)
        do(conn, Done, fire("promise", numbers["judged"], "judge"))
        do(conn, Done, fire("hold", numbers["ending"], "expire"))
    return numbers


@dataclass(frozen=True)
class Lived:
    """The log, and the numbers of what was opened in it."""

    log: BuiltLog
    numbers: dict[str, int]
