"""Consents to be contacted outside the hours: placeholder."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.work.gate.standing import Consent


def consents_of(_conn: Connection, _borrowers: Sequence[str]) -> dict[Customer, list[Consent]]:
    """None yet."""
    return {}
