"""Compares reviews of contacts, and breaches that were announced, with their entries: one changed by SQL shows."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.personal import Vault
from casework.work.gate.announcing import ANNOUNCED_IN_LOG
from casework.work.gate.reviews import REVIEWED
from casework.work.gate.tables import ANNOUNCED, breach_reviews

_EVENTS: Final = frozenset({REVIEWED, ANNOUNCED_IN_LOG})
_SAID: Final = ("contact_ref", "source", "verdict")
_Row = tuple[Any, ...]


class ReviewsReplay:
    """Follows the streams of customers."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn, self._vault, self._report = conn, vault, report
        self._said: dict[tuple[str, int], _Row] = {}
        self._unsound: set[str] = set()

    def follow(self, entry: Entry) -> None:
        """Remember what a review or a finding said."""
        if entry.event in _EVENTS:
            data = {"verdict": ANNOUNCED, **entry.data}
            told = " ".join(str(one) for name in ("rules", "lacks") for one in _listed(data.get(name)))
            self._said[entry.stream, entry.stream_seq] = (
                *(str(data.get(name)) for name in _SAID), told, entry.actor.id,
            )  # fmt: skip

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if not sound:
            self._unsound.add(stream)

    def cut(self) -> tuple[dict[tuple[str, int], _Row], set[str]]:
        """What a part of the streams leaves: all that was said, and the streams that are unsound."""
        left = self._said, self._unsound
        self._said, self._unsound = {}, set()
        return left

    def absorb(self, left: tuple[dict[tuple[str, int], _Row], set[str]]) -> None:
        """What another part left."""
        self._said |= left[0]
        self._unsound |= left[1]

    def finish(self) -> None:
        """Compare them with the rows, but for those of a stream that is itself unsound."""
        held: dict[tuple[str, int], _Row] = {}
        for row in self._conn.execute(sa.select(breach_reviews)):
            stream = stream_of(self._vault, Customer(row.institution, row.borrower_id))
            held[stream, row.stream_seq] = (row.contact_ref, row.source, row.verdict, row.rules, row.actor_id)
        differing = sorted(
            place for place in self._said.keys() | held.keys() if self._said.get(place) != held.get(place)
        )
        for stream, seq in differing:
            if stream not in self._unsound:
                self._report.find("row_differs", stream, table=breach_reviews.name, seq=seq)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
