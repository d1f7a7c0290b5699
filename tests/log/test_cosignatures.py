"""Cosignatures on file, and what they prove of the times of entries: attacks 6, 7 and 11 of docs/evidence.md."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import utc_text
from casework.errors import CallerError
from casework.evidence.witness.checking import check_file
from casework.evidence.witness.folder import trust_also
from casework.log.check.handed import handed_notes
from casework.log.check.honoured import (
    change_of_entry,
    kept,
    opened,
    trusted_keys,
)
from casework.log.format import checkpoint, note
from casework.log.format.chain import leaf_hash, mac
from casework.log.format.checkpoint import Checkpoint, Cosigner, Trust
from casework.log.format.entry import decode_strict, encode
from casework.log.proving import cosigned_note, inclusion_of, published_note
from casework.log.tables import (
    checkpoints,
    cosignatures,
    entries,
    leaves,
    streams,
    unsealed,
)
from casework.log.write import receipt_keys, signer, witnesses
from casework.log.write.cosignatures import CosignaturesTaken, take_in
from casework.log.write.grown import root_at
from casework.log.write.receipt_keys import Announcing
from casework.log.write.trail import change_of, collecting
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.log.branch_log import ORIGIN, WRITER, BranchLog

WITNESS = Cosigner("witness.example", b"\x05" * 32)
OTHER = Cosigner("other.example", b"\x06" * 32)


@pytest.fixture
def log(settings: Settings, engine: Engine, owner_engine: Engine) -> BranchLog:
    """Two rounds, so that there are two checkpoints; one witness is known."""
    built = BranchLog(settings, engine, owner_engine)
    witnesses.add(built.folder, WITNESS.key.text)
    for number in range(2):
        built.write(12, streams=3, seed=number)
        built.seal()
    return built


def newest(log: BranchLog) -> Checkpoint:
    with reading(log.engine) as conn:
        return checkpoint.parse(note.parse(published_note(conn)).text)


def cosigned(log: BranchLog, by: Cosigner = WITNESS, *, after_s: float = 1) -> bytes:
    """The newest checkpoint as a witness signs it, so long after now."""
    with reading(log.engine) as conn:
        read = note.parse(published_note(conn))
    at = int((log.at + timedelta(seconds=after_s)).timestamp())
    return read.signed_also(by.cosign(checkpoint.parse(read.text), at)).encode()


def take(log: BranchLog, data: bytes) -> list[CosignaturesTaken]:
    with writing(log.engine) as conn:
        return take_in(conn, data, witnesses.known_witnesses(log.folder), log.clock())


def refused(log: BranchLog, data: bytes) -> str:
    with pytest.raises(CallerError) as caught:
        take(log, data)
    return caught.value.code


def known(log: BranchLog) -> list[Any]:
    return witnesses.known_witnesses(log.folder)


# --- taking in and giving out


def test_a_cosignature_is_taken_once_and_given_out_behind_the_logs_own(log: BranchLog) -> None:
    data = cosigned(log)
    assert [one.new for one in take(log, data)] == [True]
    assert [one.new for one in take(log, data)] == [False]
    assert [one.new for one in take(log, cosigned(log, after_s=2))] == [False]  # the first stays
    with reading(log.engine, snapshot=True) as conn:
        given = published_note(conn, known(log))
        assert given == data == cosigned_note(conn, known(log))
        proof = inclusion_of(conn, "test:1:1", known(log))
    assert [one.name for one in note.parse(given).signatures] == [ORIGIN, WITNESS.name]
    trust = Trust(ORIGIN, signer.known_keys(log.folder), known(log))
    assert [one.witness.name for one in trust.open(proof.checkpoint).cosigned] == [WITNESS.name]


def test_the_newest_cosigned_checkpoint_may_be_older_than_the_newest(log: BranchLog) -> None:
    data = cosigned(log)
    take(log, data)
    log.write(3)
    log.seal()
    with reading(log.engine, snapshot=True) as conn:
        assert cosigned_note(conn, known(log)) == data != published_note(conn, known(log))
        with pytest.raises(CallerError) as caught:
            cosigned_note(conn, [OTHER.key])
    assert caught.value.code == "no_cosigned_checkpoint"


@pytest.mark.only("sqlite")
def test_what_is_not_a_known_witnesss_signature_of_our_checkpoint_is_not_taken(log: BranchLog) -> None:
    good = cosigned(log)
    read = note.parse(good)
    tip = checkpoint.parse(read.text)
    at = int(log.at.timestamp()) + 1

    def made(other: Checkpoint) -> bytes:
        return note.SignedNote(other.text, (WITNESS.cosign(other, at),)).encode()

    blob = read.signatures[-1].blob
    spoilt = read.signatures[-1]._replace(blob=blob[:-1] + bytes([blob[-1] ^ 1]))
    assert refused(log, cosigned(log, OTHER)) == "witness_unknown"
    assert refused(log, read._replace(signatures=read.signatures[:1]).encode()) == "witness_unknown"
    assert refused(log, read._replace(signatures=(spoilt,)).encode()) == "cosignature_wrong"
    assert refused(log, good + b"\n") == "malformed_note"
    assert refused(log, b"") == "malformed_note"
    assert refused(log, made(tip._replace(root=b"\x01" * 32))) == "checkpoint_differs"
    assert refused(log, made(tip._replace(size=tip.size + 1))) == "unknown_checkpoint"
    assert refused(log, made(tip._replace(origin="other.example"))) == "unknown_checkpoint"
    assert refused(log, cosigned(log, after_s=3_600)) == "cosigned_time_off"
    assert refused(log, cosigned(log, after_s=-3_600)) == "cosigned_time_off"
    with reading(log.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(cosignatures)).scalar_one() == 0


@pytest.mark.only("sqlite")
def test_forged_rows_are_never_given_out(log: BranchLog) -> None:
    """Whatever the owner of the database writes there."""
    line = note.parse(cosigned(log)).signatures[-1].line.encode()
    for bad in (b"", b"nothing", line[:-1], line + line, line.replace(b"witness", b"wotness")):
        values = {"log": 1, "size": newest(log).size, "witness": WITNESS.key.text, "line": bad, "cosigned_at": 1,
                  "received_at": log.at}  # fmt: skip
        log.attack(lambda conn, values=values: conn.execute(cosignatures.insert().values(values)))  # type: ignore[misc]
        with reading(log.engine, snapshot=True) as conn:
            assert len(note.parse(published_note(conn, known(log))).signatures) == 1
        assert log.codes() == {"cosignature_wrong"}
        log.attack(lambda conn: conn.execute(cosignatures.delete()))


@pytest.mark.only("sqlite")
def test_a_forgotten_witness_is_neither_given_out_nor_held_against_the_log(log: BranchLog) -> None:
    take(log, cosigned(log))
    witnesses.remove(log.folder, WITNESS.name)
    with reading(log.engine, snapshot=True) as conn:
        assert len(note.parse(published_note(conn, known(log))).signatures) == 1
    assert log.verify().verdict == "sound"


@pytest.mark.only("sqlite")
def test_keys_of_witnesses_are_added_once_and_taken_for_no_other(log: BranchLog) -> None:
    assert witnesses.add(log.folder, WITNESS.key.text) == WITNESS.key
    assert known(log) == [WITNESS.key]
    for text in ("", "x", signer.read_keys(log.folder).present.key.text, WITNESS.secret_text):
        with pytest.raises(CallerError) as caught:
            witnesses.add(log.folder, text)
        assert caught.value.code == "witness_key_malformed"


# --- verification


def test_a_log_with_cosignatures_verifies_and_counts_them(log: BranchLog) -> None:
    take(log, cosigned(log))
    log.write(12)
    log.seal()
    witnesses.add(log.folder, OTHER.key.text)
    take(log, cosigned(log))
    take(log, cosigned(log, OTHER))
    report = log.verify()
    assert (report.verdict, report.cosignatures) == ("sound", 3)


def edit_time(conn: Connection) -> None:
    conn.execute(cosignatures.update().values(cosigned_at=cosignatures.c.cosigned_at + 1))


def edit_line(conn: Connection) -> None:
    line = bytes(conn.execute(sa.select(cosignatures.c.line)).scalar_one())
    conn.execute(cosignatures.update().values(line=line[:-6] + b"AAAA=\n"))


def give_to_another(conn: Connection) -> None:
    conn.execute(cosignatures.update().values(witness=OTHER.key.text))


def name_nobody(conn: Connection) -> None:
    conn.execute(cosignatures.update().values(witness="nobody"))


def move_to_another_size(conn: Connection) -> None:
    least = conn.execute(sa.select(sa.func.min(checkpoints.c.size))).scalar_one()
    conn.execute(cosignatures.update().values(size=least))


def move_to_no_checkpoint(conn: Connection) -> None:
    conn.execute(cosignatures.update().values(size=7_777))


def delete_checkpoint(conn: Connection) -> None:
    size = conn.execute(sa.select(cosignatures.c.size)).scalar_one()
    conn.execute(checkpoints.delete().where(checkpoints.c.size == size))


def move_to_no_log(conn: Connection) -> None:
    conn.execute(cosignatures.update().values(log=9))


def test_cosignatures_that_were_touched_are_found(log: BranchLog) -> None:
    take(log, cosigned(log))
    with reading(log.engine) as conn:
        rows = [dict(row) for row in conn.execute(sa.select(cosignatures)).mappings()]

    def put_back(conn: Connection) -> None:
        conn.execute(cosignatures.delete())
        conn.execute(cosignatures.insert(), rows)

    attacks: list[tuple[Callable[[Connection], None], str]] = [
        (edit_time, "cosignature_wrong"), (edit_line, "cosignature_wrong"), (give_to_another, "cosignature_wrong"),
        (name_nobody, "cosignature_wrong"), (move_to_another_size, "cosignature_wrong"),
        (move_to_no_checkpoint, "cosignature_unknown_checkpoint"),
        (delete_checkpoint, "cosignature_unknown_checkpoint"), (move_to_no_log, "log_missing"),
    ]  # fmt: skip
    for attack, code in attacks:
        log.attack(attack)
        assert log.codes() == {code}, attack.__name__
        log.attack(put_back)


# --- attacks 6 and 7: times


def write_at(log: BranchLog, hours: float) -> None:
    """An entry that the service writes, MAC and all, with another time than now: its clock was set, or it lies."""
    at, log.at = log.at, log.at + timedelta(hours=hours)
    with writing(log.engine) as conn:
        trail = log.trail()
        log.add(conn, trail, "test:90")
        trail.write(conn)
    log.at = at


def test_attack_6_an_entry_dated_back_behind_a_cosignature(log: BranchLog) -> None:
    """Everything is signed with the real keys and consistent; only the witness's time speaks against it."""
    take(log, cosigned(log))
    write_at(log, -24)
    log.seal()
    report = log.verify()
    (finding,) = report.findings
    assert (finding.code, finding.stream, finding.stream_seq) == ("back_dated_behind_cosignature", "test:90", 1)
    assert finding.detail["cosigned_size"] == finding.detail["leaf_index"]
    witnesses.remove(log.folder, WITNESS.name)
    assert log.codes() == set()  # nobody would have known


