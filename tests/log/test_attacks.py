"""The attacks of docs/evidence.md on the live database, one row each: what the operator does, and what tells on him.

One sealed log of cases, requests and people, and the books of a feed, per database. Each attack is made through SQL
with the owner's rights and the guards down, as somebody would who has read the code, and is rolled back; it must change
something, and the findings must be exactly those named, the exit code and the signer's refusal too. Where an attack
reaches files as well (keys, the signer's memory), it says what is left outside.

Not here, because they are not made on a live database: 7 (a clock of others), 17 (two logs shown), and what of 11, 18
and 20 needs receipts, erasures and bundles. The same attacks before sealing are in `test_verify`, on plain streams in
`test_sealed`; what the signer does of them is in `test_signer`, refused proofs and notes in `test_tree`, `test_proof`
and `test_note`.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.intake.feed.load import ImportRequest, import_feed
from casework.intake.feed.row_mac import COVERED, row_mac
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    feed_runs,
    loans,
    repayments,
    snapshots,
)
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Note
from casework.lifecycle.tables import institutions
from casework.log.check.finding_texts import TEXTS
from casework.log.check.findings import EXIT_CODES, Report
from casework.log.check.handed import Handed
from casework.log.check.sealed import BroughtAlong
from casework.log.format import note
from casework.log.format.chain import leaf_hash, mac, seal_entry
from casework.log.format.checkpoint import Checkpoint, Cosigner
from casework.log.format.entry import Entry, decode_strict, encode
from casework.log.format.tree import Range, node_hash, root_of
from casework.log.tables import (
    checkpoints,
    cosignatures,
    entries,
    leaves,
    logs,
    openings,
    streams,
    texts,
    tiles,
    unsealed,
)
from casework.log.write import signer
from casework.log.write.grown import (
    TILE_COLUMNS,
    Growing,
    Log,
    present_log,
    size_of,
)
from casework.log.write.seal import Sealer
from casework.people.staff.actor import system
from casework.storage.database import metadata, reading, writing
from casework.work.cases.commands import Command
from casework.work.cases.tables import cases, idempotency
from tests.feed.bank import contact, loan, paid, write
from tests.log.built_log import (
    PHONE,
    TODAY,
    BuiltLog,
    built_log,
    change_entry,
    clock,
    entry_at,
    guards_down,
    visit_ordered,
)  # fmt: skip
from tests.postgres_server import Server

STREAM = "case:2"  # opened, six calls, a refusal, a note: all sealed
UNSEALED = "case:22"  # its two last entries, both notes, are not
OTHER_KEY = b"\x09" * 32
WITNESS = Cosigner("witness.example", b"\x05" * 32)


@dataclass
class SealedLog:
    """A log of two checkpoints with a little that is not sealed yet; `before` is every table as of the first."""

    built: BuiltLog
    first: Checkpoint
    last: Checkpoint
    before: dict[sa.Table, Sequence[Any]]
    keys: signer.SigningKeys
    content: str

    @property
    def mac_key(self) -> bytes:
        """The service's own."""
        return self.built.branch.mac_key

    def outside(self, **other: Any) -> BroughtAlong:
        """What nobody has touched: the public keys, and what the signer remembers."""
        known = {"keys": signer.known_keys(self.built.settings.keys_dir), "remembered": self.last}
        return BroughtAlong(**{**known, **other})

    def verify(self, conn: Connection, outside: BroughtAlong | None) -> Report:
        """The whole verification, as the command does it."""
        return verify(conn, self.mac_key, self.built.branch.vault, outside=outside or self.outside())


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[SealedLog]:  # fmt: skip
    """Built once for the whole file."""
    folder = tmp_path_factory.mktemp("attacks")
    with built_log(request.param, folder, migrated_sqlite, postgres_servers) as built:
        keys_dir = built.settings.keys_dir
        signer.make_keys_once(keys_dir, "log.example/attacked")

        def seal() -> Checkpoint:
            done = Sealer(built.engine, built.branch.mac_key, built.branch.vault, keys_dir, clock=clock).round()
            assert (done.left, done.refused) == ([], None)
            assert done.checkpoint is not None
            return done.checkpoint

        def work(*commands: Command) -> None:
            with writing(built.engine) as conn:
                advance(conn, list(commands), built.branch, clock=clock)

        fed(built, folder / "feed")
        first = seal()
        with reading(built.engine) as conn:
            before = {table: conn.execute(sa.select(table)).all() for table in metadata.sorted_tables}
        work(visit_ordered(12), visit_ordered(17), visit_ordered(27))
        last = seal()
        case_id = int(UNSEALED.partition(":")[2])
        work(*(Note(actor=PHONE, id=case_id, text="客户称下周还款") for _ in range(2)))
        with reading(built.engine) as conn:
            whole = content(conn)
        yield SealedLog(built, first, last, before, signer.read_keys(keys_dir), whole)


