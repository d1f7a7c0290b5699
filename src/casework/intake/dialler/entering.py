"""Contacts enter the log one by one or some at a time, and all that depends on them learns of it at once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from casework.intake.dialler.called_back import close_call_backs
from casework.intake.dialler.checked import ask_for_checks
from casework.intake.dialler.learning import learn_at_once
from casework.intake.dialler.recording import New, Recorded, put
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch


def enter(conn: Connection, branch: Branch, new: Sequence[New], actor: Actor, at: datetime) -> list[Recorded]:
    """Record them in the caller's transaction: call-backs are done, checks asked for, cases told who was reached."""
    recorded = put(conn, branch, new, actor, at)
    close_call_backs(conn, branch, recorded, via=actor.via, clock=lambda: at)
    ask_for_checks(conn, branch, recorded, via=actor.via, at=at)
    connected = [one.contact for one in recorded if one.contact.connected]
    learn_at_once(conn, branch, connected, via=actor.via, clock=lambda: at)
    return recorded
