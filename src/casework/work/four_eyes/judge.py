"""Judges requests as any noun is judged, by the people whom their entries name and the posts of topics. Pure."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from casework.lifecycle.judge import POST_REASON, Fields, Judged, NounJudge
from casework.lifecycle.noun import Words
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.people.staff.actor import SYSTEM_POST
from casework.work.requests import EVENT, MOVE, POST, REQUEST, Request, posts_for

_MOVED: Final = Words("").moved


class Cite(NamedTuple):
    """What an entry of a case or of a person says of the request that it names."""

    stream: str
    seq: int
    request_id: int
    wanted: Mapping[str, Any]


CITED: Final = (
    "id", "subject", "what", "topic", "state", "opened_by", "reviewed_by", "decided_by", "pinned_version",
    "carried_out",
)  # fmt: skip
"""Columns of a request that an entry can speak of."""


def cite_of(entry: Entry) -> Cite:
    """Asked for, fired once it was approved, moved to a version of its chart, or a post granted."""
    data = entry.data
    verb, _, event = entry.event.partition(".")[2].partition(".")
    if verb == "asked":
        number = data["request"]
        wanted = {"what": event, "opened_by": entry.actor.id}
    elif "four_eyes" in data:
        cleared = data["four_eyes"]
        number = cleared["request"]
        wanted = {
            "what": event, "topic": cleared["topic"], "opened_by": cleared["asked_by"],
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
    subject = subject_of(entry.stream, entry.event, data)
    return Cite(entry.stream, entry.stream_seq, number, {"subject": subject, **wanted})


def subject_of(stream: str, event: str, data: Mapping[str, Any]) -> str:
    """What an entry is about: of what lives in the stream of another its word and number, else its stream."""
    word = event.partition(".")[0]
    return f"{word}:{data[word]}" if word in data and not stream.startswith(f"{word}:") else stream


def compare_cite(cite: Cite, held: Mapping[str, Any] | None, report: Report) -> None:
    """`held`: the request as its row or its own entries have it, by column; none if there is none."""
    differing = sorted(name for name, value in cite.wanted.items() if held is None or held[name] != value)
    if differing:
        code = "four_eyes_missing" if held is None else "four_eyes_differs"
        report.find(code, cite.stream, cite.seq, request=cite.request_id, columns=differing)


class OfRequest(NounJudge):
    """What somebody was to a request stands in the entry; `decided_post` is that of who decided the last one."""

    def __init__(self, report: Report, cited: Callable[[Entry], None]) -> None:
        super().__init__(REQUEST, report, Fields(), cited)
        self.decided_post: str | None = None

    def _opened(self, judged: Judged, subject: Request, parent: Any) -> None:
        del parent
        self.decided_post = None
        self._check_people(judged, judged.chart.approvals[subject.topic].proposed_by)
        until = subject.opened_on + timedelta(days=int(judged.policy.figure("approval.expires_after_days")))
        said = {"expires_on": (subject.expires_on, until), "asked_for": (subject.asked_for, _principal(judged))}
        if wrong := [name for name, (held, meant) in said.items() if held != meant]:
            self.find("data_not_typed", judged.entry, fields=wrong)

    def _acted(self, judged: Judged, subject: Request, parent: Any, only_own: Collection[str]) -> None:
        del parent, only_own
        event = judged.entry.event.removeprefix(self.noun.says.step)
        if SYSTEM_POST in self._posts_of(judged):
            return
        if event != "withdraw":
            self._check_people(judged, posts_for(judged.chart.approvals[subject.topic], event))
            self.decided_post = judged.data["post"]
        without_effect = event == "approve" and "carried_out" not in judged.data["gathered"]
        if without_effect and subject.kind in (EVENT, POST):
            self.find("request_without_effect", judged.entry)

    def _posts_of(self, judged: Judged) -> frozenset[str]:
        return frozenset({judged.data["gathered"]["role"]})

    def _permitted(self, judged: Judged, subject: Request, name: str, posts: frozenset[str]) -> frozenset[str]:
        del posts
        return posts_for(judged.chart.approvals[subject.topic], name)

    def _not_allowed(self, reasons: Collection[str]) -> str:
        return "not_another_person" if {"not_involved", "not_concerned"} & set(reasons) else "step_not_allowed"

    def _compare(self, judged: Judged, replayed: list[str]) -> None:
        # What an approval was to carry out can refuse it with reasons of its own: those are the subject's to replay.
        if replayed or judged.entry.event != f"{self.noun.says.refused}approve":
            super()._compare(judged, replayed)

    def _check_people(self, judged: Judged, posts: frozenset[str]) -> None:
        """The post named may do it, and the people named are at least those who acted."""
        acted = {judged.entry.actor.id, _principal(judged) or judged.entry.actor.id}
        people = judged.data["gathered"]["people"]
        if judged.data["post"] not in posts:
            self.find(POST_REASON, judged.entry, post=judged.data["post"])
        if not acted <= set(people):
            self.find("not_another_person", judged.entry, people=sorted(acted))


def _principal(judged: Judged) -> str | None:
    principal: str | None = judged.data.get("acting_for")
    return principal