def fed(built: BuiltLog, folder: Path) -> None:
    """A feed of another institution, at the hour of the rest of the log: two customers, nobody in arrears."""
    people = [loan(number, owner_staff_no="", team="", region="") for number in (1, 2)]
    ways = [contact(number) for number in (1, 2)]
    money = [paid(f"P{number}", number, TODAY) for number in (1, 2)]
    write(folder, TODAY, institution="yichang", overdue=[], loans=people, contacts=ways, repayments=money)
    import_feed(built.engine, built.branch, folder, ImportRequest(system("cli"), clock=clock))


# --- the operator's tools: each makes a part of the database agree with what he has done to another


def present(conn: Connection) -> Log:
    """The log that is attacked."""
    found = present_log(conn)
    assert found is not None
    return found


def rewrite(conn: Connection, log: SealedLog, stream: str, seq: int, change: Callable[[Entry], Entry]) -> None:
    """Change an entry, link everything behind it anew, with hashes and MACs; set the case's head."""
    at = (entries.c.stream == stream) & (entries.c.stream_seq >= seq)
    prev, head = None, {}
    for row in conn.execute(sa.select(entries).where(at).order_by(entries.c.stream_seq)).all():
        entry = decode_strict(bytes(row.body))
        entry = change(entry) if prev is None else msgspec.structs.replace(entry, prev=prev)
        sealed = seal_entry(entry, log.mac_key)
        prev = sealed.leaf_hash.hex()
        change_entry(conn, stream, row.stream_seq, recorded_at=_instant(entry), **sealed._asdict())
        head = {"audit_head": sealed.leaf_hash, "last_entry_at": _instant(entry)}
    assert prev is not None
    case_id = int(stream.partition(":")[2])
    assert conn.execute(cases.update().where(cases.c.id == case_id).values(head)).rowcount == 1


def _instant(entry: Entry) -> Any:
    return msgspec.convert(entry.recorded_at, type=datetime)


def reseal(conn: Connection) -> list[bytes]:
    """Leaves and tiles made anew from the entries that the leaves name; the leaf hashes."""
    log = present(conn)
    columns = (leaves.c.leaf_index, leaves.c.leaf_hash, entries.c.leaf_hash)
    joined = sa.select(*columns).join(entries, leaves.c.entry == entries.c.id).order_by(leaves.c.leaf_index)
    hashes = []
    for index, old, new in conn.execute(joined.where(leaves.c.log == log.number)).all():
        hashes.append(bytes(new))
        if bytes(old) != hashes[-1]:
            conn.execute(leaves.update().where(leaves.c.leaf_index == index).values(leaf_hash=new))
    conn.execute(tiles.delete())
    made = Growing(log, Range()).add(hashes)
    conn.execute(tiles.insert(), [dict(zip(TILE_COLUMNS, row, strict=True)) for row in made])
    return hashes


def resign(conn: Connection, key: note.LogSigner, hashes: list[bytes]) -> Checkpoint:
    """Every checkpoint signed anew over the present tree; the newest."""
    newest = None
    for size in conn.execute(sa.select(checkpoints.c.size).order_by(checkpoints.c.size)).scalars().all():
        newest = Checkpoint(present(conn).origin, size, root_of(hashes[:size]))
        values = {"root": newest.root, "note": newest.signed(key)}
        conn.execute(checkpoints.update().where(checkpoints.c.size == size).values(values))
    assert newest is not None
    return newest


def renote(conn: Connection, log: SealedLog, change: Callable[[bytes], bytes]) -> None:
    """The newest checkpoint's bytes exchanged."""
    at = checkpoints.c.size == log.last.size
    data = bytes(conn.execute(sa.select(checkpoints.c.note).where(at)).scalar_one())
    conn.execute(checkpoints.update().where(at).values(note=change(data)))


def gone(conn: Connection, stream: str, seq: int) -> int:
    """An entry deleted with its openings and its place in the queue; its row."""
    row = int(entry_at(conn, stream, seq).id)
    at = (openings.c.stream == stream) & (openings.c.stream_seq == seq)
    conn.execute(openings.delete().where(at))
    conn.execute(unsealed.delete().where(unsealed.c.entry == row))
    conn.execute(entries.delete().where(entries.c.id == row))
    return row


