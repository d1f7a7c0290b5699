"""What a verified bundle means: every covered bit counts, whose word was taken, and how far a period goes."""

import os
import random
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.evidence.bundle import links
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.layout import SCHEMA, BundleManifest, Scope
from casework.evidence.bundle.links import Link, Links
from casework.evidence.bundle.source import Source
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import Deep, verify_bundle
from casework.log.check.findings import Report
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Checkpoint, Cosigner
from casework.log.format.entry import encode
from casework.log.format.key_history import CHANGED, change_text
from casework.log.format.note import LogSigner, to_base64
from tests.bundle.forged import (
    ORIGIN,
    OTHER,
    REAL,
    Case,
    bodies,
    codes,
    doubts,
    entry,
    note_of,
    put,
    signed,
    write,
)
from tests.bundle.written import WITNESS, branch_log, cosign, exported, grow

SIZE = 600
COVERED = ("checkpoint", "checkpoints/300", "tile/entries/000", "tile/entries/002.p/88", "tile/0/001", "tile/1/000.p/2")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A bundle that tests may change as long as they put it back."""
    found = bodies(SIZE)
    return Case(write(tmp_path_factory.mktemp("whole") / "bundle", found, earlier=(300,)), found)


@pytest.fixture(scope="module")
def cosigned(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """One as the product writes it, both checkpoints cosigned by the witness that the branch knows."""
    with branch_log(tmp_path_factory.mktemp("log"), migrated_sqlite) as log:
        for size in (300, SIZE):
            grow(log, size)
            cosign(log)
        return exported(log, tmp_path_factory.mktemp("written") / "bundle")


@given(path=st.sampled_from(COVERED), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_in_a_covered_byte_is_found(cosigned: Path, path: str, place: float, bit: int) -> None:
    """A line of a witness whose name is spoilt is nobody's: that the file was changed is all that can be told."""
    before = (cosigned / path).read_bytes()
    data, at = bytearray(before), int(place * len(before))
    data[at] ^= 1 << bit
    (cosigned / path).write_bytes(data)
    try:
        report = verify_bundle(cosigned, KeysHeld(witnesses=[WITNESS.key]), jobs=1)
        of_a_witness = path.startswith("checkpoint") and at >= before.rindex("— ".encode())
        assert report.verdict in ({"tampered", "cannot_tell"} if of_a_witness else {"tampered"}), (path, at, bit)
    finally:
        (cosigned / path).write_bytes(before)


def test_the_bundle_is_sound_before_a_bit_is_flipped(cosigned: Path) -> None:
    report = verify_bundle(cosigned, KeysHeld(witnesses=[WITNESS.key]))
    assert (report.verdict, report.entries, report.cosignatures) == ("sound", SIZE, 2)


def test_with_nothing_held_a_bundle_is_consistent_with_itself_and_says_no_more(whole: Case) -> None:
    report = whole.verify()
    assert (report.verdict, report.trust) == ("sound", "self_consistent_only")
    assert (report.entries, report.leaves, report.checkpoints, report.streams) == (SIZE, SIZE, 2, 8)
    assert (report.first_recorded_at, report.last_recorded_at) == (
        "2026-01-11T01:30:00.000000Z", "2026-01-11T11:29:00.000000Z"
    )  # fmt: skip


def test_processes_beside_give_the_same_report(tmp_path: Path) -> None:
    found = bodies(256 * 70)
    folder = write(tmp_path / "bundle", found)
    Case(folder, found).edit("tile/entries/050", lambda data: data.replace(b'"number":12900}', b'"number":12901}'))
    one, two = (verify_bundle(folder, KeysHeld(), jobs=jobs).as_json() for jobs in (1, 2))
    one["checked"].pop("seconds"), two["checked"].pop("seconds")
    one["checked"].pop("entries_per_second"), two["checked"].pop("entries_per_second")
    assert one == two
    assert {finding["code"] for finding in one["findings"]} == {"body_changed", "checkpoint_root_differs"}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 511, 512, SIZE])
def test_a_checkpoint_of_any_size_that_the_log_passed_is_consistent_with_it(whole: Case, size: int) -> None:
    held = KeysHeld(trusted=note_of(signed(whole.bodies, size)))
    report = Case(whole.folder, whole.bodies, held).verify()
    assert report.verdict == "sound"
    assert report.trust == ("trusted_checkpoint" if size else "self_consistent_only")


