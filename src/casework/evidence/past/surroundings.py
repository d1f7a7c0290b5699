"""What was known at an instant besides the cases: each institution's business date, and the policy in force on it.

The business date is what the last feed applied by then left; where the log knows no feed, the branch's calendar day, as
the door has it. The entries of a feed are written moments before the feed's own: a case whose last entry names a later
business date is believed. Policies are those announced by then, the newest edition of each date.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.evidence.past.chained import (
    COLUMNS,
    Chain,
    SaidThen,
    broken,
    data_of,
)
from casework.evidence.past.instant import Instant, Source
from casework.evidence.past.texts import TextsThen
from casework.log.format.texts import reference
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.rules.statechart.policy import Policies, Policy
from casework.work.cases.branch import Branch
from casework.work.cases.publish import STREAM as RULEBOOK

FEED_PREFIX: Final = "feed:"
_APPLIED, _PUBLISHED = "feed.applied", "policy.published"
"""Where a business date is from: the last feed, the case's own last entry, or the branch's calendar."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world at one instant, but for the cases."""

    instant: Instant
    text: str  # the instant as entries write theirs
    calendar: date
    feeds: Mapping[str, date]
    policies: Policies | None

    def business_date(self, institution: str, of_entry: date) -> tuple[date, Source]:
        """The institution's business date, and where it is from; `of_entry` is that of the case's last entry."""
        fed = self.feeds.get(institution)
        if of_entry > (fed or self.calendar):
            return of_entry, "entry"
        return (self.calendar, "calendar") if fed is None else (fed, "feed")

    def policy(self, on: date, cited: Callable[[], Policy]) -> Policy:
        """The policy in force on a business date; the one that the case's entry `cited` where none was announced."""
        return cited() if self.policies is None else self.policies.at(on)


def surroundings(
    conn: Connection, branch: Branch, texts: TextsThen, instants: Sequence[Instant], institution: str | None = None
) -> list[Surroundings]:
    """Of each instant; of one institution's feed, or of all. CallerError `log_broken` for an entry not to be believed.

    Reads the entries of feeds (one a day and institution) and of the rulebook.
    """
    feeds: list[dict[str, date]] = [{} for _ in instants]
    stream = entries.c.stream
    of_feeds = stream.startswith(FEED_PREFIX) if institution is None else stream == f"{FEED_PREFIX}{institution}"
    for said in _said(conn, branch, of_feeds):
        if said.event == _APPLIED:
            on = _business_date(said)
            for known, instant in zip(feeds, instants, strict=True):
                if said.recorded_at <= utc_text(instant.at):
                    known[said.stream.removeprefix(FEED_PREFIX)] = on
    announced = [said for said in _said(conn, branch, stream == RULEBOOK) if said.event == _PUBLISHED]
    return [
        Surroundings(
            instant, utc_text(instant.at), branch.today(instant.at), known,
            _policies([said for said in announced if said.recorded_at <= utc_text(instant.at)], texts),
        )
        for instant, known in zip(instants, feeds, strict=True)
    ]  # fmt: skip


def _said(conn: Connection, branch: Branch, of: sa.ColumnElement[bool]) -> Iterable[SaidThen]:
    """The entries of these streams, each stream from its first."""
    wanted = as_stored(entries, COLUMNS, conn.dialect.name).where(of)
    chain: Chain | None = None
    ordered = wanted.order_by(entries.c.stream, entries.c.stream_seq)
    for row in conn.execute(ordered, execution_options={"yield_per": 500}):
        if chain is None or chain.stream != row[0]:
            chain = Chain(row[0], branch.mac_key)
        yield chain.read(row)


def _business_date(said: SaidThen) -> date:
    """What the feed left; a correction of an older day leaves it as it was."""
    try:
        return date.fromisoformat(data_of(said)["left"]["business_date"])
    except (KeyError, TypeError, ValueError) as error:
        raise broken("replay_impossible", said.stream, said.stream_seq, error=type(error).__name__) from error


def _policies(announced: Iterable[SaidThen], texts: TextsThen) -> Policies | None:
    """Of several editions of one date the newest: `2024-01-01.10` after `2024-01-01.2`."""
    newest: dict[str, tuple[int, Policy]] = {}
    for said in announced:
        try:
            data = data_of(said)
            name, _, edition = str(data["name"]).partition(".")
            number, ref = int(edition or 1), reference("policy", name, str(data["digest"]))
        except (KeyError, TypeError, ValueError) as error:
            raise broken("replay_impossible", said.stream, said.stream_seq, error=type(error).__name__) from error
        if name not in newest or newest[name][0] < number:
            newest[name] = number, texts.policy(ref, said)
    return Policies([policy for _, policy in newest.values()]) if newest else None