def restored(conn: Connection, log: SealedLog) -> None:
    """Every table as it was at the first checkpoint: an old backup."""
    for table in reversed(log.before):
        conn.execute(table.delete())
    for table, rows in log.before.items():
        if rows:
            names = [column.name for column in table.columns if column.computed is None]
            conn.execute(table.insert(), [{name: row._mapping[name] for name in names} for row in rows])


def data_with(**values: Any) -> Callable[[Entry], Entry]:
    """The entry with other data."""
    return lambda entry: msgspec.structs.replace(entry, data={**entry.data, **values})


def leaf_index_of(conn: Connection, stream: str, seq: int) -> int:
    """Where an entry is in the tree."""
    row = entry_at(conn, stream, seq).id
    return int(conn.execute(sa.select(leaves.c.leaf_index).where(leaves.c.entry == row)).scalar_one())


# --- the attacks


Attack = Callable[[Connection, SealedLog], BroughtAlong | None]
"""Returns what is outside afterwards, where it is not what was there before."""


def one_byte(conn: Connection, log: SealedLog) -> None:
    body = bytes(entry_at(conn, STREAM, 3).body)
    change_entry(conn, STREAM, 3, body=body.replace(b'"rec:1"', b'"rec:2"'))


def respaced(conn: Connection, log: SealedLog) -> None:
    body = bytes(entry_at(conn, STREAM, 3).body)
    change_entry(conn, STREAM, 3, body=body.replace(b'","', b'", "', 1))


def respaced_with_the_key(conn: Connection, log: SealedLog) -> None:
    """The same JSON to every reader, its hash and MAC right."""
    body = bytes(entry_at(conn, STREAM, 3).body).replace(b'","', b'", "', 1)
    leaf = leaf_hash(body)
    change_entry(conn, STREAM, 3, body=body, leaf_hash=leaf, mac=mac(log.mac_key, leaf))


def sealed_entry_deleted(conn: Connection, log: SealedLog) -> None:
    gone(conn, STREAM, 3)


def sealed_entry_deleted_with_its_leaf(conn: Connection, log: SealedLog) -> None:
    row = gone(conn, STREAM, 3)
    conn.execute(leaves.delete().where(leaves.c.entry == row))


def sealed_entry_deleted_and_all_made_to_agree(conn: Connection, log: SealedLog) -> None:
    """The leaf behind it takes its place, and so on; the stream is renumbered and linked anew."""
    index = leaf_index_of(conn, STREAM, 3)
    row = gone(conn, STREAM, 3)
    conn.execute(leaves.delete().where(leaves.c.entry == row))
    behind = sa.select(leaves.c.leaf_index).where(leaves.c.leaf_index > index).order_by(leaves.c.leaf_index)
    for number in conn.execute(behind).scalars().all():
        conn.execute(leaves.update().where(leaves.c.leaf_index == number).values(leaf_index=number - 1))
    reseal(conn)


def swapped_within_a_stream(conn: Connection, log: SealedLog) -> None:
    """Two calls change places, each in the other's row and under its number."""
    two = [entry_at(conn, STREAM, seq) for seq in (3, 4)]
    for one, other in (two, two[::-1]):
        change_entry(conn, STREAM, one.stream_seq, body=other.body, leaf_hash=other.leaf_hash, mac=other.mac)


def swapped_across_streams(conn: Connection, log: SealedLog) -> None:
    """Two leaves of different cases change places; tiles made anew."""
    places = {stream: leaf_index_of(conn, stream, 2) for stream in (STREAM, "case:7")}
    rows = {stream: entry_at(conn, stream, 2).id for stream in places}
    conn.execute(leaves.delete().where(leaves.c.leaf_index.in_(places.values())))
    for stream, other in zip(places, reversed(places), strict=True):
        values = {"log": present(conn).number, "leaf_index": places[stream], "entry": rows[other], "leaf_hash": b"?"}
        conn.execute(leaves.insert().values(values))
    reseal(conn)


def tail_cut(conn: Connection, log: SealedLog) -> BroughtAlong:
    """Everything since the first checkpoint, heads and rows set back, and the signer's memory with them."""
    restored(conn, log)
    return log.outside(remembered=log.first, trusted=log.last)


def leaves_cut(conn: Connection, log: SealedLog) -> None:
    """Only the tree's end: its entries are queued again, as if they had never been sealed."""
    at = leaves.c.leaf_index >= log.first.size
    rows = conn.execute(sa.select(leaves.c.entry).where(at)).scalars().all()
    conn.execute(leaves.delete().where(at))
    conn.execute(unsealed.insert(), [{"entry": row} for row in rows])
    conn.execute(checkpoints.delete().where(checkpoints.c.size > log.first.size))


