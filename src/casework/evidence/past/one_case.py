"""One case at past instants: reads its stream as far as it was written by then, and what was known beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.evidence.past.case_then import (
    Between,
    CaseDifference,
    CaseThen,
    changes_between,
)
from casework.evidence.past.chained import (
    COLUMNS,
    Chain,
    SaidThen,
    data_of,
)
from casework.evidence.past.folding import CaseFold
from casework.evidence.past.instant import Instant, in_order
from casework.evidence.past.surroundings import Surroundings, surroundings
from casework.evidence.past.texts import TextsThen
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.event_names import label_of
from casework.work.cases.filter import MAX_ID, filter_malformed
from casework.work.cases.history import MAX_PAGE


@dataclass(frozen=True, slots=True)
class At:
    """A case at one instant: its row as it was then, the last entry of its own, and the business date by then."""

    case: Case
    own: SaidThen
    of_entry: date


@dataclass(frozen=True, slots=True)
class Followed:
    """A case at each instant asked for (none before its opening), and what happened between the first and the last."""

    at: list[At | None]
    between: list[SaidThen]
    in_all: int


def case_as_of(conn: Connection, branch: Branch, case_id: int, instant: Instant) -> CaseThen:
    """The case at `instant`. CallerErrors `unknown_case`, `case_not_opened_then`, `log_broken`.

    Reads the entries of its stream up to the instant and the one after it; never its row. `conn` is one snapshot.
    """
    texts = TextsThen(conn, branch)
    (at,) = follow(conn, branch, texts, case_id, [instant]).at
    if at is None:
        raise _not_opened(case_id, instant)
    (world,) = surroundings(conn, branch, texts, [instant], at.case.institution)
    return _then(at, world, texts)


def case_difference(
    conn: Connection, branch: Branch, case_id: int, start: Instant, end: Instant, *, after: int | None = None,
    limit: int = 50,
) -> CaseDifference:  # fmt: skip
    """The case at both instants, what changed, and who did what between: at most `limit` (1 to 200) entries.

    `after`: only entries with larger numbers. CallerErrors as of `case_as_of`, and `instants_reversed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    if after is not None and not 0 <= after <= MAX_ID:
        raise filter_malformed("after", "the number of an entry")
    in_order(start, end)
    texts = TextsThen(conn, branch)
    followed = follow(conn, branch, texts, case_id, [start, end], after=after or 0, keep=limit + 1)
    before, at = followed.at
    if at is None:
        raise _not_opened(case_id, end)
    worlds = surroundings(conn, branch, texts, [start, end], at.case.institution)
    shown = followed.between[:limit]
    return CaseDifference(
        case_id, start, end,
        _then(before, worlds[0], texts) if before else None, _then(at, worlds[1], texts),
        changes_between(before.case if before else None, at.case),
        followed.in_all, [_between(branch, said) for said in shown],
        shown[-1].stream_seq if len(followed.between) > limit else None,
    )  # fmt: skip


def follow(
    conn: Connection, branch: Branch, texts: TextsThen, case_id: int, instants: Sequence[Instant], *, after: int = 0,
    keep: int = 0,
) -> Followed:  # fmt: skip
    """The case at `instants`, which are in order of time; `keep` entries between them with numbers above `after`.

    Reads its stream as far as the last instant and one entry more: what is missing at the end by then shows there.
    CallerErrors `unknown_case`, `log_broken`.
    """
    chain = Chain(f"case:{case_id}", branch.mac_key)
    folded = CaseFold(texts.cited)
    waiting = [utc_text(instant.at) for instant in instants]
    found: list[At | None] = []
    between: list[SaidThen] = []
    in_all = 0
    for row in _rows_of(conn, chain.stream):
        said = chain.read(row)
        while len(found) < len(waiting) and said.recorded_at > waiting[len(found)]:
            found.append(_at(folded))
        if len(found) == len(waiting):
            break
        folded.take(said, chain.leaf)
        if found:
            in_all += 1
            if said.stream_seq > after and len(between) < keep:
                between.append(said)
    if not chain.seq:
        raise CallerError("unknown_case", f"没有编号为{case_id}的案件", f"there is no case {case_id}", case_id=case_id)
    found += [_at(folded) for _ in waiting[len(found) :]]
    return Followed(found, between, in_all)


def _rows_of(conn: Connection, stream: str) -> Iterator[Any]:
    """The rows of one stream in its order, by its unique index, a few hundred at a time."""
    wanted = as_stored(entries, COLUMNS, conn.dialect.name).where(entries.c.stream == stream)
    with conn.execute(wanted.order_by(entries.c.stream_seq), execution_options={"yield_per": 500}) as found:
        yield from found


def _at(folded: CaseFold) -> At | None:
    row = folded.row()
    return None if row is None or folded.own is None else At(row, folded.own, folded.business_date())


def _then(at: At, world: Surroundings, texts: TextsThen) -> CaseThen:
    case = at.case
    chart, cited = texts.cited(at.own)
    on, source = world.business_date(case.institution, at.of_entry)
    policy = world.policy(on, lambda: cited)
    past_due = case.days_past_due(on)
    state = chart.state_named(case.state)
    beside: dict[str, Any] = {
        "instant": world.instant, "business_date": on, "business_date_from": source, "policy": policy.ref,
        "days_past_due": past_due, "bucket_recorded": case.bucket, "bucket_computed": policy.bucket(past_due),
        "last_entry_id": f"{case.stream}:{case.audit_seq}",
        "state_zh": state.told(case.ended_as, "zh"), "state_en": state.told(case.ended_as, "en"),
        "audit_head": case.audit_head.hex(),
    }  # fmt: skip
    values = {name: beside[name] if name in beside else getattr(case, name) for name in CaseThen.__struct_fields__}
    return CaseThen(**values)


def _between(branch: Branch, said: SaidThen) -> Between:
    zh, en = label_of(branch.rulebook, said.event)
    return Between(
        f"{said.stream}:{said.stream_seq}", said.stream_seq, said.event, zh, en, said.actor.id, said.actor.via,
        data_of(said).get("acting_for"), datetime.fromisoformat(said.recorded_at), said.from_, said.to,
        said.reason_code, said.rules,
    )  # fmt: skip


def _not_opened(case_id: int, instant: Instant) -> CallerError:
    return CallerError("case_not_opened_then", case_id=case_id, at=instant.branch_time)
