"""What the files must hold, counted in the log by SQL: nothing here shares code with what writes them."""

import sqlite3
from collections.abc import Mapping
from typing import Any

_EVENTS = """
CREATE TEMP VIEW e AS SELECT stream || ':' || stream_seq AS id, stream, event, recorded_at AS at,
  substr(stream, 1, instr(stream, ':') - 1) AS prefix, json(CAST(body AS TEXT)) AS b,
  event LIKE 'case.refused%' OR event LIKE 'request.refused.%' AS refused
FROM entries WHERE prefix IN ('case', 'request', 'handover', 'staff', 'borrower', 'openings')
"""
_STAFF = "'staff:' || json_extract(b, '$.{path}'), '{qualifier}' FROM e WHERE json_extract(b, '$.{path}') IS NOT NULL"
_OTHER = "json_extract(b, '$.data.handler') <> json_extract(b, '$.data.owner')"
_BEFORE = "json_extract(b, '$.data.from_handler') <> json_extract(b, '$.data.from_owner')"
_RELATIONS = [
    "stream, 'subject' FROM e WHERE prefix <> 'openings'",
    "'staff:' || json_extract(b, '$.actor.id'), 'actor' FROM e WHERE json_extract(b, '$.actor.kind') = 'staff'",
    _STAFF.format(path="data.acting_for", qualifier="principal"),
    f"{_STAFF.format(path='data.owner', qualifier='owner_after')} AND NOT refused",
    f"{_STAFF.format(path='data.from_owner', qualifier='owner_before')} AND NOT refused",
    f"{_STAFF.format(path='data.handler', qualifier='handler_after')} AND NOT refused AND {_OTHER}",
    f"{_STAFF.format(path='data.from_handler', qualifier='handler_before')} AND NOT refused AND {_BEFORE}",
    f"{_STAFF.format(path='data.staff_no', qualifier='leaver')} AND prefix = 'handover'",
    (
        "'staff:' || json_extract(r.value, '$.receiver'), 'receiver' FROM e, json_each(b, '$.data.receivers') r"
        " WHERE prefix = 'handover'"
    ),
    _STAFF.format(path="data.four_eyes.asked_by", qualifier="asked_by"),
    _STAFF.format(path="data.four_eyes.reviewed_by", qualifier="reviewed_by"),
    "'request:' || json_extract(b, '$.data.request'), 'request' FROM e WHERE json_extract(b, '$.data.request') > 0",
    (
        "'request:' || json_extract(b, '$.data.four_eyes.request'), 'request' FROM e"
        " WHERE json_extract(b, '$.data.four_eyes.request') > 0"
    ),
    "'handover:' || json_extract(b, '$.data.handover'), 'handover' FROM e WHERE json_extract(b, '$.data.handover') > 0",
    "json_extract(b, '$.data.given.agency'), 'agency' FROM e WHERE json_extract(b, '$.data.given.agency') IS NOT NULL",
    "'loan:' || json_extract(b, '$.data.loan_id'), 'loan' FROM e WHERE json_extract(b, '$.data.loan_id') IS NOT NULL",
    (
        "'borrower:' || json_extract(b, '$.data.institution') || '~' || json_extract(b, '$.data.borrower_id'),"
        " 'borrower' FROM e WHERE json_extract(b, '$.data.borrower_id') IS NOT NULL"
    ),
    (
        "json_extract(b, '$.data.subject'), 'about' FROM e WHERE prefix = 'request'"
        " AND json_extract(b, '$.data.subject') IS NOT NULL"
    ),
]


def expected(raw: sqlite3.Connection) -> dict[str, Any]:
    """Of the branch in `raw`, its whole log."""
    raw.execute(_EVENTS)
    raw.execute("CREATE TEMP TABLE r (event, object, qualifier, UNIQUE (event, object, qualifier))")
    for relation in _RELATIONS:
        raw.execute(f"INSERT OR IGNORE INTO r SELECT e.id, {relation}")
    kind = "substr(object, 1, instr(object, ':') - 1)"
    overdue = " + ".join(f"json_extract(b, '$.data.measure.overdue_{one}_fen')" for one in _PARTS)
    case = "FROM e WHERE prefix = 'case'"
    (first, last, traces, fen) = raw.execute(
        f"SELECT min(at), max(at), count(DISTINCT stream), sum({overdue}) {case}"
    ).fetchone()
    xes = {
        "traces": traces, "events_per_case": _counts(raw, f"substr(stream, 6), count(*) {case}"),
        "events": _counts(raw, f"event, count(*) {case}"),
        "resources": _counts(raw, f"json_extract(b, '$.actor.id'), count(*) {case}"),
        "first": first, "last": last, "overdue_fen": fen,
    }  # fmt: skip
    (pairs,) = raw.execute("SELECT count(*) FROM (SELECT DISTINCT event, object FROM r)").fetchone()
    ocel = {
        "events": _counts(raw, "event, count(*) FROM e"),
        "objects": _counts(raw, f"{kind}, count(DISTINCT object) FROM r"),
        "qualifiers": _counts(raw, "qualifier, count(*) FROM r"), "pairs": pairs,
        "links": _links(raw),
        "states": _one(raw, "SELECT count(DISTINCT stream || at) FROM e WHERE prefix = 'case'"
                            " AND json_extract(b, '$.from') <> json_extract(b, '$.to')"),
    }  # fmt: skip
    return {"xes": xes, "ocel": ocel}


_PARTS = ("principal", "interest", "penalty")


def _links(raw: sqlite3.Connection) -> Mapping[str, int]:
    opened = "FROM e WHERE event = 'case.opened'"
    loan, borrower = (f"json_extract(b, '$.data.{name}_id')" for name in ("loan", "borrower"))
    loans = _one(raw, f"SELECT count(*) {opened}")
    owned = _one(raw, f"SELECT count(DISTINCT {loan} || ' ' || {borrower}) {opened}")
    about = _one(raw, "SELECT count(*) FROM e WHERE event = 'request.opened'")
    return {"about": about, "borrower": loans + owned, "loan": loans}


def _one(raw: sqlite3.Connection, sql: str) -> int:
    (found,) = raw.execute(sql).fetchone()
    return int(found)


def _counts(raw: sqlite3.Connection, what: str) -> dict[str, int]:
    return {str(value): number for value, number in sorted(raw.execute(f"SELECT {what} GROUP BY 1"))}
