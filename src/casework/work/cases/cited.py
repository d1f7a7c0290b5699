"""The charts and policies that entries cite, for the replay: what was in force when they were written. Pure."""

from casework.errors import RulesBroken
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy
from casework.work.cases.published import Published


class Cited:
    """The charts and policies that entries cite; one that cannot be used is reported once.

    `published`: none where the texts cannot be read at all; the walk over them says where.
    """

    def __init__(self, published: Published | None, report: Report) -> None:
        self._published = published
        self._report = report
        self._known: dict[tuple[str, str], tuple[Chart, Policy] | None] = {}

    def of(self, entry: Entry) -> tuple[Chart, Policy] | None:
        """Chart and policy of an entry, none if missing or unreadable; ValueError if it cites none."""
        if entry.chart is None or entry.policy is None:
            raise ValueError("an entry of a case cites its chart and policy")
        key = (entry.chart, entry.policy)
        if key not in self._known:
            self._known[key] = self._read(*key)
        return self._known[key]

    def _read(self, chart_ref: str, policy_ref: str) -> tuple[Chart, Policy] | None:
        code = "text_missing"
        if self._published is not None:
            try:
                chart, policy = self._published.chart(chart_ref), self._published.policy(policy_ref)
            except KeyError:
                pass
            except RulesBroken:
                code = "text_unreadable"
            else:
                if (chart.ref, policy.ref) == (chart_ref, policy_ref):
                    return chart, policy
                code = "text_changed"
        # The walk over the texts convicts what is missing or changed; the cases under it cannot be judged.
        self._report.doubt(code, chart=chart_ref, policy=policy_ref)
        return None
