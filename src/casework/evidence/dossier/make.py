"""Makes a case's dossier from the log: gathered in one snapshot, verified as its reader will, and put on record.

What it costs depends on the entries of the case, not on how many cases or entries there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now, utc_text
from casework.errors import CallerError
from casework.evidence.dossier.opened import openings_of
from casework.evidence.dossier.proofs import proofs_of
from casework.evidence.dossier.tables import case_head_tiles, case_heads
from casework.evidence.search.find import walk
from casework.evidence.search.wanted import TermsWanted
from casework.log.check.dossier import Shown, read_dossier
from casework.log.check.stated import HeldStatement, newest_statement
from casework.log.format.case_heads import read_records, tile_of_records
from casework.log.format.dossier import (
    MAX_BODIES_BYTES,
    MAX_ENTRIES,
    SCHEMA,
    Dossier,
    ProvenEntry,
    ProvenHead,
    Since,
    encode,
)
from casework.log.format.note import LogKey, to_base64
from casework.log.format.tiles import TILE_WIDTH, FromTiles, Tile
from casework.log.format.tree import Faulty, prove_inclusion
from casework.log.proving import consistency_of
from casework.log.tables import entries, leaves
from casework.log.write.grown import (
    Log,
    PublishedTree,
    begun_log,
    last_published,
)
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch

MADE: Final = "case.dossier_made"
_PLACES: Final = sa.select(leaves.c.entry, leaves.c.log, leaves.c.leaf_index)


@dataclass(frozen=True, slots=True)
class Made:
    """A dossier: its bytes, and what verifying them shows."""

    data: bytes
    shown: Shown


def make_dossier(
    conn: Connection, branch: Branch, case_id: int, keys: Sequence[LogKey], *, with_openings: bool = False,
    since: int | None = None, clock: Clock = now,
) -> Made:  # fmt: skip
    """The dossier of a case that is there, under the newest checkpoint and the newest statement that it covers.

    `conn` is one snapshot; `keys`: the log's verifier keys; `since`: the size of a checkpoint that the reader holds.
    CallerErrors log_not_begun, no_checkpoint, heads_not_stated, not_sealed_yet, case_not_in_heads, heads_not_kept,
    case_too_long, size_unknown, tree_damaged, dossier_unsound.
    """
    log = begun_log(conn)
    signed = _signed(conn, log)
    stated = newest_statement(conn, log, before_leaf=signed.size)
    if stated is None or stated.leaf_index is None:
        raise CallerError("heads_not_stated")
    found = _entries(conn, log, case_id, signed.size)
    acts = _list_acts(conn, log, case_id, signed.size, at_most=MAX_ENTRIES - len(found))
    indexes = [row.leaf_index for row in found]
    acted = [leaf_index for leaf_index, _ in acts]
    try:
        head = _head(conn, log, stated, case_id, sealed_before=indexes[0] < stated.statement.size)
        proofs = list(proofs_of(conn, log, signed.size, [*indexes, stated.leaf_index, *acted]))
    except ValueError as fault:  # of tiles, records, or places outside the tree
        raise _unsound([fault.code if isinstance(fault, Faulty) else "heads_damaged"]) from None
    proven = [ProvenEntry(row.leaf_index, _text(row.body), proof) for row, proof in zip(found, proofs, strict=False)]
    statement = ProvenEntry(stated.leaf_index, _text(stated.body), proofs[len(found)])
    of_lists = zip(acts, proofs[len(found) + 1 :], strict=True)
    split = sum(index < stated.statement.size for index in indexes)
    document = Dossier(
        schema=SCHEMA, case=case_id, origin=log.origin, checkpoint=_text(signed.note), entries=proven[:split],
        heads=ProvenHead(statement, *head), later=proven[split:],
        list_acts=[ProvenEntry(leaf_index, _text(body), proof) for (leaf_index, body), proof in of_lists],
        openings=openings_of(conn, branch, case_id, {row.stream_seq for row in found}) if with_openings else [],
        since=_since(conn, since, signed.size) if since is not None else None,
        made_at=utc_text(clock()),
    )  # fmt: skip
    data = encode(document)
    shown = read_dossier(data, keys)
    if shown.report.verdict != "sound":
        raise _unsound([one.code for one in (*shown.report.findings, *shown.report.doubts)])
    return Made(data, shown)


def record_made(conn: Connection, branch: Branch, actor: Actor, made: Made, *, clock: Clock = now) -> None:
    """Append `case.dossier_made` to `exports:<who>`: of which case, what it holds; commit it before handing it out."""
    shown, trail = made.shown, branch.trail(clock())
    data: dict[str, Any] = {
        "case": shown.case, "complete": len(shown.complete), "later": len(shown.later),
        "list_acts": len(shown.list_acts), "opened": len(shown.opened),
        "size": shown.checkpoint.size if shown.checkpoint else None,
        "day": shown.statement.day if shown.statement else None,
    }  # fmt: skip
    trail.append(conn, f"exports:{actor.id}", Draft(MADE, actor.signed, data))
    trail.write(conn)


def _since(conn: Connection, old: int, new: int) -> Since:
    return Since(old, [to_base64(found) for found in consistency_of(conn, old, new)])


def _signed(conn: Connection, log: Log) -> PublishedTree:
    found = last_published(conn, log)
    if found is None:
        raise CallerError("no_checkpoint")
    return found


def _entries(conn: Connection, log: Log, case_id: int, size: int) -> Sequence[Any]:
    """Number, body and leaf index of the case's entries that the checkpoint covers, in their order."""
    own = entries.c.stream == f"case:{case_id}"
    length = sa.func.coalesce(sa.func.sum(sa.func.length(entries.c.body)), 0)
    count, total = conn.execute(sa.select(sa.func.count(), length).where(own)).one()
    if count > MAX_ENTRIES or total > MAX_BODIES_BYTES:
        raise CallerError("case_too_long", entries=count, at_most=MAX_ENTRIES)
    # Outer, and the bound looked at here: the case's own entries come first, never the leaves of the whole log.
    sealed = sa.and_(leaves.c.log == log.number, leaves.c.entry == entries.c.id)
    columns = sa.select(entries.c.stream_seq, entries.c.body, leaves.c.leaf_index)
    read = conn.execute(columns.select_from(entries.outerjoin(leaves, sealed)).where(own).order_by("stream_seq"))
    found = [row for row in read if row.leaf_index is not None and row.leaf_index < size]
    if not found:
        raise CallerError("not_sealed_yet")
    return found


