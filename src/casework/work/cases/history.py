"""The history of a case: the entries of its stream, with the committed texts for those who may read them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.log.format.chain import is_genuine
from casework.log.tables import entries, openings
from casework.log.write.trail import read_openings
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Permissions, View
from casework.personal import kind_of, mask
from casework.work.cases import fold
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.erased import ErasedOf
from casework.work.cases.event_names import label_of
from casework.work.cases.filter import MAX_ID, filter_malformed

MAX_PAGE = 200

# The fields of permissions.toml that the texts of entries belong to, by the kind of personal data.
FIELD_OF = {"name": "name", "id_number": "id_number", "phone": "phone", "address": "address", "text": "note"}


class HistoryItem(msgspec.Struct):
    """One entry: who did what, when, from which state to which, and what it carried.

    `data` is the entry's own. `committed` names the texts that exist; `texts` holds those that permissions.toml shows
    to the reader, whole or masked as it says. `erased_on`: the day on which they were erased. An entry without
    `mac_holds` is none that this service wrote so.
    """

    entry_id: str
    seq: int
    event: str
    zh: str
    en: str
    actor: str
    via: str
    recorded_at: datetime
    from_state: str | None
    to_state: str | None
    reason_code: str | None
    rules: list[str]
    data: Mapping[str, Any]
    committed: list[str]
    texts: dict[str, str]
    mac_holds: bool
    erased_on: date | None = None


class HistoryPage(msgspec.Struct):
    """One page in the order asked for; `next` is the `after` of the page that follows, none at the end."""

    items: list[HistoryItem]
    next: int | None


class NoteItem(msgspec.Struct):
    """One note: `text` is none for readers without the permission, and where it was erased on `erased_on`."""

    entry_id: str
    seq: int
    actor: str
    recorded_at: datetime
    text: str | None
    erased_on: date | None = None


class NotePage(msgspec.Struct):
    """Notes, newest first; `next` as in `HistoryPage`."""

    items: list[NoteItem]
    next: int | None


def shown_as(permissions: Permissions, actor: Actor, name: str) -> View | None:
    """How the actor is shown the text `name` of an entry."""
    return permissions.view(actor, FIELD_OF[kind_of(name)])


def history_of_case(
    conn: Connection,
    branch: Branch,
    case: Case,
    actor: Actor,
    *,
    after: int | None = None,
    limit: int = 50,
    newest_first: bool = False,
) -> HistoryPage:
    """At most `limit` (1 to 200) entries after (newest first: before) number `after` of the case's stream."""
    return history_of(
        conn, branch, f"case:{case.id}", case.customer, actor, after=after, limit=limit, newest_first=newest_first
    )


def history_of(
    conn: Connection, branch: Branch, stream: str, customer: Customer, actor: Actor, *,
    of: tuple[str, int] | None = None, after: int | None = None, limit: int = 50, newest_first: bool = False,
) -> HistoryPage:  # fmt: skip
    """The entries of a stream; `of`: only those of a noun with that word and number, which lives in it."""
    conditions = [] if of is None else [entries.c.event.startswith(f"{of[0]}.", autoescape=True)]
    found: list[tuple[sa.Row[Any], Any]] = []
    while len(found) <= limit:
        read = _entries(conn, stream, conditions, after=after, limit=limit, newest_first=newest_first)
        bodies = [(row, msgspec.json.decode(row.body)) for row in read]
        found += [(row, body) for row, body in bodies if of is None or body["data"].get(of[0]) == of[1]]
        if len(read) <= limit:
            break
        after = read[-1].stream_seq
    shown = found[:limit]
    opened = read_openings(conn, branch.vault, stream, [row.stream_seq for row, body in shown if body["personal"]])
    erased = ErasedOf(conn, branch, customer)
    items = [_item(branch, row, body, opened, actor, erased) for row, body in shown]
    return HistoryPage(items, items[-1].seq if len(found) > limit else None)


def notes_of_case(
    conn: Connection,
    branch: Branch,
    case: Case,
    actor: Actor,
    *,
    before: int | None = None,
    limit: int = 50,
) -> NotePage:
    """The case's notes before number `before`, newest first, at most `limit` (1 to 200)."""
    stream = f"case:{case.id}"
    # Through the openings: a case may have hundreds of entries and two notes.
    noted = sa.select(openings.c.stream_seq).where(openings.c.stream == stream, openings.c.field == "note")
    erased = ErasedOf(conn, branch, case.customer)
    conditions = [entries.c.event == fold.SAYS.noted]
    if not erased.ever:
        conditions.append(entries.c.stream_seq.in_(noted))
    found = _entries(conn, stream, conditions, after=before, limit=limit, newest_first=True)
    shown = found[:limit]
    opened = read_openings(conn, branch.vault, stream, [row.stream_seq for row in shown])
    in_clear = shown_as(branch.rulebook.permissions, actor, "note") == "clear"
    items = [
        NoteItem(f"{stream}:{row.stream_seq}", row.stream_seq, row.actor_id, row.recorded_at,
                 opened.get((row.stream_seq, "note")) if in_clear else None,
                 None if (row.stream_seq, "note") in opened else erased.on(row.recorded_at))
        for row in shown
    ]  # fmt: skip
    return NotePage(items, items[-1].seq if len(found) > limit else None)


def _entries(
    conn: Connection,
    stream: str,
    conditions: list[sa.ColumnElement[bool]],
    *,
    after: int | None,
    limit: int,
    newest_first: bool,
) -> list[sa.Row[Any]]:
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    seq = entries.c.stream_seq
    if after is not None:
        if not 0 <= after <= MAX_ID:
            raise filter_malformed("after", "the number of an entry")
        conditions = [*conditions, seq < after if newest_first else seq > after]
    statement = (
        sa.select(seq, *entries.c["actor_id", "recorded_at", "body", "leaf_hash", "mac"])
        .where(entries.c.stream == stream, *conditions)
        .order_by(seq.desc() if newest_first else seq)
        .limit(limit + 1)
    )
    return list(conn.execute(statement))


def _item(
    branch: Branch,
    row: sa.Row[Any],
    body: Mapping[str, Any],
    opened: Mapping[tuple[int, str], str],
    actor: Actor,
    erased: ErasedOf,
) -> HistoryItem:
    seq = row.stream_seq
    texts = {}
    for name in body["personal"]:
        if (seq, name) in opened:
            view = shown_as(branch.rulebook.permissions, actor, name)
            if view is not None:
                texts[name] = opened[seq, name] if view == "clear" else mask(name, opened[seq, name])
    zh, en = label_of(branch.rulebook, body["event"])
    return HistoryItem(
        body["entry_id"], seq, body["event"], zh, en, body["actor"]["id"], body["actor"]["via"],
        row.recorded_at, body["from"], body["to"], body["reason_code"], body["rules"], body["data"],
        sorted(body["personal"]), texts, is_genuine(branch.mac_key, row.body, row.leaf_hash, row.mac),
        None if all((seq, name) in opened for name in body["personal"]) else erased.on(row.recorded_at),
    )  # fmt: skip
