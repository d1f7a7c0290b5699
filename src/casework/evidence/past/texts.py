"""The charts and policies that entries cite, each held to the digest it is cited by."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import Connection

from casework.errors import RulesBroken
from casework.evidence.past.chained import SaidThen, broken
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy
from casework.work.cases.branch import Branch
from casework.work.cases.publish import published
from casework.work.cases.published import Published

Text = TypeVar("Text", Chart, Policy)


class TextsThen:
    """What is in force now comes from the rulebook that is loaded anyway: the same digest is the same text."""

    def __init__(self, conn: Connection, branch: Branch) -> None:
        self._conn = conn
        self._published: Published | None = None
        rulebook = branch.rulebook
        self._charts = {rulebook.chart.ref: rulebook.chart}
        self._policies = {policy.ref: policy for policy in rulebook.policies.all}
        self._cited: dict[tuple[str | None, str | None], tuple[Chart, Policy]] = {}

    def cited(self, said: SaidThen) -> tuple[Chart, Policy]:
        """Of one entry; CallerError `log_broken` if a text is missing, changed or unreadable."""
        known = self._cited.get((said.chart, said.policy))
        if known is None:
            if said.chart is None or said.policy is None:
                raise broken("replay_impossible", said.stream, said.stream_seq, error="cites_nothing")
            known = self._chart(said.chart, said), self.policy(said.policy, said)
            self._cited[said.chart, said.policy] = known
        return known

    def policy(self, ref: str, said: SaidThen) -> Policy:
        """The policy that an entry cites or announces."""
        if ref not in self._policies:
            self._policies[ref] = _as_cited(ref, said, lambda: self._all(said).policy(ref))
        return self._policies[ref]

    def _chart(self, ref: str, said: SaidThen) -> Chart:
        if ref not in self._charts:
            self._charts[ref] = _as_cited(ref, said, lambda: self._all(said).chart(ref))
        return self._charts[ref]

    def _all(self, said: SaidThen) -> Published:
        if self._published is None:
            try:
                self._published = published(self._conn)
            except TypeError:  # SQLite may hold a text where bytes belong
                raise broken("text_unreadable", said.stream, said.stream_seq) from None
        return self._published


def _as_cited(ref: str, said: SaidThen, read: Callable[[], Text]) -> Text:
    fault = "text_changed"
    try:
        found = read()
        if found.ref == ref:
            return found
    except KeyError:
        fault = "text_missing"
    except RulesBroken:
        fault = "text_unreadable"
    raise broken(fault, said.stream, said.stream_seq, reference=ref)
