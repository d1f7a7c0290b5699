"""The sealer takes every entry once, in order, whoever writes beside it and whoever dies; what fails it leaves."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.engine import Connection, Engine

from casework.clock import utc_text
from casework.errors import CallerError, TryAgain
from casework.log.format.chain import leaf_hash, mac
from casework.log.format.entry import Entry, SignedActor, encode
from casework.log.format.tiles import Tile, tiles_grown
from casework.log.format.tree import Range, root_of
from casework.log.tables import entries, leaves, unsealed
from casework.log.write import seal
from casework.log.write.grown import (
    Growing,
    Log,
    last_published,
    read_tile,
    root_at,
)
from casework.log.write.sealable import WAITING
from casework.settings import Settings, ensure_keys
from casework.storage.database import open_engine, reading, writing
from casework.storage.rows import next_ids
from tests.log.branch_log import START, BranchLog


@pytest.fixture
def log(settings: Settings, engine: Engine, owner_engine: Engine) -> BranchLog:
    return BranchLog(settings, engine, owner_engine)


def test_every_entry_becomes_a_leaf_once_and_leaves_the_queue(log: BranchLog) -> None:
    log.write(300)
    done = log.seal(stretch=64)
    assert (done.sealed, done.left, done.elsewhere, log.queue()) == (300, [], False, [])
    found = log.leaves()
    assert [index for index, _ in found] == list(range(301))  # leaf 0 says what the log is
    assert sorted(row for _, row in found) == log.rows()
    assert log.verify().verdict == "sound"
    assert log.verify().trust == "signer_memory"


def test_the_first_leaf_is_the_entry_that_says_what_the_log_is(log: BranchLog) -> None:
    log.write(3)
    log.seal()
    with reading(log.engine) as conn:
        first = sa.select(entries.c.stream, entries.c.event).join(leaves, leaves.c.entry == entries.c.id)
        assert tuple(conn.execute(first.where(leaves.c.leaf_index == 0)).one()) == ("log:1", "log.begun")


def test_the_tree_is_the_one_of_the_leaves_whatever_the_sizes_of_the_rounds(log: BranchLog) -> None:
    """Root, every tile and every later sealer's reading agree with a tree built anew from the bodies."""
    for number, count in enumerate((1, 254, 1, 2, 700, 300)):
        log.write(count, seed=number)
        log.seal(stretch=97)
    with reading(log.engine, snapshot=True) as conn:
        wanted = sa.select(entries.c.body).join(leaves, leaves.c.entry == entries.c.id).order_by(leaves.c.leaf_index)
        hashes = [leaf_hash(bytes(body)) for body in conn.execute(wanted).scalars()]
        size, present = len(hashes), log.log()
        assert root_at(conn, present, size) == root_of(hashes)
        assert Growing.read(conn, present).tree.root == root_of(hashes)
        row = hashes
        for tile in tiles_grown(0, size):
            if tile.level == 1:
                row = [root_of(hashes[at : at + 256]) for at in range(0, size - size % 256, 256)]
            expected = b"".join(row[tile.number * 256 : tile.number * 256 + tile.width])
            assert read_tile(conn, present, tile) == expected
        published = last_published(conn, present)
        assert published is not None
        assert (published.size, published.root) == (size, root_of(hashes))


@given(st.lists(st.integers(min_value=0, max_value=700), min_size=1, max_size=8))
def test_a_growing_tree_gives_each_full_tile_once(steps: list[int]) -> None:
    """Whatever the steps, the tiles are those of the whole, each with the root that the level above has of it."""
    hashes = [leaf_hash(number.to_bytes(4, "big")) for number in range(sum(steps))]
    growing, made, at = Growing(Log(1, "x"), Range()), [], 0
    for step in steps:
        made += growing.add(hashes[at : at + step])
        at += step
    full = [tile for tile in tiles_grown(0, len(hashes)) if tile.width == 256]
    assert sorted(Tile(level, number) for _, level, number, _, _ in made) == sorted(full)
    for _, level, number, root, data in made:
        if level == 0:
            mine = hashes[number * 256 : number * 256 + 256]
            assert (data, root) == (b"".join(mine), root_of(mine))


# --- beside writers


