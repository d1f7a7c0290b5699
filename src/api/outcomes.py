"""From what the door answers to what HTTP answers; one table of cases, used for one event and for many."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from api.idempotency import StoredAnswer
from api.problems import MEDIA_TYPE, problem_body, status_of
from api.wire import BulkAnswer, DoneBody, DoneOfNoun, FaultBody, ResultBody
from casework.codes import texts_of
from casework.lifecycle.commands import Done, Mistaken, NotDone, Open, Outcome, Refused
from casework.rules.statechart.fields import DataFault
from casework.work.cases.commands import Command
from casework.work.cases.options import reason_offer

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


def etag(version: int) -> str:
    """The entity tag of a case at this version."""
    return f'"{version}"'


def answer_of(outcome: Outcome, request_id: str, *, created: bool = False, named: Named = CASE_NAMED) -> StoredAnswer:
    """The response to one command, on a case if nothing else is said."""
    match outcome:
        case Done():
            headers = {"ETag": etag(outcome.version)}
            if created:
                headers["Location"] = f"{named.place}/{outcome.id}"
            return StoredAnswer(201 if created else 200, encode(done_body(outcome, named)), headers)
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


def fault_body(fault: DataFault) -> FaultBody:
    """As the wire says it."""
    return FaultBody(**msgspec.structs.asdict(fault))


def _refused(outcome: Refused, request_id: str, named: Named) -> StoredAnswer:
    code = outcome.code
    facts: dict[str, Any] = {
        named.number: outcome.id, "version": outcome.version, "state": outcome.state, "entry_id": outcome.entry_id,
        "reasons": [reason_offer(reason) for reason in outcome.reasons],
    }  # fmt: skip
    texts = ";".join(reason.zh for reason in outcome.reasons), "; ".join(reason.en for reason in outcome.reasons)
    return _problem(code, request_id, texts, facts, outcome.version)


def _mistaken(outcome: Mistaken, request_id: str, named: Named) -> StoredAnswer:
    about = CASE_NAMED if outcome.code in (f"unknown_{CASE_NAMED.word}", f"{CASE_NAMED.word}_busy") else named
    facts: dict[str, Any] = {}
    if outcome.id is not None:
        facts[about.number] = outcome.id
    if outcome.version is not None:
        facts["version"] = outcome.version
    if outcome.faults:
        facts["faults"] = [fault_body(fault) for fault in outcome.faults]
    return _problem(
        outcome.code,
        request_id,
        texts_of(outcome.code, {"zh": about.zh, "en": about.en, "opened": about.opened}),
        facts,
        outcome.version,
    )


def _problem(
    code: str, request_id: str, texts: tuple[str, str], facts: dict[str, Any], version: int | None
) -> StoredAnswer:
    headers = {} if version is None else {"ETag": etag(version)}
    body = problem_body(code, request_id=request_id, zh=texts[0], en=texts[1], facts=facts)
    return StoredAnswer(status_of(code), body, headers, MEDIA_TYPE)


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def bulk_answer(
    commands: Sequence[Command], outcomes: Sequence[Outcome], *, atomic: bool, dry_run: bool, named: Named = CASE_NAMED
) -> StoredAnswer:
    """A result for each, totals by outcome and by reason; what was not opened has no number."""
    ids = [
        command.id if not isinstance(command, Open) else outcome.id if isinstance(outcome, Done) and not dry_run else 0
        for command, outcome in zip(commands, outcomes, strict=True)
    ]
    results = results_of(ids, outcomes, dry_run=dry_run)
    by_outcome, by_reason = totals_of(results)
    answer = BulkAnswer(
        dry_run=dry_run, atomic=atomic, cases=len(results), results=results, by_outcome=by_outcome,
        by_reason=by_reason,
    )  # fmt: skip
    if named is CASE_NAMED:
        return StoredAnswer(200, encode(answer), {})
    told = msgspec.to_builtins(answer, enc_hook=str)
    told["items"], told["results"] = told.pop("cases"), [
        ({"id": number} if (number := one.pop("case_id")) else {}) | one for one in told["results"]
    ]  # fmt: skip
    return StoredAnswer(200, encode(told), {})


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
    status = 200 if isinstance(outcome, Done) else status_of(outcome.code)
    told = ResultBody(case_id=case_id, outcome=outcome.code, status=status)
    if not isinstance(outcome, NotDone):
        told.version = outcome.version
    if isinstance(outcome, Done | Refused):
        told.state, told.entry_id = outcome.state, outcome.entry_id
    if isinstance(outcome, Done):
        told.from_state = outcome.from_state
    elif isinstance(outcome, Refused):
        told.reasons = tuple(map(reason_offer, outcome.reasons))
    elif isinstance(outcome, Mistaken):
        told.faults = tuple(map(fault_body, outcome.faults))
    return told