def kept_by_the_witness(log: BranchLog, folder: Path) -> Path:
    """Its own folder after it looked at the newest checkpoint, by the product's own hand."""
    shown = folder.with_name("shown")
    with reading(log.engine) as conn:
        shown.write_bytes(published_note(conn))
    folder.mkdir(mode=0o700)
    (folder / "key").write_text(f"{WITNESS.secret_text}\n")
    (folder / "key").chmod(0o600)
    trust_also(folder, [key.text for key in signer.known_keys(log.folder)])
    check_file(folder, shown, clock=log.clock)
    return folder


def forget_all(conn: Connection) -> None:
    conn.execute(cosignatures.delete())


@pytest.mark.parametrize("brought", ["folder", "file", "nothing"])
def test_deleting_the_rows_of_cosignatures_hides_nothing_from_who_brings_what_a_witness_keeps(
    log: BranchLog, tmp_path: Path, brought: str
) -> None:
    folder = kept_by_the_witness(log, tmp_path / "witness")
    (note_file,) = (folder / "cosigned").iterdir()
    take(log, note_file.read_bytes())
    write_at(log, -24)
    log.seal()
    assert log.codes() == {"back_dated_behind_cosignature"}
    log.attack(forget_all)
    if brought == "nothing":
        assert log.codes() == set()  # the twin: who has nothing is told nothing
        return
    handed = handed_notes(log.folder, folder if brought == "folder" else note_file)
    report = log.verify(handed=handed)
    assert {finding.code for finding in report.findings} == {"back_dated_behind_cosignature"}
    assert (report.trust, [seen["witness"] for seen in report.witnessed]) == ("trusted_checkpoint", [WITNESS.name])
    assert {finding.code for finding in log.verify(handed=handed, witnesses=[]).findings} == set()