def test_nothing_is_lost_or_doubled_beside_writers_whose_ids_commit_out_of_order(log: BranchLog) -> None:
    """Writers hold transactions open for uneven times, so lower ids commit after higher ones; two sealers run."""
    stop, errors = threading.Event(), []

    def writer(number: int) -> None:
        chance = random.Random(number)
        try:
            for _ in range(12):
                with writing(log.engine) as conn:
                    trail = log.trail()
                    for _ in range(chance.randrange(1, 5)):
                        # SQLite has one writer at a time; PostgreSQL holds a lock per stream, taken here in one order
                        log.add(conn, trail, f"test:{number}-{chance.randrange(2)}")
                    trail.write(conn)
                    time.sleep(chance.random() / 100)
        except BaseException as error:
            errors.append(error)
            raise

    sealers = [threading.Thread(target=log.sealer(stretch=7).watch, args=(stop,), kwargs={"every_s": 0.01})
               for _ in (1, 2)]  # fmt: skip
    writers = [threading.Thread(target=writer, args=(number,)) for number in range(5)]
    for thread in (*sealers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    assert errors == []
    log.seal()
    assert sorted(row for _, row in log.leaves()) == log.rows()
    assert log.queue() == []
    assert log.verify().findings == []


@pytest.mark.only("postgresql")  # on SQLite there is one writer at a time: ids commit in their order
def test_a_lower_id_that_commits_later_is_sealed(log: BranchLog) -> None:
    """The gap that a cursor by id would lose for ever."""
    log.write(5)
    log.seal()
    with writing(log.engine) as early:
        trail = log.trail()
        log.add(early, trail, "test:early")
        trail.write(early)  # has its id, and is not committed yet
        log.write(4, seed=2)
        assert log.seal().sealed == 4
    assert log.seal().sealed == 1
    assert sorted(row for _, row in log.leaves()) == log.rows()


@pytest.mark.only("postgresql")  # on SQLite the write lock lets the second wait instead
def test_of_two_sealers_at_once_one_seals_and_the_other_says_so(log: BranchLog) -> None:
    log.write(10)
    log.seal()
    log.write(10)
    with writing(log.engine) as conn:
        assert conn.execute(seal._LOCK).scalar() is True
        done = log.seal()
        assert (done.sealed, done.elsewhere) == (0, True)
    assert log.seal().sealed == 10


def test_a_sealer_that_was_overtaken_reads_the_tree_again(log: BranchLog) -> None:
    """Two processes in turn: what one has in memory is compared with the database each time."""
    one, two = log.sealer(), log.sealer()
    for number in range(6):
        log.write(50, seed=number)
        assert (one if number % 2 else two).round().sealed == 50
    assert log.verify().findings == []


def test_killed_at_any_moment_it_loses_nothing_and_signs_on(log: BranchLog, tmp_path: Path) -> None:
    """`casework audit seal --watch` is killed with -9 again and again while entries are written."""
    environment = {
        **os.environ, "CASEWORK_DATABASE_URL": log.settings.database_url,
        "CASEWORK_KEYS_DIR": str(log.folder), "CASEWORK_STATECHARTS": str(log.settings.statecharts),
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.log.sealing_process"]
    root = Path(__file__).parents[2]
    for number in range(4):
        process = subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for part in range(6):
            log.write(40, seed=number * 10 + part)
            time.sleep(0.01 + number * 0.013)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert len(log.leaves()) > 1, "the sealer never came to seal anything"
    log.seal()
    assert sorted(row for _, row in log.leaves()) == log.rows()
    report = log.verify()
    assert (report.findings, report.trust) == ([], "signer_memory")


# --- what may not be sealed


def forge(conn: Connection, log: BranchLog, stream: str, seq: int, key: bytes, prev: bytes | None = None) -> int:
    """An entry put there by SQL, with its MAC under `key`; its row."""
    at = utc_text(START)
    entry = Entry(
        actor=SignedActor("S1", "staff", "api"), chart=None, data={}, entry_id=f"{stream}:{seq}", event="test.forged",
        from_=None, occurred_at=at, personal={}, policy=None, prev=prev.hex() if prev else None, reason_code=None,
        recorded_at=at, rules=(), stream=stream, stream_seq=seq, to=None,
    )  # fmt: skip
    body = encode(entry)
    leaf = leaf_hash(body)
    row = next_ids(conn, "entries_id_seq", entries, 1)[0]
    conn.execute(entries.insert().values(
        id=row, stream=stream, stream_seq=seq, event="test.forged", actor_id="S1", recorded_at=START, body=body,
        leaf_hash=leaf, mac=mac(key, leaf),
    ))  # fmt: skip
    conn.execute(unsealed.insert().values(entry=row))
    return row


def _with_wrong_mac(conn: Connection, log: BranchLog) -> int:
    return forge(conn, log, "test:forged", 1, b"\x01" * 32)


def _without_its_predecessor(conn: Connection, log: BranchLog) -> int:
    return forge(conn, log, "test:forged", 4, log.mac_key, b"\x05" * 32)


def _linked_to_another(conn: Connection, log: BranchLog) -> int:
    last = conn.execute(sa.select(sa.func.max(entries.c.stream_seq)).where(entries.c.stream == "test:6")).scalar_one()
    return forge(conn, log, "test:6", last + 1, log.mac_key, b"\x05" * 32)


def _edited(conn: Connection, log: BranchLog) -> int:
    row = int(conn.execute(sa.select(sa.func.max(unsealed.c.entry))).scalar_one())
    body = bytes(conn.execute(sa.select(entries.c.body).where(entries.c.id == row)).scalar_one())
    edited = body.replace(b'"number":', b'"number": ')
    conn.execute(entries.update().where(entries.c.id == row).values(body=edited))
    return row


def _with_another_copy(conn: Connection, log: BranchLog) -> int:
    row = int(conn.execute(sa.select(sa.func.max(unsealed.c.entry))).scalar_one())
    conn.execute(entries.update().where(entries.c.id == row).values(actor_id="S2"))
    return row


def _gone(conn: Connection, log: BranchLog) -> int:
    conn.execute(unsealed.insert().values(entry=10**9))
    return 10**9


def _sealed_before(conn: Connection, log: BranchLog) -> int:
    row = int(conn.execute(sa.select(leaves.c.entry).where(leaves.c.leaf_index == 3)).scalar_one())
    conn.execute(unsealed.insert().values(entry=row))
    return row


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (_with_wrong_mac, "mac_wrong"),
        (_without_its_predecessor, "stream_hole"),
        (_linked_to_another, "link_broken"),
        (_edited, "body_changed"),
        (_with_another_copy, "column_differs"),
        (_gone, "queue_dangling"),
        (_sealed_before, "queue_repeat"),
    ],
)
def test_what_fails_stays_in_the_queue_by_name_and_holds_up_no_other_stream(
    log: BranchLog, attack: Callable[[Connection, BranchLog], int], code: str
) -> None:
    """Attacks 1, 10, 11 and 12 before sealing: never sealed, named each round, everything else sealed."""
    log.write(50)
    log.seal()
    log.write(20, seed=3)
    rows: list[int] = []
    log.attack(lambda conn: rows.append(attack(conn, log)))
    log.write(20, streams=3, seed=4)
    done = log.seal(stretch=8)
    assert (rows[0], code) in [(left.row, left.code) for left in done.left]
    assert {left.code for left in done.left} <= {code, WAITING}
    assert set(log.queue()) == {left.row for left in done.left}
    assert set(log.rows()) <= set(log.queue()) | {row for _, row in log.leaves()}
    again = log.seal()
    assert (again.sealed, {left.code for left in again.left}) == (0, {left.code for left in done.left})
    assert log.verify().verdict == "tampered"


