"""`casework audit show|entry`: the history of a case or of any stream, and one entry."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.padding import Padding
from rich.text import Text

from casework.cli.log_report import brief
from casework.cli.shell import as_json, console, print_json, started
from casework.errors import CallerError
from casework.instants import branch_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.log.format.entry import Entry
    from casework.work.cases.branch import Branch


@click.command()
@click.argument("case_or_stream")
@as_json
def show(case_or_stream: str, json_: bool) -> None:
    """The history of a case (its number) or of any stream, oldest first.

    \b
    Examples:
      casework audit show 17
      casework audit show rulebook:published
      casework audit show case:17 --json
    """
    import msgspec
    import sqlalchemy as sa

    from casework.log.tables import entries
    from casework.storage.database import reading

    stream = f"case:{case_or_stream}" if case_or_stream.isdecimal() else case_or_stream
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        columns = entries.c["body", "leaf_hash", "mac"]
        wanted = sa.select(*columns).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
        found = conn.execute(wanted).all()
        if not found:
            raise CallerError("unknown_stream", stream=stream)
        if json_:
            print_json([msgspec.Raw(bytes(row.body)) for row in found])
            return
        _print_history(stream, found, branch.branch)


def _print_history(stream: str, found: Sequence[Any], branch: "Branch") -> None:
    """One line per entry and its data below: a table would leave no room for them on a narrow terminal."""
    from casework.log.format.chain import is_genuine
    from casework.log.format.entry import MalformedEntry, decode_strict

    states, zone = branch.rulebook.chart.states, branch.time_zone
    console.print(stream, style="bold", markup=False)
    for row in found:
        if not is_genuine(branch.mac_key, bytes(row.body), row.leaf_hash, row.mac):
            console.print("      FORGED 伪造: not written by this service", style="red", markup=False)
        try:
            entry = decode_strict(bytes(row.body))
        except MalformedEntry as fault:
            console.print(f"   ?  unreadable: {fault.code}", style="red", markup=False)
            continue
        told = (
            f"{entry.stream_seq:>4}", branch_text(datetime.fromisoformat(entry.recorded_at), zone), entry.event,
            _moved(entry, states), f"{entry.actor.id} ({entry.actor.via})", entry.reason_code or "",
        )  # fmt: skip
        console.print("  ".join(word for word in told if word), markup=False)
        console.print(Padding(Text(brief(_told_data(entry)), style="dim"), (0, 0, 0, 6)))


def _moved(entry: "Entry", states: Mapping[str, Any]) -> str:
    def label(name: str) -> str:
        return str(states[name].zh) if name in states else name

    if entry.to is None:
        return ""
    if entry.from_ in (None, entry.to):
        return label(entry.to)
    return f"{label(entry.from_ or '')} → {label(entry.to)}"


def _told_data(entry: "Entry") -> dict[str, Any]:
    """What a reader wants of `data`: the given values beside the rest, empty ones left out."""
    flat: dict[str, Any] = {}
    for key, value in entry.data.items():
        if key in ("given", "measure", "gathered"):
            flat |= value
        elif key == "reasons":
            flat["reasons"] = [reason.get("code") for reason in value]
        else:
            flat[key] = value
    flat |= dict.fromkeys(entry.personal, "(sealed)")
    return {key: value for key, value in flat.items() if value not in (None, [], {})}


@click.command(name="entry")
@click.argument("entry_id")
@as_json
def show_entry(entry_id: str, json_: bool) -> None:
    """One entry: its body, and whether its bytes, hash, MAC and link hold.

    \b
    Examples:
      casework audit entry case:17:3
      casework audit entry case:17:3 --json
    """
    import msgspec

    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        row, before = _row_of(conn, entry_id)
        answer = _checked(row, before, branch.branch.mac_key)
        answer["texts"] = _texts_cited(conn, answer["body"])
        if json_:
            print_json(answer)
            return
        console.print_json(msgspec.json.encode(answer).decode())


def _row_of(conn: "Connection", entry_id: str) -> tuple[Any, Any]:
    """The entry's row and the leaf hash of the one before it."""
    import sqlalchemy as sa

    from casework.log.tables import entries

    stream, _, seq = entry_id.rpartition(":")
    if not stream or not seq.isascii() or not seq.isdecimal() or len(seq) > 16:
        raise CallerError("malformed_entry_id")
    at = entries.c.stream_seq
    found = conn.execute(
        sa.select(entries).where(entries.c.stream == stream, at.in_([int(seq) - 1, int(seq)])).order_by(at)
    ).all()
    if not found or found[-1].stream_seq != int(seq):
        raise CallerError("unknown_entry", f"没有分录 {entry_id}", f"there is no entry {entry_id}", entry_id=entry_id)
    return found[-1], bytes(found[0].leaf_hash) if len(found) == 2 else None


def _checked(row: Any, before: bytes | None, mac_key: bytes) -> dict[str, Any]:
    import msgspec

    from casework.log.format.chain import leaf_hash, mac_matches
    from casework.log.format.entry import MalformedEntry, decode_strict

    body, leaf, tag = bytes(row.body), bytes(row.leaf_hash), bytes(row.mac)
    try:
        entry: Entry | None = decode_strict(body)
    except MalformedEntry:
        entry = None
    return {
        "body": msgspec.json.decode(body) if entry else None,
        "leaf_hash": leaf.hex(),
        "canonical": entry is not None,
        "hash_holds": leaf_hash(body) == leaf,
        "mac_holds": len(leaf) == 32 and mac_matches(mac_key, leaf, tag),
        "link_holds": entry is not None and entry.prev == (before.hex() if before else None),
    }


def _texts_cited(conn: "Connection", body: Any) -> dict[str, bool]:
    """The chart and policy the entry cites, and whether their texts are held."""
    import sqlalchemy as sa

    from casework.log.tables import texts

    cited = [body[kind] for kind in ("chart", "policy") if body and body[kind]]
    digests = [reference.partition("#")[2] for reference in cited]
    held = set(conn.execute(sa.select(texts.c.digest).where(texts.c.digest.in_(digests))).scalars())
    return {reference: digest in held for reference, digest in zip(cited, digests, strict=True)}


COMMANDS = (show, show_entry)