@pytest.mark.only("sqlite")
def test_a_sound_log_is_sound_with_what_its_witness_keeps_and_a_silent_witness_cannot_be_told(
    log: BranchLog, tmp_path: Path
) -> None:
    handed = handed_notes(log.folder, kept_by_the_witness(log, tmp_path / "witness"))
    report = log.verify(handed=handed, asked=[WITNESS.key])
    assert (report.verdict, report.findings) == ("sound", [])
    silent = log.verify(handed=handed, witnesses=[WITNESS.key, OTHER.key], asked=[OTHER.key])
    assert (silent.verdict, [doubt.code for doubt in silent.doubts]) == ("cannot_tell", ["witness_not_seen"])
    assert log.verify(asked=[WITNESS.key]).verdict == "cannot_tell"
    take(log, handed[0].signed.encode())
    assert log.verify(asked=[WITNESS.key]).verdict == "sound"


@pytest.mark.only("sqlite")
def test_a_folder_without_a_checkpoint_of_this_log_is_refused_by_name(log: BranchLog, tmp_path: Path) -> None:
    for name in ("empty", "other", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "new/key").write_text(WITNESS.secret_text)
    (tmp_path / "other/1").write_bytes(b"nothing")
    for name, reason in (("empty", "no_checkpoint"), ("new", "no_checkpoint"), ("none", "unreadable"), ("other", None)):
        with pytest.raises(CallerError) as caught:
            handed_notes(log.folder, tmp_path / name)
        assert (caught.value.code, caught.value.facts["reason"]) == (
            "checkpoint_not_trusted",
            reason or "no_signatures",
        )