def _list_acts(conn: Connection, log: Log, case_id: int, size: int, *, at_most: int) -> list[tuple[int, bytes]]:
    """Leaf index and body of what was done with the case's tasks and is under the checkpoint, oldest first."""
    found = dict[int, bytes]()
    for page in walk(conn, TermsWanted(about=f"case:{case_id}", event="tasks.*")):
        found |= {row.id: row.body for row in page.rows}
        if len(found) > at_most:
            raise CallerError("case_too_long", entries=MAX_ENTRIES - at_most + len(found), at_most=MAX_ENTRIES)
    sealed = rows.select_by_keys(conn, _PLACES, "entry", sorted(found))
    return sorted(
        (row.leaf_index, found[row.entry]) for row in sealed if row.log == log.number and row.leaf_index < size
    )


# --- the head of the case among those of all cases


def _head(
    conn: Connection, log: Log, stated: HeldStatement, case_id: int, *, sealed_before: bool
) -> tuple[int, list[str]]:
    """The case's place in the statement's tree, and the proof from there; `sealed_before`: it must be in it."""
    at = (case_heads.c.log == log.number, case_heads.c.statement == stated.seq)
    row = conn.execute(
        sa.select(case_heads.c.number, case_heads.c.records)
        .where(*at, case_heads.c.first_case <= case_id)
        .order_by(case_heads.c.first_case.desc())
        .limit(1)
    ).one_or_none()
    heads = read_records(bytes(row.records)) if row is not None else []
    places = [place for place, head in enumerate(heads) if head.case == case_id]
    if row is None or not places:
        if conn.execute(sa.select(case_heads.c.number).where(*at).limit(1)).scalar() is None:
            raise CallerError("heads_not_kept", statement=stated.seq)
        if sealed_before:
            raise _unsound(["head_not_stated"])
        raise CallerError("case_not_in_heads", day=stated.statement.day)
    index = row.number * TILE_WIDTH + places[0]
    own = {Tile(0, row.number, len(heads)): tile_of_records(bytes(row.records))}
    hash_of = FromTiles(stated.statement.cases, lambda tile: own.get(tile) or _read_tile(conn, log, stated.seq, tile))
    return index, [to_base64(found) for found in prove_inclusion(index, stated.statement.cases, hash_of)]


def _read_tile(conn: Connection, log: Log, statement: int, tile: Tile) -> bytes:
    if tile.level == 0:
        own = case_heads.c
        wanted = sa.select(own.records).where(
            own.log == log.number, own.statement == statement, own.number == tile.number
        )
        return tile_of_records(bytes(conn.execute(wanted).scalar() or b""))
    above = case_head_tiles.c
    hashes = sa.select(above.hashes).where(
        above.log == log.number, above.statement == statement, above.level == tile.level, above.number == tile.number
    )
    return bytes(conn.execute(hashes).scalar() or b"")


def _text(data: bytes) -> str:
    return bytes(data).decode("utf-8", "replace")  # bytes that are no text fail the verification that follows


def _unsound(codes: list[str]) -> CallerError:
    return CallerError("dossier_unsound", findings=codes)