def rewritten(conn: Connection, log: SealedLog) -> None:
    rewrite(conn, log, STREAM, 3, data_with(evidence="rec:9"))


def rewritten_and_resealed(conn: Connection, log: SealedLog) -> None:
    rewritten(conn, log)
    reseal(conn)


def rewritten_and_signed(conn: Connection, log: SealedLog) -> None:
    rewritten(conn, log)
    resign(conn, log.keys.present, reseal(conn))


def rewritten_signed_and_remembered(conn: Connection, log: SealedLog) -> BroughtAlong:
    """Database, every key and the signer's memory: only what somebody else holds is left."""
    rewritten(conn, log)
    return log.outside(remembered=resign(conn, log.keys.present, reseal(conn)), trusted=log.first)


def back_dated_unsealed(conn: Connection, log: SealedLog) -> None:
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 22)).scalar_one()
    rewrite(conn, log, UNSEALED, last, _in_2025)


def back_dated_and_signed(conn: Connection, log: SealedLog) -> None:
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one()
    rewrite(conn, log, STREAM, last, _in_2025)
    resign(conn, log.keys.present, reseal(conn))


def _in_2025(entry: Entry) -> Entry:
    early = "2025" + entry.recorded_at[4:]
    return msgspec.structs.replace(entry, recorded_at=early, occurred_at=early)


def dated_back_behind_a_witness(conn: Connection, log: SealedLog) -> BroughtAlong:
    """Written after a witness saw the log, dated before; no row of its signatures is left, but it has kept them."""
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 12)).scalar_one()
    assert leaf_index_of(conn, "case:12", last) >= log.first.size
    rewrite(conn, log, "case:12", last, _in_2025)
    conn.execute(cosignatures.delete())
    newest = resign(conn, log.keys.present, reseal(conn))
    signed = note.parse(log.first.signed(log.keys.present))
    cosigned = signed.signed_also(WITNESS.cosign(log.first, int(clock().timestamp())))
    return log.outside(remembered=newest, witnesses=[WITNESS.key], handed=[Handed(log.first, cosigned)])


def stream_replaced(conn: Connection, log: SealedLog) -> None:
    """From its first entry: every number, link, hash and MAC of it is right."""
    rewrite(conn, log, STREAM, 1, lambda entry: msgspec.structs.replace(entry, rules=("5.5",)))


def stream_replaced_and_resealed(conn: Connection, log: SealedLog) -> None:
    stream_replaced(conn, log)
    reseal(conn)


def signed_by_another(conn: Connection, log: SealedLog) -> None:
    """All checkpoints, over the true tree, under the log's own name."""
    stored = conn.execute(sa.select(leaves.c.leaf_hash).order_by(leaves.c.leaf_index)).scalars()
    hashes = [bytes(leaf) for leaf in stored]
    resign(conn, note.LogSigner(present(conn).origin, OTHER_KEY), hashes)


def forged(conn: Connection, log: SealedLog, *, sealed: bool = False) -> None:
    """A note appended to a sealed case in perfect form, its row moved along; only the key is wanting."""
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 2)).scalar_one()
    row = entry_at(conn, STREAM, last)
    entry = msgspec.structs.replace(
        decode_strict(bytes(row.body)), stream_seq=last + 1, entry_id=f"{STREAM}:{last + 1}",
        prev=bytes(row.leaf_hash).hex(), personal={},
    )  # fmt: skip
    body = encode(entry)
    leaf, number = leaf_hash(body), conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one() + 1
    values = {**row._mapping, "id": number, "stream_seq": last + 1, "body": body, "leaf_hash": leaf,
              "mac": mac(OTHER_KEY, leaf)}  # fmt: skip
    conn.execute(entries.insert().values(values))
    conn.execute(cases.update().where(cases.c.id == 2).values(audit_seq=last + 1, audit_head=leaf))
    if not sealed:
        conn.execute(unsealed.insert().values(entry=number))
        return
    end = size_of(conn, present(conn))
    conn.execute(leaves.insert().values(log=present(conn).number, leaf_index=end, entry=number, leaf_hash=leaf))


def put_in_the_way(conn: Connection, log: SealedLog) -> None:
    """Where the case goes on: its row is left as it is, and its next change finds the place taken."""
    before = conn.execute(sa.select(cases.c.audit_seq, cases.c.audit_head).where(cases.c.id == 2)).one()
    forged(conn, log)
    conn.execute(cases.update().where(cases.c.id == 2).values(before._asdict()))


def leaf_far_ahead(conn: Connection, _log: SealedLog) -> None:
    values = {"log": present(conn).number, "leaf_index": 2**62, "entry": 10**9, "leaf_hash": bytes(32)}
    conn.execute(leaves.insert().values(values))