def test_attack_7_an_entry_dated_ahead_of_the_cosignature_that_covers_it(log: BranchLog) -> None:
    write_at(log, +24)
    log.seal()
    assert log.codes() == set()
    take(log, cosigned(log))
    (finding,) = log.verify().findings
    assert (finding.code, finding.stream) == ("dated_ahead_of_cosignature", "test:90")


def test_attack_7_sealing_that_stood_still_while_a_witness_looked_shows(log: BranchLog) -> None:
    """Entries are written and held back from the tree; the witness signs the old tree in between."""
    log.write(2, seed=9)
    log.at += timedelta(hours=3)
    take(log, cosigned(log))
    log.seal()
    assert log.codes() == {"back_dated_behind_cosignature"}


@pytest.mark.only("sqlite")
def test_an_entry_sealed_a_little_late_is_no_finding(log: BranchLog) -> None:
    """A long transaction: its entries bear the time of its beginning."""
    log.write(2, seed=9)
    log.at += timedelta(minutes=5)
    take(log, cosigned(log))
    log.seal()
    assert log.codes() == set()


# --- receipts: attack 11


def receipted(log: BranchLog, stream: str = "test:50") -> bytes:
    """Write an entry and get a receipt for it."""
    receipt_keys.make_once(log.folder, ORIGIN)
    quick = receipt_keys.read_signer(log.folder)
    assert quick is not None
    with writing(log.engine) as conn:
        collected = collecting(conn)
        trail = log.trail()
        log.add(conn, trail, stream)
        trail.write(conn)
    change = change_of(collected)
    assert change is not None
    return quick.sign(change)


def standings(log: BranchLog, data: bytes) -> list[str]:
    with reading(log.engine, snapshot=True) as conn:
        return [one.standing for one in kept(conn, opened(data, trusted_keys(conn, log.folder)).receipt.entries)]


def test_a_receipt_is_kept_once_the_entry_is_sealed(log: BranchLog) -> None:
    data = receipted(log)
    assert standings(log, data) == ["not_sealed_yet"]
    log.seal()
    assert standings(log, data) == ["included"]