def test_a_held_checkpoint_that_the_log_did_not_sign_convinces_nobody(whole: Case) -> None:
    held = KeysHeld(trusted=note_of(signed(whole.bodies, 300, OTHER)))
    report = Case(whole.folder, whole.bodies, held).verify()
    assert codes(report) == {"trusted_not_signed"}
    assert report.trust == "self_consistent_only"


def test_a_witness_that_the_reader_trusts_gives_the_log_a_time(cosigned: Path) -> None:
    report = verify_bundle(cosigned, KeysHeld(witnesses=[WITNESS.key]))
    assert (report.verdict, report.trust) == ("sound", "witnessed")
    assert [(seen["size"], seen["at"][:16]) for seen in report.witnessed] == [
        (300, "2026-01-11T01:35"), (SIZE, "2026-01-11T01:40")
    ]  # fmt: skip
    stranger = KeysHeld(witnesses=[Cosigner("witness.example", bytes(32)).key])
    alone = verify_bundle(cosigned, stranger)
    assert (alone.verdict, alone.trust, doubts(alone)) == (
        "cannot_tell", "self_consistent_only", {"witness_not_seen"}
    )  # fmt: skip


# --- keys that change


def with_new_key(found: list[bytes], new: LogSigner, by: LogSigner) -> bytes:
    """The entry with which a new key comes."""
    until = "2026-03-01T00:00:00.000000Z"
    blob = by.sign(change_text(ORIGIN, REAL.key, new.key, until)).blob
    data = {"old_key": REAL.key.text, "new_key": new.key.text, "both_until": until, "signature": to_base64(blob)}
    return encode(entry("log:1", 3, leaf_hash(found[1]), len(found), event=CHANGED, data=data))


def test_who_holds_an_old_key_follows_the_log_to_the_new_one(tmp_path: Path) -> None:
    found = bodies(40)
    found.append(with_new_key(found, OTHER, REAL))
    folder = write(tmp_path / "bundle", found, OTHER)
    assert verify_bundle(folder, KeysHeld(keys=[REAL.key])).verdict == "sound"
    assert verify_bundle(folder, KeysHeld(keys=[OTHER.key])).verdict == "sound"


def test_a_new_key_that_the_old_one_did_not_sign_is_found(tmp_path: Path) -> None:
    found = bodies(40)
    found.append(with_new_key(found, OTHER, OTHER))
    report = verify_bundle(write(tmp_path / "bundle", found, OTHER), KeysHeld(keys=[REAL.key]))
    assert codes(report) == {"key_history_wrong", "checkpoint_key_unknown"}


def test_a_log_that_does_not_begin_with_its_statement_is_found(tmp_path: Path) -> None:
    report = verify_bundle(write(tmp_path / "bundle", bodies(40)[1:]), KeysHeld(keys=[REAL.key]))
    assert "log_statement_missing" in codes(report)


# --- what somebody may have put there


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "too large"])
def test_nothing_but_a_regular_file_of_a_bounded_size_is_read(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path / "bundle", bodies(40))
    place = folder / "checkpoint"
    place.rename(tmp_path / "kept")
    match kind:
        case "link":
            place.symlink_to(tmp_path / "kept")
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            place.write_bytes(b"x" * 300_000)
    assert doubts(verify_bundle(folder, KeysHeld())) == {"file_missing"}