def forged_and_sealed(conn: Connection, log: SealedLog) -> None:
    forged(conn, log, sealed=True)


def deleted_before_sealing(conn: Connection, log: SealedLog) -> None:
    last = conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 22)).scalar_one()
    gone(conn, UNSEALED, last - 1)


def last_deleted_before_sealing(conn: Connection, log: SealedLog) -> None:
    """Nothing links to it; the head of its case does."""
    gone(conn, UNSEALED, conn.execute(sa.select(cases.c.audit_seq).where(cases.c.id == 22)).scalar_one())


def answer_forged(conn: Connection, log: SealedLog) -> None:
    """An answer that never was, to be repeated and receipted for a key that somebody is going to use."""
    values = {"actor_id": "S1", "key": "k", "request_hash": b"\x01" * 32, "status": 200, "answer": b"\x94",
              "created_at": datetime(2026, 1, 10, tzinfo=UTC), "mac": mac(OTHER_KEY, b"\x01" * 32)}  # fmt: skip
    conn.execute(idempotency.insert().values(values))


def column(**values: Any) -> Attack:
    def attack(conn: Connection, log: SealedLog) -> None:
        change_entry(conn, STREAM, 3, **values)

    return attack


def case(**values: Any) -> Attack:
    def attack(conn: Connection, log: SealedLog) -> None:
        assert conn.execute(cases.update().where(cases.c.id == 2).values(values)).rowcount == 1

    return attack


def tree_of_its_root(conn: Connection, log: SealedLog) -> None:
    """Leaf/node confusion: a tree of one leaf that is the root of the whole has the same root."""
    conn.execute(leaves.delete().where(leaves.c.leaf_index > 0))
    conn.execute(leaves.update().values(leaf_hash=log.last.root))
    conn.execute(tiles.delete())


def pair_for_a_leaf(conn: Connection, log: SealedLog) -> None:
    """Leaf/node confusion in the row of an entry: its body is two leaf hashes, its hash that of their node."""
    left, right = (bytes(entry_at(conn, STREAM, seq).leaf_hash) for seq in (4, 5))
    leaf = node_hash(left, right)
    change_entry(conn, STREAM, 3, body=left + right, leaf_hash=leaf, mac=mac(log.mac_key, leaf))


def last_leaf_twice(conn: Connection, log: SealedLog) -> None:
    """A duplicated last node: trees that fold so have the same root."""
    end = size_of(conn, present(conn))
    leaf = conn.execute(sa.select(leaves.c.leaf_hash).where(leaves.c.leaf_index == end - 1)).scalar_one()
    values = {"log": present(conn).number, "leaf_index": end, "entry": 10**9, "leaf_hash": leaf}
    conn.execute(leaves.insert().values(values))


def last_node_twice_in_a_tile(conn: Connection, log: SealedLog) -> None:
    """The partial tile at the edge filled up with its last hash, and stored as a full one."""
    edge = conn.execute(sa.select(leaves.c.leaf_hash).where(leaves.c.leaf_index >= 256).order_by(leaves.c.leaf_index))
    hashes = [bytes(leaf) for leaf in edge.scalars()]
    hashes += [hashes[-1]] * (256 - len(hashes))
    values = (present(conn).number, 0, 1, root_of(hashes), b"".join(hashes))
    conn.execute(tiles.insert().values(dict(zip(TILE_COLUMNS, values, strict=True))))


def tile_edited(conn: Connection, log: SealedLog) -> None:
    """Proofs are made of it."""
    hashes = bytes(conn.execute(sa.select(tiles.c.hashes)).scalar_one())
    conn.execute(tiles.update().values(hashes=hashes[:32] * 2 + hashes[64:]))


def checkpoint_of_another_log(conn: Connection, log: SealedLog) -> None:
    """Signed by the real key of another log, over this tree."""
    other = note.LogSigner("log.example/other", OTHER_KEY)
    renote(conn, log, lambda _: log.last._replace(origin=other.name).signed(other))


def log_begun_earlier(conn: Connection, log: SealedLog) -> None:
    conn.execute(logs.update().values(begun_at=datetime(2025, 1, 1, tzinfo=UTC)))


def log_renamed(conn: Connection, log: SealedLog) -> None:
    conn.execute(logs.update().values(origin="log.example/other"))


def backup_restored(conn: Connection, log: SealedLog) -> None:
    restored(conn, log)


def opening_swapped(conn: Connection, log: SealedLog) -> None:
    """Another case's note, validly sealed, in the place of this one's."""
    other = conn.execute(sa.select(openings.c.sealed).where(openings.c.stream == "case:7", openings.c.field == "note"))
    conn.execute(openings.update().where(openings.c.stream == STREAM).values(sealed=other.scalar_one()))


