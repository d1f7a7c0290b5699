"""The signer signs only what goes on from what it signed last; whatever it loses stops no writer and no leaf."""

import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from casework.errors import CallerError
from casework.log.check.handed import trusted_file
from casework.log.format import key_history, note
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Trust
from casework.log.format.entry import decode_strict
from casework.log.format.proof import verify_consistency
from casework.log.proving import consistency_of, inclusion_of, published_note
from casework.log.tables import entries, leaves
from casework.log.tables import logs as log_rows
from casework.log.write import logs, signer
from casework.log.write.grown import last_published
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.conftest import Database
from tests.log.branch_log import ORIGIN, START, WRITER, BranchLog, another
from tests.postgres_server import OWNER


@pytest.fixture
def log(settings: Settings, engine: Engine, owner_engine: Engine) -> BranchLog:
    return BranchLog(settings, engine, owner_engine)


def newest(log: BranchLog) -> bytes:
    with reading(log.engine) as conn:
        return published_note(conn)


def refusal(log: BranchLog) -> str | None:
    refused = log.seal().refused
    return refused.code if refused else None


# --- signing


def test_a_checkpoint_is_a_note_of_the_log_that_its_verifier_key_opens(log: BranchLog) -> None:
    log.write(20)
    done = log.seal()
    signed = Trust(ORIGIN, signer.known_keys(log.folder)).open(newest(log))
    assert signed.checkpoint == done.checkpoint == signer.read_memory(log.folder)
    assert signed.checkpoint.size == 21