def delete_unsealed(conn: Connection) -> None:
    """Attack 11: before the sealer comes, the last entry of a stream, its queue row and its head."""
    row = conn.execute(sa.select(entries).where(entries.c.stream == "test:50")).one()
    conn.execute(unsealed.delete().where(unsealed.c.entry == row.id))
    conn.execute(entries.delete().where(entries.c.id == row.id))
    conn.execute(streams.delete().where(streams.c.stream == "test:50"))


def unqueue(conn: Connection) -> None:
    row = conn.execute(sa.select(entries.c.id).where(entries.c.stream == "test:50")).scalar_one()
    conn.execute(unsealed.delete().where(unsealed.c.entry == row))


@pytest.mark.parametrize("attack", [delete_unsealed, unqueue])
def test_attack_11_an_entry_deleted_before_sealing_is_convicted_by_its_receipt_alone(
    log: BranchLog, attack: Callable[[Connection], None]
) -> None:
    data = receipted(log)
    log.attack(attack)
    log.seal()
    if attack is delete_unsealed:
        assert log.codes() == set()  # the log knows nothing of it
    assert standings(log, data) == ["receipt_not_honoured"]


def test_attack_11_an_entry_replaced_before_sealing_is_convicted_too(log: BranchLog) -> None:
    data = receipted(log)

    def replace(conn: Connection) -> None:
        row = conn.execute(sa.select(entries).where(entries.c.stream == "test:50")).one()
        body = encode(msgspec.structs.replace(decode_strict(bytes(row.body)), data={"number": 77}))
        leaf = leaf_hash(body)
        values = {"body": body, "leaf_hash": leaf, "mac": mac(log.mac_key, leaf)}
        conn.execute(entries.update().where(entries.c.id == row.id).values(values))
        conn.execute(streams.update().where(streams.c.stream == "test:50").values(audit_head=leaf))

    log.attack(replace)
    log.seal()
    assert log.codes() == set()
    assert standings(log, data) == ["receipt_not_honoured"]


def test_attack_11_the_next_entrys_link_shows_it_where_there_is_a_next_one(log: BranchLog) -> None:
    receipted(log)
    receipted(log)

    def delete_first(conn: Connection) -> None:
        at = (entries.c.stream == "test:50") & (entries.c.stream_seq == 1)
        row = conn.execute(sa.select(entries.c.id).where(at)).scalar_one()
        conn.execute(unsealed.delete().where(unsealed.c.entry == row))
        conn.execute(entries.delete().where(entries.c.id == row))

    log.attack(delete_first)
    assert [one.code for one in log.seal().left] != []
    assert "stream_hole" in log.codes()


@pytest.mark.only("sqlite")
def test_an_entry_swapped_in_the_tree_does_not_honour_its_receipt(log: BranchLog) -> None:
    data = receipted(log)
    log.seal()

    def swap(conn: Connection) -> None:
        row = conn.execute(sa.select(entries.c.id).where(entries.c.stream == "test:50")).scalar_one()
        conn.execute(leaves.update().where(leaves.c.entry == row).values(leaf_hash=b"\x01" * 32))

    log.attack(swap)
    assert standings(log, data) == ["receipt_not_honoured"]


def test_a_receipt_is_made_of_the_body_and_not_of_a_row_that_was_changed(log: BranchLog) -> None:
    with reading(log.engine) as conn:
        change = change_of_entry(conn, "test:1:1", log.mac_key)
        assert change_of_entry(conn, "test:1:1", log.mac_key, of_actor=WRITER.id) == change
        for entry_id, actor in (("test:1:1", "S2"), ("test:1:9999", None), ("x", None), ("test:1:", None)):
            with pytest.raises(CallerError) as caught:
                change_of_entry(conn, entry_id, log.mac_key, of_actor=actor)
            assert caught.value.code == "unknown_entry"
    at = (entries.c.stream == "test:1") & (entries.c.stream_seq == 1)
    log.attack(lambda conn: conn.execute(entries.update().where(at).values(leaf_hash=b"\x01" * 32)))
    with reading(log.engine) as conn, pytest.raises(CallerError) as caught:
        change_of_entry(conn, "test:1:1", log.mac_key)
    assert caught.value.code == "proof_fails"