def claiming(folder: Path, size: int, kind: str = "whole") -> Path:
    """Some hundred bytes that claim so many leaves, properly signed by whoever made them."""
    put(folder, "checkpoint", Checkpoint(ORIGIN, size, b"\x01" * 32).signed(REAL))
    put(folder, "log-keys", f"{REAL.key.text}\n".encode())
    scope = Scope("whole", 0, size) if kind == "whole" else Scope("period", size // 512 * 256, size)
    put(folder, "MANIFEST.json", msgspec.json.encode(BundleManifest(SCHEMA, ORIGIN, "2026", size, scope, ())))
    return folder


@pytest.mark.parametrize("kind", ["whole", "period"])
@pytest.mark.parametrize(("deep", "jobs"), [(None, 1), (None, 2), (replay, 1)])
def test_a_claim_beyond_what_its_files_can_hold_is_refused_at_once_and_without_memory(
    tmp_path: Path, kind: str, deep: Deep | None, jobs: int
) -> None:
    folder = claiming(tmp_path / "bundle", 2**40, kind)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1_000
    tracemalloc.start()
    began = time.monotonic()
    report = verify_bundle(folder, KeysHeld(), deep=deep, jobs=jobs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.verdict, codes(report), doubts(report)) == ("cannot_tell", set(), {"bundle_incomplete"})
    assert (peak < 10_000_000, time.monotonic() - began < 5) == (True, True)


def test_tiles_are_read_as_they_come_and_missing_ones_are_named_up_to_a_bound(tmp_path: Path) -> None:
    """The twin: a claim that files could hold is looked at file by file, without memory for those that are missing."""
    tracemalloc.start()
    began = time.monotonic()
    report = verify_bundle(claiming(tmp_path / "bundle", 256 * 16_000), KeysHeld(), jobs=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.verdict, doubts(report)) == ("cannot_tell", {"file_missing", "tree_not_built"})
    assert (len(report.doubts), report.doubts_in_all > 30_000, peak < 30_000_000) == (1_001, True, True)
    assert time.monotonic() - began < 30


def test_a_checkpoint_that_nobody_known_has_signed_is_refused_before_anything_else_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "bundle", bodies(40))
    put(folder, "checkpoint", signed(bodies(40), 40, OTHER))

    def never(*_: object) -> bytes:
        raise AssertionError("a tile was read")

    monkeypatch.setattr(Source, "tile", never)
    monkeypatch.setattr(Source, "entries", never)
    assert codes(verify_bundle(folder, KeysHeld(keys=[REAL.key]))) == {"checkpoint_key_unknown"}
    put(folder, "checkpoint", signed(bodies(40), 40).replace(b"\n40\n", b"\n41\n"))
    assert codes(verify_bundle(folder, KeysHeld(keys=[REAL.key]))) == {"checkpoint_signature_wrong"}


def test_a_lost_file_of_keys_accuses_nobody_where_the_log_says_who_signs_it(tmp_path: Path) -> None:
    found = bodies(40)
    found.append(with_new_key(found, OTHER, REAL))
    folder = write(tmp_path / "bundle", found, OTHER)
    (folder / "log-keys").unlink()
    assert verify_bundle(folder, KeysHeld(keys=[REAL.key])).verdict == "sound"


def test_a_tile_that_was_changed_is_told_from_an_entry_that_was(whole: Case, tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", whole.bodies)
    data = bytearray((folder / "tile/0/000").read_bytes())
    data[40] ^= 1
    put(folder, "tile/0/000", bytes(data))
    assert codes(verify_bundle(folder, KeysHeld())) >= {"tile_differs"}
    assert "body_changed" not in codes(verify_bundle(folder, KeysHeld()))


# --- ends of streams that do not fit into memory


@given(seed=st.integers(0, 2**32), held=st.integers(1, 40))
def test_ends_that_spill_find_the_same_as_ends_that_do_not(seed: int, held: int) -> None:
    """Streams as they come, one of them broken somewhere."""
    found = bodies(300, streams=31)
    chance = random.Random(seed)
    del found[chance.randrange(1, 300)]
    reports = []
    for most in (held, links.HELD):
        report = Report()
        following = Links(report, whole=True, held=most)
        for at in range(0, len(found), 16):
            piece = found[at : at + 16]
            following.take(at, piece, [_hash(body) for body in piece])
        following.finish()
        reports.append((report.streams, report.findings))
    assert reports[0] == reports[1]
    assert reports[0][0] >= 31


def _hash(body: bytes) -> str:
    return leaf_hash(body).hex()


def test_the_end_of_a_stream_takes_no_more_than_its_last_entry() -> None:
    following = Links(Report(), whole=True)
    following.take(0, bodies(300), [_hash(body) for body in bodies(300)])
    assert len(following.ends.hot) == 8
    assert all(isinstance(end, Link) for end in following.ends.hot.values())
    assert datetime.fromisoformat(following.last_at) > datetime(2026, 1, 11, tzinfo=UTC)