def opening_deleted(conn: Connection, log: SealedLog) -> None:
    conn.execute(openings.delete().where(openings.c.stream == STREAM))


def of_book(table: sa.Table, key: str, **values: Any) -> Attack:
    """A row of the books changed."""

    def attack(conn: Connection, log: SealedLog) -> None:
        where = _FIRST_OF[table.name](key)
        assert conn.execute(table.update().where(where).values(values)).rowcount == 1

    return attack


_FIRST_OF: dict[str, Callable[[str], sa.ColumnElement[bool]]] = {
    "loans": lambda key: loans.c.loan_id == key,
    "borrowers": lambda key: borrowers.c.borrower_id == key,
    "contacts": lambda key: contacts.c.borrower_id == key,
    "repayments": lambda key: repayments.c.payment_id == key,
}


def out_of_books(table: sa.Table, key: str) -> Attack:
    """A row of the books deleted."""

    def attack(conn: Connection, log: SealedLog) -> None:
        assert conn.execute(table.delete().where(_FIRST_OF[table.name](key))).rowcount == 1

    return attack


def exchanged(table: sa.Table, *columns: str) -> Attack:
    """What two customers have there, each in the other's row."""

    def attack(conn: Connection, log: SealedLog) -> None:
        wanted = sa.select(table.c.borrower_id, *(table.c[name] for name in columns))
        held = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in conn.execute(wanted).all()}
        for one, other in (("B1", "B2"), ("B2", "B1")):
            conn.execute(table.update().where(_FIRST_OF[table.name](one)).values(held[other]))

    return attack


def put_back(conn: Connection, log: SealedLog) -> None:
    """A loan as it might have been before, with the MAC that it had then."""
    row = conn.execute(sa.select(loans).where(loans.c.loan_id == "L1")).one()._mapping
    values = {name: row[name] for name in COVERED["loans"]} | {"outstanding_principal_fen": 1}
    tag = row_mac(log.mac_key, "loans")(tuple(values.values()))
    conn.execute(loans.update().where(loans.c.loan_id == "L1").values({**values, "mac": tag}))


def everywhere(table: sa.Table, **values: Any) -> Attack:
    """Every row of a table changed."""

    def attack(conn: Connection, log: SealedLog) -> None:
        assert conn.execute(table.update().values(values)).rowcount >= 1

    return attack


def renoted(change: Callable[[bytes], bytes]) -> Attack:
    def attack(conn: Connection, log: SealedLog) -> None:
        renote(conn, log, change)

    return attack


def _leading_zero(data: bytes) -> bytes:
    origin, size, rest = data.split(b"\n", 2)
    return b"\n".join([origin, b"0" + size, rest])


def _slack(data: bytes) -> bytes:
    """The root in base64 with bits set that no byte holds."""
    origin, size, root, rest = data.split(b"\n", 3)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return b"\n".join([origin, size, root[:-2] + letters[letters.index(root[-2:-1]) + 1 :][:1] + b"=", rest])


def _doubled(data: bytes) -> bytes:
    return data + data.rpartition(b"\n\n")[2]


def emptied(conn: Connection, log: SealedLog) -> None:
    """No row in any table."""
    for table in reversed(log.before):
        conn.execute(table.delete())


def emptied_with_nothing_outside(conn: Connection, log: SealedLog) -> BroughtAlong:
    emptied(conn, log)
    return log.outside(remembered=None)


def log_emptied(conn: Connection, log: SealedLog) -> BroughtAlong:
    """The log alone; cases and people are still there."""
    for table in (unsealed, checkpoints, tiles, leaves, logs, openings, entries, streams, texts):
        conn.execute(table.delete())
    return log.outside(remembered=None)


@dataclass(frozen=True)
class Row:
    """One attack: its number in docs/evidence.md, what it is, how it is made, and what verification must answer.

    `signer`: why the signer would not sign on after it.
    """

    number: int
    name: str
    attack: Any
    codes: set[str]
    exit_code: int = 1
    signer: str | None = None