def test_no_receipt_is_made_for_an_entry_in_perfect_form_that_the_service_did_not_write(log: BranchLog) -> None:
    at = (entries.c.stream == "test:2") & (entries.c.stream_seq == 1)

    def forge(conn: Connection) -> None:
        leaf = bytes(conn.execute(sa.select(entries.c.leaf_hash).where(at)).scalar_one())
        conn.execute(entries.update().where(at).values(mac=mac(b"\x07" * 32, leaf)))

    log.attack(forge)
    with reading(log.engine) as conn:
        with pytest.raises(CallerError) as caught:
            change_of_entry(conn, "test:2:1", log.mac_key)
        assert change_of_entry(conn, "test:1:1", log.mac_key).entries  # its twin, untouched
    assert caught.value.code == "proof_fails"


@pytest.mark.only("sqlite")
def test_only_a_key_of_this_service_makes_receipts_that_are_believed(log: BranchLog) -> None:
    forged = note.LogSigner(f"{ORIGIN}/receipts", b"\x09" * 32)
    data = receipted(log)
    text = note.parse(data).text
    with reading(log.engine, snapshot=True) as conn, pytest.raises(CallerError) as caught:
        opened(note.SignedNote(text, (forged.sign(text),)).encode(), trusted_keys(conn, log.folder))
    assert caught.value.code == "receipt_not_trusted"


# --- the key of receipts


def announce(log: BranchLog) -> None:
    Announcing(log.engine, log.folder, log.trail, WRITER)()


def announced(log: BranchLog) -> list[str]:
    with reading(log.engine) as conn:
        return receipt_keys.announced(conn, log.log())


def test_the_log_says_once_which_key_signs_receipts_and_again_after_a_loss(log: BranchLog) -> None:
    announce(log)
    assert announced(log) == []  # there is no key
    receipt_keys.make_once(log.folder, ORIGIN)
    announce(log)
    announce(log)
    (first,) = announced(log)
    (log.folder / receipt_keys.KEY_FILE).unlink()
    announce(log)
    assert receipt_keys.make_once(log.folder, ORIGIN)
    assert not receipt_keys.make_once(log.folder, ORIGIN)
    announce(log)
    assert [key.text for key in receipt_keys.known_keys(log.folder)] == announced(log)
    assert announced(log)[0] == first != announced(log)[1]
    log.seal()
    assert log.verify().verdict == "sound"


@pytest.mark.only("sqlite")
def test_a_receipt_is_checked_with_the_announced_key_when_the_files_are_gone(log: BranchLog) -> None:
    data = receipted(log)
    announce(log)
    log.seal()
    (log.folder / receipt_keys.KNOWN_FILE).unlink()
    (log.folder / receipt_keys.KEY_FILE).unlink()
    assert standings(log, data) == ["included"]


def test_a_log_that_begins_says_it_in_its_first_round(settings: Settings, engine: Engine, owner_engine: Engine) -> None:
    built = BranchLog(settings, engine, owner_engine)
    receipt_keys.make_once(built.folder, ORIGIN)
    built.write(3)
    built.seal()
    assert len(announced(built)) == 1
    with reading(engine) as conn:
        assert root_at(conn, built.log(), 5) == newest(built).root


@pytest.mark.only("sqlite")
def test_a_key_that_others_can_read_signs_nothing(log: BranchLog) -> None:
    receipt_keys.make_once(log.folder, ORIGIN)
    (log.folder / receipt_keys.KEY_FILE).chmod(0o644)
    assert receipt_keys.read_signer(log.folder) is None


def test_no_log_is_named_as_the_first_line_of_a_receipt() -> None:
    with pytest.raises(CallerError) as caught:
        signer.new_key("casework/audit/v1/receipt")
    assert caught.value.code == "origin_malformed"


@pytest.mark.only("sqlite")
def test_entries_are_collected_with_the_latest_of_their_times(log: BranchLog) -> None:
    with writing(log.engine) as conn:
        collected = collecting(conn)
        trail = log.trail()
        log.add(conn, trail, "test:60")
        log.add(conn, trail, "test:61")
        trail.write(conn)
    change = change_of(collected)
    assert change is not None
    assert change.recorded_at == utc_text(trail.recorded_at)
    assert [one.entry_id for one in change.entries] == ["test:60:1", "test:61:1"]
    assert all(len(one.leaf) == 32 for one in change.entries)
    assert change_of([]) is None
