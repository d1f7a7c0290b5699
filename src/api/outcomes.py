"""From what the door answers to what HTTP answers; one table of cases, used for one event and for many."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from api.idempotency import Answer
from api.problems import MEDIA_TYPE, problem_body, status_of
from api.wire import BulkAnswer, DoneBody, DoneOfNoun, FaultBody, ReasonBody, ResultBody
from casework.lifecycle.commands import Done, Mistaken, Open, Outcome, Refused
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.fields import DataFault
from casework.work.cases.commands import Command
from casework.work.cases.unseen import TEXTS, texts_of_unseen

encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Named:
    """How answers speak of a noun: where it is found, what its number is called, its labels."""

    place: str
    number: str
    zh: str
    en: str
    word: str
    opened: str = "开立"


CASE_NAMED = Named("/cases", "case_id", "案件", "case", "case", "入催")

_MISTAKES = {
    "unknown_event": ("状态图没有这个事件", "the chart has no such event"),
    "unknown_fact": ("没有这种事实", "the chart has no such kind of fact"),
    "unknown_ground": ("没有这种{opened}事由", "the chart has no such ground for opening a {en}"),
    "stale_version": ("{zh}已被他人更改，请查看最新版本后再操作", "the {en} has changed since the version you saw"),
    "faulty_data": ("提交的数据有误", "the data given are not what the event takes"),
}
_BUSY = ("{zh}正被他人处理，请稍后重试", "the {en} is being worked on; try again")


def etag(version: int) -> str:
    """The entity tag of a case at this version."""
    return f'"{version}"'


def answer_of(outcome: Outcome, request_id: str, *, created: bool = False, named: Named = CASE_NAMED) -> Answer:
    """The response to one command, on a case if nothing else is said."""
    match outcome:
        case Done():
            headers = {"ETag": etag(outcome.version)}
            if created:
                headers["Location"] = f"{named.place}/{outcome.id}"
            return Answer(201 if created else 200, encode(done_body(outcome, named)), headers)
        case Refused():
            return _refused(outcome, request_id, named)
        case Mistaken():
            return _mistaken(outcome, request_id, named)
        case _:
            raise RuntimeError("one command alone is done, refused or mistaken")


def done_body(done: Done, named: Named = CASE_NAMED) -> Any:
    """As the wire says it."""
    kind: Any = DoneBody if named is CASE_NAMED else DoneOfNoun
    more = {"version": done.version, "from_state": done.from_state, "state": done.state, "entry_id": done.entry_id}
    return kind(**{named.number: done.id}, **more)


def reason_body(reason: Reason) -> ReasonBody:
    """As the wire says it."""
    return ReasonBody(
        code=reason.code, rules=reason.rules, saw=reason.saw, needs=reason.needs, zh=reason.zh, en=reason.en,
        opens_on=reason.opens_on,
    )  # fmt: skip


def fault_body(fault: DataFault) -> FaultBody:
    """As the wire says it."""
    return FaultBody(field=fault.field, code=fault.code, zh=fault.zh, en=fault.en, rules=fault.rules)


def _refused(outcome: Refused, request_id: str, named: Named) -> Answer:
    code = _code_of(outcome)
    facts: dict[str, Any] = {
        named.number: outcome.id, "version": outcome.version, "state": outcome.state, "entry_id": outcome.entry_id,
        "reasons": [reason_body(reason) for reason in outcome.reasons],
    }  # fmt: skip
    texts = ";".join(reason.zh for reason in outcome.reasons), "; ".join(reason.en for reason in outcome.reasons)
    return _problem(code, request_id, texts, facts, outcome.version)


def _code_of(refused: Refused) -> str:
    """`post_not_permitted` or `out_of_reach` (403) where the actor alone is the reason, else `refused` (409)."""
    return refused.reasons[0].code if refused.forbidden else "refused"


def _mistaken(outcome: Mistaken, request_id: str, named: Named) -> Answer:
    about = CASE_NAMED if outcome.code in (f"unknown_{CASE_NAMED.word}", f"{CASE_NAMED.word}_busy") else named
    facts: dict[str, Any] = {}
    if outcome.id is not None:
        facts[about.number] = outcome.id
    if outcome.version is not None:
        facts["version"] = outcome.version
    if outcome.faults:
        facts["faults"] = [fault_body(fault) for fault in outcome.faults]
    return _problem(outcome.code, request_id, _texts(outcome.code, about), facts, outcome.version)


def _texts(code: str, named: Named) -> tuple[str, str]:
    """A mistake in words: that there is none or none to be seen, that it is busy, or what all nouns share."""
    if code in TEXTS:
        return TEXTS[code]
    if code == f"unknown_{named.word}":
        return texts_of_unseen(named.zh, named.en)
    zh, en = _BUSY if code == f"{named.word}_busy" else _MISTAKES[code]
    words = {"zh": named.zh, "en": named.en, "opened": named.opened}
    return zh.format(**words), en.format(**words)


def _problem(code: str, request_id: str, texts: tuple[str, str], facts: dict[str, Any], version: int | None) -> Answer:
    headers = {} if version is None else {"ETag": etag(version)}
    body = problem_body(code, request_id=request_id, zh=texts[0], en=texts[1], facts=facts)
    return Answer(status_of(code), body, headers, MEDIA_TYPE)


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def bulk_answer(
    commands: Sequence[Command], outcomes: Sequence[Outcome], *, atomic: bool, dry_run: bool, named: Named = CASE_NAMED
) -> Answer:
    """A result for each, totals by outcome and by reason."""
    ids = [0 if isinstance(command, Open) else command.id for command in commands]
    results = results_of(ids, outcomes, dry_run=dry_run)
    by_outcome, by_reason = totals_of(results)
    answer = BulkAnswer(
        dry_run=dry_run, atomic=atomic, cases=len(results), results=results, by_outcome=by_outcome,
        by_reason=by_reason,
    )  # fmt: skip
    if named is CASE_NAMED:
        return Answer(200, encode(answer), {})
    told = msgspec.to_builtins(answer, enc_hook=str)
    told["items"], told["results"] = told.pop("cases"), [{"id": one.pop("case_id"), **one} for one in told["results"]]
    return Answer(200, encode(told), {})


def results_of(ids: Sequence[int], outcomes: Sequence[Outcome], *, dry_run: bool) -> list[ResultBody]:
    """A result per case; after a dry run without entries, since nothing was written that their ids could name."""
    results = [_result(case_id, outcome) for case_id, outcome in zip(ids, outcomes, strict=True)]
    return [msgspec.structs.replace(result, entry_id=None) for result in results] if dry_run else results


def totals_of(results: Sequence[ResultBody]) -> tuple[dict[str, int], dict[str, int]]:
    """How many cases of each outcome, and of each reason."""
    reasons = Counter(reason.code for result in results for reason in result.reasons)
    reasons.update(result.outcome for result in results if result.outcome not in _PLAIN and not result.reasons)
    return dict(sorted(Counter(result.outcome for result in results).items())), dict(sorted(reasons.items()))


_PLAIN = ("done", "not_done")


def _result(case_id: int, outcome: Outcome) -> ResultBody:
    match outcome:
        case Done():
            return ResultBody(
                case_id=case_id, outcome="done", status=200, version=outcome.version, from_state=outcome.from_state,
                state=outcome.state, entry_id=outcome.entry_id,
            )  # fmt: skip
        case Refused():
            code = _code_of(outcome)
            return ResultBody(
                case_id=case_id, outcome=code, status=status_of(code), version=outcome.version, state=outcome.state,
                entry_id=outcome.entry_id, reasons=tuple(map(reason_body, outcome.reasons)),
            )  # fmt: skip
        case Mistaken():
            return ResultBody(
                case_id=case_id, outcome=outcome.code, status=status_of(outcome.code), version=outcome.version,
                faults=tuple(map(fault_body, outcome.faults)),
            )  # fmt: skip
        case _:
            return ResultBody(case_id=case_id, outcome="not_done", status=status_of("not_done"))