ROOTS = {"checkpoint_root_differs", "memory_root_differs"}
ROWS = [
    Row(1, "one byte of a body", one_byte, {"body_changed"}),
    Row(1, "a body re-spaced", respaced, {"body_changed", "body_malformed"}),
    Row(1, "a body re-spaced, with the MAC key", respaced_with_the_key,
        {"body_malformed", "link_broken", "leaf_differs"}),
    Row(2, "a sealed entry deleted", sealed_entry_deleted, {"stream_hole", "sealed_entry_missing"}),
    Row(2, "a sealed entry deleted with its leaf", sealed_entry_deleted_with_its_leaf,
        {"stream_hole", "leaf_hole", "tile_differs", "checkpoint_root_differs", "checkpoint_beyond_tree",
         "memory_beyond_tree"}),
    Row(2, "a sealed entry deleted, the tree closed over it", sealed_entry_deleted_and_all_made_to_agree,
        {"stream_hole", "checkpoint_root_differs", "checkpoint_beyond_tree", "memory_beyond_tree"},
        signer="tree_shrank"),
    Row(3, "two entries of a stream swapped", swapped_within_a_stream,
        {"column_differs", "stream_hole", "stream_repeat", "leaf_differs"}),
    Row(3, "two leaves of different streams swapped", swapped_across_streams, ROOTS, signer="tree_not_consistent"),
    Row(4, "the tail cut, memory and all", tail_cut, {"trusted_beyond_tree"}),
    Row(4, "the tree's tail cut, its entries queued again", leaves_cut, {"memory_beyond_tree"}, signer="tree_shrank"),
    Row(5, "history rewritten with the MAC key", rewritten, {"leaf_differs"}),
    Row(5, "history rewritten, leaves and tiles too", rewritten_and_resealed, ROOTS, signer="tree_not_consistent"),
    Row(5, "history rewritten and signed with the real key", rewritten_and_signed, {"memory_root_differs"},
        signer="tree_not_consistent"),
    Row(5, "history rewritten, signed, the memory too", rewritten_signed_and_remembered, {"trusted_root_differs"}),
    Row(6, "an unsealed entry back-dated", back_dated_unsealed, {"back_dated"}),
    Row(6, "a sealed entry back-dated, all signed anew", back_dated_and_signed, {"back_dated", "memory_root_differs"},
        signer="tree_not_consistent"),
    Row(6, "dated back behind a witness, its signatures deleted", dated_back_behind_a_witness,
        {"back_dated", "back_dated_behind_cosignature"}),
    Row(8, "a stream replaced by a consistent one", stream_replaced, {"leaf_differs"}),
    Row(8, "a stream replaced, leaves and tiles too", stream_replaced_and_resealed, ROOTS,
        signer="tree_not_consistent"),
    Row(9, "signed with another key", signed_by_another, {"checkpoint_key_unknown"}),
    Row(10, "an entry forged by SQL", forged, {"mac_wrong"}),
    Row(10, "an entry forged, its leaf too", forged_and_sealed, {"mac_wrong"}),
    Row(27, "an entry put where a case goes on", put_in_the_way, {"mac_wrong", "head_rewound"}),
    Row(28, "a leaf far ahead", leaf_far_ahead, {"leaf_hole", "sealed_entry_missing"}, signer="tree_damaged"),
    Row(10, "a stored answer forged by SQL", answer_forged, {"answer_changed"}),
    Row(11, "an entry deleted before sealing", deleted_before_sealing, {"stream_hole"}),
    Row(11, "the last entry deleted before sealing", last_deleted_before_sealing, {"tail_cut"}),
    Row(12, "the copied actor edited", column(actor_id="T2"), {"column_differs"}),
    Row(12, "the copied event edited", column(event="case.noted"), {"column_differs"}),
    Row(13, "a case's state changed", case(state="lost_contact"), {"row_differs"}),
    Row(13, "a case's amount changed", case(overdue_fen=1), {"row_differs"}),
    Row(14, "a tree of one leaf with the same root", tree_of_its_root,
        {"leaf_differs", "queue_incomplete", "checkpoint_beyond_tree", "memory_beyond_tree"}, signer="tree_shrank"),
    Row(14, "two leaf hashes for a body", pair_for_a_leaf,
        {"body_changed", "body_malformed", "link_broken", "leaf_differs"}),
    Row(14, "the last leaf twice", last_leaf_twice, {"sealed_entry_missing"}),
    Row(14, "the last node twice in a tile", last_node_twice_in_a_tile, {"tile_unexpected"}),
    Row(14, "a node twice in a tile", tile_edited, {"tile_differs"}),
    Row(15, "a checkpoint of another log", checkpoint_of_another_log, {"checkpoint_other_log"}),
    Row(15, "the log begun on another day", log_begun_earlier, {"row_differs"}),
    Row(15, "the log under another name", log_renamed, {"checkpoint_other_log", "memory_other_log"},
        signer="signer_other_log"),
    Row(16, "an old backup restored", backup_restored, {"memory_beyond_tree"}, signer="tree_shrank"),
    Row(18, "an opening swapped", opening_swapped, {"opening_wrong"}),
    Row(18, "an opening deleted without an erasure", opening_deleted, {"opening_missing"}),
    Row(19, "a note with a leading zero", renoted(_leading_zero), {"checkpoint_malformed"}),
    Row(19, "a note with another blank line", renoted(lambda data: data.replace(b"\n\n", b"\n\n\n")),
        {"checkpoint_malformed"}),
    Row(19, "a note signed twice by one key", renoted(_doubled), {"checkpoint_malformed"}),
    Row(19, "a note with slack in its base64", renoted(_slack), {"checkpoint_malformed"}),
    Row(20, "every table emptied", emptied, {"memory_beyond_tree"}, signer="tree_shrank"),
    Row(20, "every table emptied, nothing outside", emptied_with_nothing_outside, set(), exit_code=2),
    Row(40, "two people's names exchanged", exchanged(borrowers, "name_sealed", "name_index"),
        {"row_changed", "sealed_value_moved"}),
    Row(40, "two people's phones exchanged", exchanged(contacts, "phone_sealed", "phone_index"),
        {"row_changed", "sealed_value_moved"}),
    Row(40, "what finds two people exchanged", exchanged(borrowers, "id_number_index"), {"row_changed"}),
    Row(41, "a loan's amount changed", of_book(loans, "L1", outstanding_principal_fen=1), {"row_changed"}),
    Row(41, "a loan's borrower changed", of_book(loans, "L1", borrower_id="B2"), {"row_changed"}),
    Row(41, "a payment's amount changed", of_book(repayments, "P1", amount_fen=1), {"row_changed"}),
    Row(41, "a payment of another run", of_book(repayments, "P1", run_id=9), {"row_changed", "rows_not_as_left"}),
    Row(42, "a loan deleted", out_of_books(loans, "L1"), {"rows_not_as_left"}),
    Row(42, "a contact deleted", out_of_books(contacts, "B1"), {"rows_not_as_left"}),
    Row(42, "a payment deleted", out_of_books(repayments, "P1"), {"rows_not_as_left"}),
    Row(42, "a loan of before put back", put_back, {"rows_not_as_left"}),
    Row(43, "a run in another's name", everywhere(feed_runs, actor_id="S9"), {"row_differs"}),
    Row(43, "a snapshot changed", everywhere(snapshots, rows=b"x"), {"row_differs"}),
    Row(43, "business dates set back", everywhere(institutions, business_date=date(2025, 1, 1)), {"row_differs"}),
    Row(20, "the log emptied under its cases", log_emptied,
        {"stream_missing", "row_without_entries", "row_differs", "rows_not_as_left"}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.name}")
def test_each_attack_changes_something_and_is_told_by_its_name(log: SealedLog, row: Row) -> None:
    with log.built.attacked() as conn:
        with guards_down(conn):
            outside = row.attack(conn, log)
        assert content(conn) != log.content
        report = log.verify(conn, outside)
        refused = _signer_says(conn, log, outside)
    found = {finding.code for finding in report.findings}
    assert found <= TEXTS.keys()
    assert (found, EXIT_CODES[report.verdict], refused) == (row.codes, row.exit_code, row.signer)


def test_the_log_before_the_attacks_is_sound(log: SealedLog) -> None:
    with log.built.attacked() as conn:
        with guards_down(conn):
            pass
        assert content(conn) == log.content
        report = log.verify(conn, log.outside(trusted=log.first))
        assert _signer_says(conn, log, None) is None
    assert (report.findings, report.doubts, report.verdict) == ([], [], "sound")
    assert report.trust == "trusted_checkpoint"
    assert (report.leaves, report.checkpoints) == (log.last.size, 2)
    assert report.entries == log.last.size + 2
    assert report.leaves > 256 + 1  # a full tile, and a partial one


def content(conn: Connection) -> str:
    """A digest of every row of every table."""
    digest = hashlib.sha256()
    for table in metadata.sorted_tables:
        rows = sorted(repr(tuple(row)) for row in conn.execute(sa.select(table)))
        digest.update(f"{table.name}\n{rows}\n".encode())
    return digest.hexdigest()


def _signer_says(conn: Connection, log: SealedLog, outside: BroughtAlong | None) -> str | None:
    """Why the signer would not go on from the database as it is; none: it would."""
    found = present_log(conn)
    remembered = (outside or log.outside()).remembered
    try:
        if found is None:
            signer.check_nothing_signed(remembered)
            return None
        signer.checked_root(conn, found, size_of(conn, found), log.keys.origin, remembered)
    except CallerError as refusal:
        return refusal.code
    return None