def test_the_memory_is_on_the_disk_before_the_checkpoint_is_published(
    log: BranchLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost between the two, it is published by the next round, byte for byte what was remembered."""
    log.write(5)

    def lost(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(signer, "_publish", lost)
        with pytest.raises(ConnectionError):
            log.seal()
    remembered = (log.folder / signer.MEMORY_FILE).read_bytes()
    with reading(log.engine) as conn:
        assert last_published(conn, log.log()) is None
    assert log.verify().trust == "signer_memory"
    assert log.seal().refused is None
    assert newest(log) == remembered


def test_nothing_is_signed_twice(log: BranchLog) -> None:
    log.write(5)
    assert log.seal().checkpoint is not None
    assert log.seal().checkpoint is None


def test_the_files_are_its_owners_alone(log: BranchLog) -> None:
    log.write(1)
    log.seal()
    for name in (signer.KEYS_FILE, signer.MEMORY_FILE, signer.KNOWN_FILE):
        assert stat.S_IMODE((log.folder / name).stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(signer.read_keys(log.folder).present)


def test_a_second_making_of_keys_leaves_the_first(log: BranchLog) -> None:
    before = (log.folder / signer.KEYS_FILE).read_bytes()
    assert signer.make_keys_once(log.folder, "other.example") is False
    assert (log.folder / signer.KEYS_FILE).read_bytes() == before


# --- losses


def test_without_its_key_leaves_are_sealed_unsigned_until_it_is_back(log: BranchLog) -> None:
    log.write(5)
    log.seal()
    (log.folder / signer.KEYS_FILE).rename(log.folder / "away")
    log.write(7)
    done = log.seal()
    assert (done.sealed, log.queue()) == (7, [])
    assert done.refused is not None
    assert done.refused.code == "signing_key_missing"
    assert log.verify().verdict == "sound"  # what is signed still holds
    (log.folder / "away").rename(log.folder / signer.KEYS_FILE)
    signed = log.seal().checkpoint
    assert signed is not None
    assert signed.size == 13


def test_a_lost_key_is_not_replaced_by_another_in_silence(log: BranchLog) -> None:
    (log.folder / signer.KEYS_FILE).unlink()
    assert signer.make_keys_once(log.folder, ORIGIN) is False
    assert not (log.folder / signer.KEYS_FILE).exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"origin":"a","keys":[]}', b'{"origin":"a","keys":[{"secret":"x"}]}']
)
def test_a_key_file_that_holds_no_key_is_refused(log: BranchLog, content: bytes) -> None:
    (log.folder / signer.KEYS_FILE).write_bytes(content)
    with pytest.raises(CallerError) as caught:
        signer.read_keys(log.folder)
    assert caught.value.code == "signing_key_unsafe"


def test_a_key_file_that_others_may_read_is_refused(log: BranchLog) -> None:
    (log.folder / signer.KEYS_FILE).chmod(0o640)
    with pytest.raises(CallerError) as caught:
        signer.read_keys(log.folder)
    assert caught.value.code == "signing_key_unsafe"


def test_without_its_memory_it_signs_nothing_more(log: BranchLog) -> None:
    """Else a rewritten history would get the real key's signature."""
    log.write(5)
    log.seal()
    kept = newest(log)
    (log.folder / signer.MEMORY_FILE).unlink()
    log.write(5)
    assert refusal(log) == "signer_memory_missing"
    report = log.verify()
    assert (report.verdict, [doubt.code for doubt in report.doubts]) == ("cannot_tell", ["memory_missing"])
    signer.write_memory(log.folder, kept)  # `casework keys remember`
    assert refusal(log) is None
    assert log.verify().verdict == "sound"


def test_a_memory_that_is_no_checkpoint_is_refused(log: BranchLog) -> None:
    log.write(5)
    log.seal()
    (log.folder / signer.MEMORY_FILE).write_bytes(newest(log)[:-3])
    log.write(1)
    assert refusal(log) == "signer_memory_malformed"


# --- another history


def cut(conn: Connection, keep: int) -> None:
    """Attack 4: entries, leaves, checkpoints gone behind leaf `keep`, heads set back."""
    gone = sa.select(leaves.c.entry).where(leaves.c.leaf_index >= keep)
    conn.execute(entries.delete().where(entries.c.id.in_(gone)))
    conn.execute(leaves.delete().where(leaves.c.leaf_index >= keep))
    conn.exec_driver_sql(f"DELETE FROM checkpoints WHERE size > {keep}")
    conn.exec_driver_sql("DELETE FROM tiles")


def copied(log: BranchLog, database: Database, folder: Path) -> str:
    """A copy of the database as it is now; its URL."""
    log.engine.dispose()
    log.owner.dispose()
    if database.server is None:
        shutil.copyfile(database.url.removeprefix("sqlite:///"), folder / "backup.db")
        return f"sqlite:///{folder / 'backup.db'}"
    name = make_url(database.url).database or ""
    database.server.create_database(f"{name}_backup", template=name)
    return database.server.url(f"{name}_backup", OWNER)


def test_a_restored_backup_is_refused_until_a_new_log_states_the_loss(
    log: BranchLog, database: Database, tmp_path: Path
) -> None:
    """Attack 16: the copy verifies in itself, and the signer's memory alone tells; recovery is a new origin."""
    log.write(10)
    log.seal()
    url = copied(log, database, tmp_path)
    log.write(15)
    log.seal()
    restored = another(log, url)
    restored.write(3)
    assert refusal(restored) == "tree_shrank"
    assert restored.queue() == []  # sealed all the same
    assert restored.codes() == {"memory_beyond_tree"}
    recover(restored)
    restored.engine.dispose()
    if database.server is not None:
        database.server.drop_database(make_url(url).database or "")


def test_a_database_that_was_cut_is_refused_until_a_new_log_states_the_loss(log: BranchLog) -> None:
    log.write(10)
    log.seal()
    log.write(15, streams=1)
    log.seal()
    log.attack(lambda conn: cut(conn, 11))
    log.attack(lambda conn: conn.exec_driver_sql("DELETE FROM unsealed"))
    assert refusal(log) == "tree_shrank"
    assert "memory_beyond_tree" in log.codes()


def recover(log: BranchLog) -> None:
    """`casework keys rotate --new-origin`, and what must hold afterwards."""
    held = signer.read_memory(log.folder)
    assert held is not None
    before = len(log.rows())
    with signer.held(log.folder), writing(log.engine) as conn:
        keys, _ = logs.begin_anew(conn, log.trail(), WRITER, log.folder, "log.example/2", reason_code="restored_backup")
    assert len(log.queue()) == before
    assert refusal(log) is None
    with reading(log.engine) as conn:
        first = sa.select(entries.c.body).join(leaves, leaves.c.entry == entries.c.id)
        entry = decode_strict(
            bytes(conn.execute(first.where(leaves.c.log == 2, leaves.c.leaf_index == 0)).scalar_one())
        )
    assert (entry.stream, entry.event) == ("log:2", "log.begun")
    stated = entry.data["succeeds"]
    assert (stated["origin"], stated["reason"]) == (ORIGIN, "restored_backup")
    assert (stated["signed_size"], stated["signed_root"]) == (held.size, held.root.hex())
    assert stated["lost_leaves"] == held.size - stated["found_size"] > 0
    signed = Trust("log.example/2", [keys.present.key]).open(newest(log)).checkpoint
    assert signed.size == before + 1
    report = log.verify()
    assert (report.findings, report.trust) == ([], "signer_memory")
    log.write(5)
    assert log.seal().sealed == 5


def test_the_copy_from_before_the_first_sealing_begins_no_log_under_the_old_name(
    log: BranchLog, owner_engine: Engine
) -> None:
    log.write(5)
    log.seal()

    def back(conn: Connection) -> None:
        for table in ("leaves", "tiles", "checkpoints", "logs"):
            conn.exec_driver_sql(f"DELETE FROM {table}")
        conn.exec_driver_sql("INSERT INTO unsealed SELECT id FROM entries")

    log.attack(back)
    with pytest.raises(CallerError) as caught:
        log.seal()
    assert caught.value.code == "tree_shrank"
    assert "memory_beyond_tree" in log.codes()


def test_a_name_is_used_for_one_log_only(log: BranchLog) -> None:
    log.write(1)
    log.seal()
    with pytest.raises(CallerError) as caught, signer.held(log.folder), writing(log.engine) as conn:
        logs.begin_anew(conn, log.trail(), WRITER, log.folder, ORIGIN, reason_code="key_lost")
    assert caught.value.code == "origin_taken"
    with reading(log.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(log_rows)).scalar_one() == 1


# --- a new key


def test_a_new_key_comes_with_the_old_ones_signature_and_both_sign_for_a_while(log: BranchLog) -> None:
    log.write(5)
    log.seal()
    old = signer.read_keys(log.folder).present.key
    with signer.held(log.folder), writing(log.engine) as conn:
        changed = logs.rotate(conn, log.trail(), WRITER, log.folder, overlap=timedelta(days=30))
    new = changed.present.key
    log.write(5)
    log.seal()
    for key in (old, new):
        assert Trust(ORIGIN, [key]).open(newest(log)).checkpoint.size == 12
    with reading(log.engine) as conn:
        at = (entries.c.stream == "log:1") & (entries.c.event == "log.key_changed")
        data = decode_strict(bytes(conn.execute(sa.select(entries.c.body).where(at)).scalar_one())).data
    assert (data["old_key"], data["new_key"]) == (old.text, new.text)
    text = key_history.change_text(log.log().origin, old, new, data["both_until"])
    assert old.signed(text, note.from_base64(data["signature"]))
    assert not new.signed(text, note.from_base64(data["signature"]))
    log.at = START + timedelta(days=31)
    log.write(1)
    log.seal()
    assert [key.key_id for key in note.parse(newest(log)).signatures] == [new.key_id]
    assert log.verify().verdict == "sound"


def test_a_change_of_keys_that_is_not_committed_leaves_a_signer_that_verifies(log: BranchLog) -> None:
    """The file may be ahead of the database: both keys sign, and the change can be made again."""
    log.write(5)
    log.seal()
    old = signer.read_keys(log.folder).present.key
    with pytest.raises(ZeroDivisionError), signer.held(log.folder), writing(log.engine) as conn:
        logs.rotate(conn, log.trail(), WRITER, log.folder, overlap=timedelta(days=30))
        raise ZeroDivisionError
    log.write(1)
    log.seal()
    assert Trust(ORIGIN, [old]).open(newest(log)).checkpoint.size == 7
    assert log.verify().verdict == "sound"


# --- proofs


def test_any_entry_is_proven_under_any_later_checkpoint(log: BranchLog) -> None:
    """Proofs read from tiles verify with the verifier key alone, and old checkpoints lead to new ones."""
    sizes, trust = [], Trust(ORIGIN, signer.known_keys(log.folder))
    for number in range(4):
        log.write(200, seed=number)
        log.seal()
        sizes.append(trust.open(newest(log)).checkpoint)
    with reading(log.engine, snapshot=True) as conn:
        for stream, seq, body in conn.execute(sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body)).all()[
            ::37
        ]:
            proof = inclusion_of(conn, f"{stream}:{seq}")
            assert proof.verify(leaf_hash(bytes(body)), trust).checkpoint == sizes[-1]
        for old in sizes:
            for new in sizes:
                if old.size <= new.size:
                    verify_consistency(old, new, consistency_of(conn, old.size, new.size))