def test_successors_of_a_faulty_entry_wait_and_are_not_accused(log: BranchLog) -> None:
    log.write(1, streams=1)
    log.seal()
    log.write(3, streams=1)
    rows = log.queue()

    def spoil(conn: Connection) -> None:
        conn.execute(entries.update().where(entries.c.id == rows[0]).values(mac=b"\x00" * 32))

    log.attack(spoil)
    assert [(left.row, left.code) for left in log.seal().left] == [
        (rows[0], "mac_wrong"), (rows[1], WAITING), (rows[2], WAITING),
    ]  # fmt: skip


@pytest.mark.only("sqlite")
@examples(max_examples=15, deadline=None)
@given(seed=st.integers(min_value=0, max_value=10**6))
def test_any_order_of_writing_sealing_and_forging_keeps_the_books(
    migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Model: leaves and queue part the entries between them, leaves follow their streams, and nothing forged is in."""
    folder = tmp_path_factory.mktemp("model")
    shutil.copyfile(migrated_sqlite, folder / "casework.db")
    ensure_keys(folder / "keys")
    url = f"sqlite:///{folder / 'casework.db'}"
    opened = open_engine(url)
    log = BranchLog(Settings(database_url=url, keys_dir=folder / "keys"), opened, opened)
    chance, forged = random.Random(seed), set()
    for step in range(12):
        match chance.randrange(4):
            case 0 | 1:
                log.write(chance.randrange(1, 30), streams=4, seed=seed + step)
            case 2:
                log.seal(stretch=chance.randrange(1, 40))
            case _ if log.rows():
                stream = f"forged:{step}"

                def put(conn: Connection, stream: str = stream) -> None:
                    forged.add(forge(conn, log, stream, 1, b"\x02" * 32))

                log.attack(put)
            case _:
                pass
    log.write(1, streams=1)
    log.seal()
    found = [row for _, row in log.leaves()]
    assert len(found) == len(set(found))
    assert set(found) | set(log.queue()) == set(log.rows())
    assert set(log.queue()) == forged
    assert not set(found) & forged
    log.engine.dispose()


# --- how late


def test_the_age_of_the_oldest_waiting_entry_is_told(log: BranchLog) -> None:
    with reading(log.engine) as conn:
        assert seal.oldest_waiting_s(conn, log.clock) == 0
    log.write(2)
    log.clock()
    with reading(log.engine) as conn:
        assert seal.oldest_waiting_s(conn, log.clock) == 2
    log.seal()
    with reading(log.engine) as conn:
        assert seal.oldest_waiting_s(conn, log.clock) == 0


def test_a_watching_sealer_outlives_its_troubles(log: BranchLog) -> None:
    """Without a key no log can begin: it is told, and sealed as soon as the key is there."""
    (log.folder / "signing").rename(log.folder / "away")
    log.write(3)
    stop, told = threading.Event(), []

    def tell(one: seal.Round | CallerError | TryAgain) -> None:
        told.append(one)
        if len(told) == 2:
            (log.folder / "away").rename(log.folder / "signing")
        if isinstance(one, seal.Round):
            stop.set()

    log.sealer().watch(stop, every_s=0.01, tell=tell)
    assert [one.code for one in told[:2] if isinstance(one, CallerError)] == ["signing_key_missing"] * 2
    assert log.queue() == []


def test_a_tree_with_lost_tiles_is_not_built_on(log: BranchLog) -> None:
    log.write(600)
    log.seal()
    log.attack(lambda conn: conn.exec_driver_sql("DELETE FROM tiles WHERE level = 0 AND number = 1"))
    log.write(1)
    with pytest.raises(CallerError, match="missing") as caught:
        log.seal()
    assert caught.value.code == "tree_damaged"


AHEAD = [1, 5, 256, 2**40, 2**53 - 2, 2**53, 2**62]


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_leaf_far_ahead_is_refused_by_name_and_found_and_taken_away_sealing_goes_on(
    log: BranchLog, ahead: int
) -> None:
    """A writer of rows needs one INSERT for it. No log grows over a hole, whatever the size of the hole."""
    log.write(300)
    log.seal()
    end = len(log.leaves())
    values = {"log": log.log().number, "leaf_index": end + ahead if ahead < 2**60 else ahead, "entry": 10**9,
              "leaf_hash": bytes(32)}  # fmt: skip
    with writing(log.engine) as conn:
        conn.execute(leaves.insert().values(values))
    log.write(3)
    with pytest.raises(CallerError) as caught:
        log.seal()
    assert caught.value.code == "tree_damaged"
    found = log.verify()
    assert "leaf_hole" in {finding.code for finding in found.findings}
    log.attack(lambda conn: conn.execute(leaves.delete().where(leaves.c.leaf_index > end)))
    assert log.seal().sealed == 3
    assert log.verify().verdict == "sound"
