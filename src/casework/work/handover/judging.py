"""Judges the entries of hand-overs: the engine does, and what their time says of them must be their time. Pure."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from casework.lifecycle.judge import Fields, Judged, NounJudge
from casework.lifecycle.stream_judges import RootJudge
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy
from casework.work.cases.cited import Cited
from casework.work.handovers import HANDOVER, Handover


def handover_judge(rulebook: Cited, report: Report, asked: Callable[[Entry], None]) -> RootJudge:
    """Follows their streams; `asked` hears every entry that names a request.

    An entry of a time when they had no chart is not wrong, and cannot be judged.
    """

    def cited(entry: Entry) -> tuple[Chart, Policy] | None:
        if entry.chart is not None:
            return rulebook.of(entry)
        report.doubt("chart_not_cited", stream=entry.stream)
        return None

    return RootJudge(_HandoverJudge(HANDOVER, report, Fields(), asked), cited)


class _HandoverJudge(NounJudge):
    """Whoever acted reached it by a command (permissions.toml), which is not asked here."""

    def _opened(self, judged: Judged, subject: Handover, parent: Any) -> None:
        del parent
        self._check_time(judged, subject.planned_at)

    def _acted(self, judged: Judged, subject: Handover, parent: Any, only_own: Collection[str]) -> None:
        del subject, parent, only_own
        self._check_time(judged, datetime.fromisoformat(judged.data["gathered"]["at"]))

    def _check_time(self, judged: Judged, at: datetime) -> None:
        if at != datetime.fromisoformat(judged.entry.recorded_at):
            self.find("data_not_typed", judged.entry, fields=["at"])
