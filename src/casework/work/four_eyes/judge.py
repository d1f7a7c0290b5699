"""Folds the entries of a request anew and decides every step of it again; no database. Pure.

Each step is decided with the chart it cites and the people its entry names.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from casework.lifecycle.noun import Words
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Refusal, decide, decide_opening
from casework.rules.statechart.policy import Policy
from casework.work.cases.cited import Cited
from casework.work.cases.fold import SAYS
from casework.work.request import request as folding
from casework.work.request.request import (
    EVENT,
    MOVE,
    POST,
    Request,
)
from casework.work.request.situation import Situation
from casework.work.request.topics import posts_for

_MOVED: Final = Words("").moved
_BY_POSTS: Final = ("post_not_permitted", "out_of_reach")


class Ended(NamedTuple):
    """A request whose stream has ended, none if it could not be replayed; and the post of who approved it."""

    request: Request | None
    post: str | None


class Cite(NamedTuple):
    """What an entry of a case or of a person says of the request that it names."""

    stream: str
    seq: int
    request_id: int
    wanted: Mapping[str, Any]


CITED: Final = (
    "id", "subject", "what", "topic", "state", "asked_by", "reviewed_by", "decided_by", "pinned_version",
    "carried_out",
)  # fmt: skip
"""Columns of a request that an entry can speak of."""


def cite_of(entry: Entry) -> Cite:
    """Asked for, fired once it was approved, moved to a version of its chart, or a post granted."""
    data = entry.data
    if entry.event.startswith(SAYS.asked):
        number = data["request"]
        wanted = {"what": entry.event.removeprefix(SAYS.asked), "asked_by": entry.actor.id}
    elif "four_eyes" in data:
        cleared = data["four_eyes"]
        number = cleared["request"]
        wanted = {
            "what": entry.event.removeprefix(SAYS.step), "topic": cleared["topic"], "asked_by": cleared["asked_by"],
            "reviewed_by": cleared["reviewed_by"], "decided_by": entry.actor.id, "state": "approved",
            "pinned_version": cleared["material_version"], "carried_out": entry.entry_id,
        }  # fmt: skip
    elif entry.event.endswith(_MOVED):  # to the next version of its chart
        number = data["request"]
        title = str(entry.chart).partition("#")[0]
        subject = f"chart:{title.partition('@')[0]}"
        wanted = {"subject": subject, "what": title, "topic": MOVE, "state": "approved"}
    else:
        number = data["request"]
        wanted = {
            "what": data["post"], "decided_by": entry.actor.id, "state": "approved", "carried_out": entry.entry_id
        }  # fmt: skip
    return Cite(entry.stream, entry.stream_seq, number, {"subject": entry.stream, **wanted})


def compare_cite(cite: Cite, held: Mapping[str, Any] | None, report: Report) -> None:
    """`held`: the request as its row or its own entries have it, by column; none if there is none."""
    differing = sorted(name for name, value in cite.wanted.items() if held is None or held[name] != value)
    if differing:
        code = "four_eyes_missing" if held is None else "four_eyes_differs"
        report.find(code, cite.stream, cite.seq, request=cite.request_id, columns=differing)


class RequestJudge:
    """Follows one stream of a request after the other; findings go into the report."""

    def __init__(self, rulebook: Cited, report: Report) -> None:
        self._rulebook = rulebook
        self._report = report
        self._begin()

    def _begin(self) -> None:
        self._request: Request | None = None
        self._post: str | None = None
        self._broken = False

    def follow(self, entry: Entry) -> None:
        """Replay one entry; after the first that cannot be, the rest of the stream is left alone."""
        if self._broken:
            return
        try:
            self._replay(entry)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._broken = True

    def end(self, *, sound: bool) -> Ended:
        """The stream has ended; `sound` if nothing was wrong with its chain."""
        ended = Ended(self._request if sound and not self._broken else None, self._post)
        self._begin()
        return ended

    # ── one entry ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _replay(self, entry: Entry) -> None:
        cited = self._rulebook.of(entry)
        if cited is None:
            self._broken = True
            return
        chart, policy = cited
        at = datetime.fromisoformat(entry.recorded_at)
        if self._request is None:
            number = int(entry.stream.partition(":")[2])
            if entry.event != folding.ASKED:
                raise ValueError("a request begins by being asked")
            self._request = folding.asked(number, entry.actor.id, chart, entry.data, at)
            self._asked(entry, chart, policy)
            return
        request = self._request
        if entry.from_ != request.state:
            self._report.find("state_differs", entry.stream, entry.stream_seq, entry_says=entry.from_,
                              replayed=request.state)  # fmt: skip
        if entry.event.startswith(folding.REFUSED):
            self._refused(entry, request, chart, policy)
        else:
            self._moved(entry, request, chart, policy)
        folding.apply(request, entry.event, str(entry.to), entry.actor.id, entry.data, chart)

    def _asked(self, entry: Entry, chart: Chart, policy: Policy) -> None:
        data, opening = entry.data, chart.openings["request"]
        refusal = decide_opening(opening, self._situation(entry, None, policy), opening.posts)
        self._judge(entry, refusal)
        self._check_post(entry, chart.approvals[data["topic"]].proposed_by)
        if data["expires_after_days"] != policy.figure("approval.expires_after_days"):
            self._report.find("data_not_typed", entry.stream, entry.stream_seq, fields=["expires_after_days"])

    def _moved(self, entry: Entry, request: Request, chart: Chart, policy: Policy) -> None:
        event, role = entry.data["by"], entry.data["role"]
        verdict = decide(chart, event, request.state, self._situation(entry, request, policy), frozenset({role}))
        self._judge(entry, verdict if isinstance(verdict, Refusal) else None)
        if role == "system":
            return
        if event != "withdraw":
            self._check_post(entry, posts_for(chart.approvals[request.topic], event))
        if event != "approve":
            return
        self._post = entry.data["post"]
        if request.kind in (EVENT, POST) and "carried_out" not in entry.data:
            self._report.find("request_without_effect", entry.stream, entry.stream_seq)

    def _refused(self, entry: Entry, request: Request, chart: Chart, policy: Policy) -> None:
        event = entry.event.removeprefix(folding.REFUSED)
        recorded = [reason["code"] for reason in entry.data["reasons"]]
        if len(recorded) == 1 and recorded[0] in _BY_POSTS:
            return
        role = frozenset({entry.data["role"]})
        verdict = decide(chart, event, request.state, self._situation(entry, request, policy), role)
        replayed = [reason.code for reason in verdict.reasons] if isinstance(verdict, Refusal) else []
        # What an approval was to carry out can refuse it with reasons of its own: those are the case's to replay.
        by_subject = not replayed and event == "approve" and chart.events[event].arcs.keys() >= {request.state}
        if recorded != replayed and not by_subject:
            self._report.find("refusal_differs", entry.stream, entry.stream_seq, entry_says=recorded, replayed=replayed)

    def _situation(self, entry: Entry, request: Request | None, policy: Policy) -> Situation:
        data = entry.data
        topic = request.topic if request is not None else data["topic"]
        return Situation(
            request, topic, date.fromisoformat(data["day"]), policy, frozenset(data["people"]),
            frozenset(data["concerned"]), data.get("subject_version", 0), data.get("void", False),
            data.get("given", {}),
        )  # fmt: skip

    def _judge(self, entry: Entry, refusal: Refusal | None) -> None:
        codes = [reason.code for reason in refusal.reasons] if refusal else []
        two_parts = {"not_involved", "not_concerned"} & set(codes)
        if codes:
            code = "not_another_person" if two_parts else "step_not_allowed"
            self._report.find(code, entry.stream, entry.stream_seq, reasons=codes)

    def _check_post(self, entry: Entry, posts: frozenset[str]) -> None:
        """The post named may do it, and the people named are at least those who acted."""
        data = entry.data
        acted = {entry.actor.id, data.get("acting_for", entry.actor.id)}
        if data["post"] not in posts:
            self._report.find("post_not_permitted", entry.stream, entry.stream_seq, post=data["post"])
        if not acted <= set(data["people"]):
            self._report.find("not_another_person", entry.stream, entry.stream_seq, people=sorted(acted))
