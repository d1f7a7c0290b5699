"""Verification names what was done to a sealed log: attacks of docs/evidence.md by the owner, each with its finding."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.evidence.verifying import verify
from casework.log.check.finding_texts import TEXTS
from casework.log.format import note
from casework.log.format.chain import leaf_hash, mac
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import decode_strict, encode
from casework.log.format.tree import root_of
from casework.log.tables import (
    checkpoints,
    entries,
    leaves,
    streams,
    tiles,
    unsealed,
)
from casework.log.write import signer
from casework.settings import Settings
from casework.storage.database import open_engine
from tests.log.branch_log import ORIGIN, BranchLog
from tests.log.built_log import guards_down, own_database
from tests.log.test_seal import forge
from tests.log.test_signer import cut
from tests.postgres_server import Server


@pytest.fixture
def log(settings: Settings, engine: Engine, owner_engine: Engine) -> BranchLog:
    """A log of the test's own."""
    return sealed(BranchLog(settings, engine, owner_engine))


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def shared(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[BranchLog]:
    """One log per database for all attacks, which are rolled back."""
    folder = tmp_path_factory.mktemp("sealed")
    with own_database(request.param, folder, migrated_sqlite, postgres_servers) as settings:
        engine, owner = open_engine(settings.database_url), open_engine(str(settings.database_owner_url))
        try:
            yield sealed(BranchLog(settings, engine, owner))
        finally:
            engine.dispose()
            owner.dispose()


def sealed(log: BranchLog) -> BranchLog:
    """300 entries and a bit, sealed in rounds: a full tile, a partial one, several checkpoints."""
    for number in range(4):
        log.write(80, seed=number)
        log.seal()
    return log


Attack = Callable[[Connection, BranchLog], None]


def leaf_at(conn: Connection, index: int) -> Any:
    """Row, stream, number and body of a leaf's entry."""
    wanted = sa.select(entries.c.id, entries.c.stream, entries.c.stream_seq, entries.c.body)
    return conn.execute(wanted.join(leaves, leaves.c.entry == entries.c.id).where(leaves.c.leaf_index == index)).one()


def rewrite(conn: Connection, log: BranchLog, index: int, number: int) -> None:
    """With the MAC key: an entry says something else, and its stream is consistent again behind it."""
    first = leaf_at(conn, index)
    at = (entries.c.stream == first.stream) & (entries.c.stream_seq >= first.stream_seq)
    rows = conn.execute(sa.select(entries.c.id, entries.c.body).where(at).order_by(entries.c.stream_seq)).all()
    prev, leaf = None, b""
    for place, (row, body) in enumerate(rows):
        entry = decode_strict(bytes(body))
        if place == 0:
            entry = msgspec.structs.replace(entry, data={"number": number})
        else:
            entry = msgspec.structs.replace(entry, prev=prev)
        new = encode(entry)
        leaf = leaf_hash(new)
        prev = leaf.hex()
        values = {"body": new, "leaf_hash": leaf, "mac": mac(log.mac_key, leaf)}
        conn.execute(entries.update().where(entries.c.id == row).values(values))
    conn.execute(streams.update().where(streams.c.stream == first.stream).values(audit_head=leaf))


def reseal(conn: Connection) -> list[bytes]:
    """Leaves and tiles made anew from the bodies; the leaf hashes."""
    joined = sa.select(leaves.c.leaf_index, entries.c.body).join(entries, leaves.c.entry == entries.c.id)
    hashes = [leaf_hash(bytes(body)) for _, body in conn.execute(joined.order_by(leaves.c.leaf_index))]
    for index, leaf in enumerate(hashes):
        conn.execute(leaves.update().where(leaves.c.leaf_index == index).values(leaf_hash=leaf))
    conn.execute(tiles.update().values(hashes=b"".join(hashes[:256]), root=root_of(hashes[:256])))
    return hashes


def resign(conn: Connection, hashes: list[bytes], key: note.LogSigner) -> None:
    """Every checkpoint signed anew over the tree of `hashes`."""
    for size in conn.execute(sa.select(checkpoints.c.size)).scalars().all():
        root = root_of(hashes[:size])
        data = Checkpoint(ORIGIN, size, root).signed(key)
        conn.execute(checkpoints.update().where(checkpoints.c.size == size).values(root=root, note=data))


def edit_body(conn: Connection, log: BranchLog) -> None:
    row = leaf_at(conn, 40)
    body = bytes(row.body)
    conn.execute(entries.update().where(entries.c.id == row.id).values(body=body.replace(b"S1", b"S2", 1)))


def space_body(conn: Connection, log: BranchLog) -> None:
    row = leaf_at(conn, 40)
    conn.execute(entries.update().where(entries.c.id == row.id).values(body=bytes(row.body).replace(b":", b": ", 1)))


def edit_with_mac_key(conn: Connection, log: BranchLog) -> None:
    rewrite(conn, log, 40, 999_999)


def delete_entry(conn: Connection, log: BranchLog) -> None:
    conn.execute(entries.delete().where(entries.c.id == leaf_at(conn, 40).id))


def delete_entry_and_leaf(conn: Connection, log: BranchLog) -> None:
    delete_entry(conn, log)
    conn.execute(leaves.delete().where(leaves.c.leaf_index == 40))


def swap_leaves(conn: Connection, log: BranchLog) -> None:
    """Attack 3: two entries of different streams change places in the tree, tiles made anew."""
    rows = {index: leaf_at(conn, index).id for index in (40, 41)}
    hashes = {
        index: conn.execute(sa.select(leaves.c.leaf_hash).where(leaves.c.leaf_index == index)).scalar_one()
        for index in rows
    }
    conn.execute(leaves.delete().where(leaves.c.leaf_index.in_(rows)))
    for index, other in ((40, 41), (41, 40)):
        conn.execute(leaves.insert().values(log=1, leaf_index=index, entry=rows[other], leaf_hash=hashes[other]))
    reseal(conn)


def swap_in_stream(conn: Connection, log: BranchLog) -> None:
    """Attack 3 within a stream: two entries exchange their bodies."""
    rows = conn.execute(
        sa.select(entries).where(entries.c.stream == "test:1", entries.c.stream_seq.in_((3, 4)))
    ).all()  # fmt: skip
    for one, other in (rows, rows[::-1]):
        values = {"body": other.body, "leaf_hash": other.leaf_hash, "mac": other.mac}
        conn.execute(entries.update().where(entries.c.id == one.id).values(values))


def cut_tail(conn: Connection, log: BranchLog) -> None:
    conn.execute(unsealed.delete())
    cut(conn, 250)
    for stream in conn.execute(sa.select(streams.c.stream)).scalars().all():
        last = sa.select(entries).where(entries.c.stream == stream).order_by(entries.c.stream_seq.desc()).limit(1)
        row = conn.execute(last).one()
        values = {"audit_seq": row.stream_seq, "audit_head": row.leaf_hash, "last_entry_at": row.recorded_at}
        conn.execute(streams.update().where(streams.c.stream == stream).values(values))


def cut_tail_but_checkpoints(conn: Connection, log: BranchLog) -> None:
    kept = conn.execute(sa.select(checkpoints)).mappings().all()
    cut_tail(conn, log)
    conn.execute(checkpoints.delete())
    conn.execute(checkpoints.insert(), [dict(row) for row in kept])


def rewrite_and_reseal(conn: Connection, log: BranchLog) -> None:
    rewrite(conn, log, 40, 999_999)
    reseal(conn)


def rewrite_and_resign(conn: Connection, log: BranchLog) -> None:
    """Attack 5, with every key and everything in the database made to agree; the signer's memory is out of reach."""
    rewrite(conn, log, 40, 999_999)
    resign(conn, reseal(conn), signer.read_keys(log.folder).present)


def replace_stream(conn: Connection, log: BranchLog) -> None:
    """Attack 8: a whole stream consistent with itself."""
    first = conn.execute(sa.select(leaves.c.leaf_index).join(entries, entries.c.id == leaves.c.entry).where(
        entries.c.stream == "test:2", entries.c.stream_seq == 1)).scalar_one()  # fmt: skip
    rewrite(conn, log, first, 888_888)


def sign_with_another_key(conn: Connection, log: BranchLog) -> None:
    hashes = [
        bytes(leaf) for leaf in conn.execute(sa.select(leaves.c.leaf_hash).order_by(leaves.c.leaf_index)).scalars()
    ]
    resign(conn, hashes, note.LogSigner(ORIGIN, b"\x09" * 32))


def break_a_signature(conn: Connection, log: BranchLog) -> None:
    data = bytes(conn.execute(sa.select(checkpoints.c.note).order_by(checkpoints.c.size).limit(1)).scalar_one())
    read = note.parse(data)
    one = read.signatures[0]
    spoilt = one._replace(blob=bytes([one.blob[0] ^ 1]) + one.blob[1:])
    broken = note.SignedNote(read.text, (spoilt,)).encode()
    conn.execute(checkpoints.update().where(checkpoints.c.note == data).values(note=broken))


def spoil_a_note(conn: Connection, log: BranchLog) -> None:
    conn.execute(checkpoints.update().where(checkpoints.c.size == 81).values(note=b"nothing"))


def another_logs_note(conn: Connection, log: BranchLog) -> None:
    root = conn.execute(sa.select(checkpoints.c.root).where(checkpoints.c.size == 81)).scalar_one()
    data = Checkpoint("other.example", 81, bytes(root)).signed(note.LogSigner("other.example", b"\x09" * 32))
    conn.execute(checkpoints.update().where(checkpoints.c.size == 81).values(note=data))


def edit_checkpoint_column(conn: Connection, log: BranchLog) -> None:
    conn.execute(checkpoints.update().where(checkpoints.c.size == 81).values(root=b"\x00" * 32))


def forge_sealed(conn: Connection, log: BranchLog) -> None:
    """Attack 10, the leaf put in by hand as well: an entry that the service never wrote, at the end of the tree."""
    row = forge(conn, log, "test:forged", 1, b"\x03" * 32)
    leaf = conn.execute(sa.select(entries.c.leaf_hash).where(entries.c.id == row)).scalar_one()
    end = conn.execute(sa.select(sa.func.max(leaves.c.leaf_index))).scalar_one() + 1
    conn.execute(leaves.insert().values(log=1, leaf_index=end, entry=row, leaf_hash=leaf))
    conn.execute(unsealed.delete().where(unsealed.c.entry == row))
    conn.execute(streams.insert().values(stream="test:forged", audit_seq=1, audit_head=leaf, last_entry_at=log.at))


def edit_column(conn: Connection, log: BranchLog) -> None:
    conn.execute(entries.update().where(entries.c.id == leaf_at(conn, 40).id).values(actor_id="S9"))


def edit_leaf(conn: Connection, log: BranchLog) -> None:
    conn.execute(leaves.update().where(leaves.c.leaf_index == 300).values(leaf_hash=b"\x00" * 32))


def drop_tile(conn: Connection, log: BranchLog) -> None:
    conn.execute(tiles.delete())


def edit_tile(conn: Connection, log: BranchLog) -> None:
    conn.execute(tiles.update().values(hashes=b"\x00" * 8192))


def edit_tile_root(conn: Connection, log: BranchLog) -> None:
    conn.execute(tiles.update().values(root=b"\x00" * 32))


def add_tile(conn: Connection, log: BranchLog) -> None:
    conn.execute(tiles.insert().values(log=1, level=3, number=9, root=b"\x00" * 32, hashes=b"\x00" * 8192))


def unqueue(conn: Connection, log: BranchLog) -> None:
    conn.execute(leaves.delete().where(leaves.c.leaf_index > 310))


def leaves_of_no_log(conn: Connection, log: BranchLog) -> None:
    conn.execute(leaves.insert().values(log=9, leaf_index=0, entry=1, leaf_hash=b"\x00" * 32))


ATTACKS: dict[str, tuple[Attack, set[str]]] = {
    "1 edit a body": (edit_body, {"body_changed", "column_differs"}),
    "1 space a body": (space_body, {"body_changed", "body_malformed"}),
    "1 edit with the MAC key": (edit_with_mac_key, {"leaf_differs"}),
    "2 delete an entry": (delete_entry, {"stream_hole", "sealed_entry_missing"}),
    "2 delete an entry and its leaf": (
        delete_entry_and_leaf, {"stream_hole", "leaf_hole", "checkpoint_root_differs", "memory_beyond_tree"},
    ),
    "3 swap across streams": (swap_leaves, {"checkpoint_root_differs", "memory_root_differs"}),
    "3 swap within a stream": (swap_in_stream, {"column_differs", "leaf_differs"}),
    "4 cut the tail": (cut_tail, {"memory_beyond_tree"}),
    "4 cut the tail, leave the checkpoints": (
        cut_tail_but_checkpoints, {"memory_beyond_tree", "checkpoint_beyond_tree"},
    ),
    "5 rewrite, reseal": (rewrite_and_reseal, {"checkpoint_root_differs", "memory_root_differs"}),
    "5 rewrite, reseal, re-sign with the real key": (rewrite_and_resign, {"memory_root_differs"}),
    "8 replace a stream": (replace_stream, {"leaf_differs"}),
    "9 another key": (sign_with_another_key, {"checkpoint_key_unknown"}),
    "9 a spoilt signature": (break_a_signature, {"checkpoint_signature_wrong"}),
    "10 forge by SQL, leaf and all": (forge_sealed, {"mac_wrong"}),
    "12 edit a column": (edit_column, {"column_differs"}),
    "15 another log's checkpoint": (another_logs_note, {"checkpoint_other_log"}),
    "19 a note that is none": (spoil_a_note, {"checkpoint_malformed"}),
    "edit a checkpoint's column": (edit_checkpoint_column, {"checkpoint_columns_differ"}),
    "edit a leaf": (edit_leaf, {"leaf_differs", "checkpoint_root_differs", "memory_root_differs"}),
    "drop the tiles": (drop_tile, {"tile_missing"}),
    "edit a tile": (edit_tile, {"tile_differs"}),
    "edit a tile's root": (edit_tile_root, {"tile_differs"}),
    "add a tile": (add_tile, {"tile_unexpected"}),
    "unseal without queueing": (unqueue, {"queue_incomplete", "memory_beyond_tree", "checkpoint_beyond_tree"}),
    "leaves of no log": (leaves_of_no_log, {"log_missing"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_on_a_sealed_log_is_named(shared: BranchLog, name: str) -> None:
    attack, expected = ATTACKS[name]
    with shared.owner.connect() as conn, conn.begin() as transaction:
        with guards_down(conn):
            attack(conn, shared)
        report = verify(conn, shared.mac_key, shared.vault, outside=shared.outside())
        transaction.rollback()
    found = {finding.code for finding in report.findings}
    assert expected <= found, found
    assert report.verdict == "tampered"
    assert found <= TEXTS.keys()


def test_the_log_before_the_attacks_is_sound(log: BranchLog) -> None:
    report = log.verify()
    assert (report.findings, report.doubts, report.verdict, report.trust) == ([], [], "sound", "signer_memory")
    assert (report.leaves, report.checkpoints) == (321, 4)


def test_a_history_rewritten_with_every_key_and_the_memory_too_is_told_by_the_checkpoint_somebody_holds(
    log: BranchLog,
) -> None:
    """Attack 5 whole: whoever has all keys and files is convicted only by what others kept."""
    held = log.outside().remembered

    def everything(conn: Connection) -> None:
        rewrite_and_resign(conn, log)
        last = conn.execute(sa.select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)).scalar_one()
        signer.write_memory(log.folder, bytes(last))

    log.attack(everything)
    alone = log.verify()
    assert (alone.verdict, alone.trust) == ("sound", "signer_memory")
    assert log.codes(trusted=held) == {"trusted_root_differs"}


def test_a_checkpoint_that_somebody_holds_is_the_trust_that_is_named(log: BranchLog) -> None:
    held = log.outside().remembered
    log.write(10)
    log.seal()
    report = log.verify(trusted=held)
    assert (report.verdict, report.trust) == ("sound", "trusted_checkpoint")


def test_without_the_public_keys_signatures_are_in_doubt(log: BranchLog) -> None:
    report = log.verify(keys=[])
    assert (report.verdict, {doubt.code for doubt in report.doubts}) == ("cannot_tell", {"log_keys_missing"})


def test_any_changed_byte_of_a_leaf_tile_or_note_is_found(log: BranchLog) -> None:
    """A byte flipped anywhere in what the sealer stored, at places drawn anew for each."""
    chance = random.Random(5)
    for table, column, of in (
        (leaves, leaves.c.leaf_hash, leaves.c.leaf_index == 123), (tiles, tiles.c.hashes, tiles.c.level == 0),
        (tiles, tiles.c.root, tiles.c.level == 0), (checkpoints, checkpoints.c.note, checkpoints.c.size == 161),
        (checkpoints, checkpoints.c.root, checkpoints.c.size == 161),
    ):  # fmt: skip
        for _ in range(3):
            with log.owner.connect() as conn:
                good = bytes(conn.execute(sa.select(column).where(of)).scalar_one())
            place = chance.randrange(len(good))
            bad = good[:place] + bytes([good[place] ^ (1 << chance.randrange(8))]) + good[place + 1 :]
            log.attack(partial(_put, table, column, of, bad))
            assert log.verify().verdict == "tampered", (table.name, column.name, place)
            log.attack(partial(_put, table, column, of, good))
    assert log.verify().verdict == "sound"


def _put(table: sa.Table, column: sa.Column[Any], of: sa.ColumnElement[bool], data: bytes, conn: Connection) -> None:
    conn.execute(table.update().where(of).values({column.name: data}))