def test_what_cannot_be_proven_is_told(log: BranchLog) -> None:
    with reading(log.engine) as conn, pytest.raises(CallerError) as caught:
        inclusion_of(conn, "test:0:1")
    assert caught.value.code == "log_not_begun"
    log.write(3, streams=1)
    log.seal()
    log.write(1, streams=1)
    for entry_id, code in (
        ("test:0:4", "not_sealed_yet"),
        ("test:0:5", "unknown_entry"),
        ("nonsense", "unknown_entry"),
    ):
        with reading(log.engine) as conn, pytest.raises(CallerError) as caught:
            inclusion_of(conn, entry_id)
        assert caught.value.code == code
    for old, new in ((2, 1), (1, 5)):
        with reading(log.engine) as conn, pytest.raises(CallerError) as caught:
            consistency_of(conn, old, new)
        assert caught.value.code == "size_unknown"


def test_a_proof_from_a_changed_tree_is_not_handed_out(log: BranchLog) -> None:
    log.write(10, streams=1)
    log.seal()
    log.attack(
        lambda conn: conn.execute(leaves.update().where(leaves.c.leaf_index == 3).values(leaf_hash=b"\x00" * 32))
    )
    with reading(log.engine) as conn, pytest.raises(CallerError) as caught:
        inclusion_of(conn, "test:0:1")
    assert caught.value.code == "proof_fails"


def test_a_checkpoint_of_another_log_is_not_trusted(log: BranchLog, tmp_path: Path) -> None:
    """Attack 15, and a file that is nothing."""
    log.write(1)
    log.seal()
    good = tmp_path / "good"
    good.write_bytes(newest(log))
    assert trusted_file(log.folder, good).size == 2
    other = note.LogSigner("other.example", b"\x07" * 32)
    checkpoint = trusted_file(log.folder, good)
    (tmp_path / "other").write_bytes(checkpoint._replace(origin="other.example").signed(other))
    (tmp_path / "forged").write_bytes(checkpoint.signed(note.LogSigner(ORIGIN, b"\x07" * 32)))
    (tmp_path / "nothing").write_bytes(b"")
    for name in ("other", "forged", "nothing", "absent"):
        with pytest.raises(CallerError) as caught:
            trusted_file(log.folder, tmp_path / name)
        assert caught.value.code == "checkpoint_not_trusted"
