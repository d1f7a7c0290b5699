"""The attacks of docs/evidence.md on a bundle: each is named, and none verifies.

Attackers have the files, and where it says so the real signing key; readers have the bundle and what they kept.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.log.check.findings import EXIT_CODES
from casework.log.format.chain import leaf_hash
from casework.log.format.entry import decode_strict, encode
from casework.log.format.key_history import RECEIPT_KEY
from casework.log.format.note import LogSigner
from casework.log.format.receipt import Receipt, Recorded
from casework.log.format.tiles import decode_bundle, encode_bundle
from casework.storage.database import writing
from tests.bundle.forged import (
    ORIGIN,
    OTHER,
    REAL,
    RECEIPTS,
    Case,
    bodies,
    changed,
    codes,
    doubts,
    entry,
    put,
    receipt,
    relinked,
    signed,
    write,
)
from tests.bundle.written import WITNESS, branch_log, cosign, exported, grow
from tests.log.branch_log import BranchLog

SIZE = 300
ENTRIES, TILE = "tile/entries/000", "tile/0/000"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    found = bodies(SIZE)
    return Case(write(tmp_path / "bundle", found, earlier=(100, 256)), found)


class Attack(NamedTuple):
    """One attack, by its number in docs/evidence.md; `deep` where only `--deep` tells."""

    number: int
    what: str
    do: Callable[[Case], None]
    found: set[str]
    deep: bool = False


def edit_a_body(case: Case) -> None:
    case.edit(ENTRIES, lambda data: data.replace(b'"number":40}', b'"number":41}', 1))


def respace_a_body_and_sign(case: Case) -> None:
    found = list(case.bodies)
    found[-1] = found[-1].replace(b'"data":{', b'"data": {')
    case.rewrite(found)


def respace_a_rule_and_sign(case: Case) -> None:
    said = {"name": "2024-01-01", "digest": "00" * 32}
    body = encode(entry("rulebook:texts", 1, None, SIZE, event="policy.published", data=said))
    case.rewrite([*case.bodies, body.replace(b'"data":{', b'"data": {')])


def rows_changed_before_an_import(case: Case) -> None:
    said = {"because": "borrower:wuhan~B1:2", "rows_changed": ["loans"]}
    case.rewrite([*case.bodies, encode(entry("feed:wuhan", 1, None, SIZE, event="feed.rows_restated", data=said))])


def delete_an_entry(case: Case) -> None:
    case.edit(ENTRIES, lambda data: encode_bundle([b for n, b in enumerate(decode_bundle(data, 256)) if n != 50]))


def delete_an_entry_and_sign(case: Case) -> None:
    case.rewrite([body for number, body in enumerate(case.bodies) if number != 50])


def swap(case: Case, one: int, two: int) -> list[bytes]:
    found = list(case.bodies)
    found[one], found[two] = found[two], found[one]
    return found


def swap_in_a_stream(case: Case) -> None:
    assert decode_strict(case.bodies[20]).stream == decode_strict(case.bodies[27]).stream
    case.rewrite(swap(case, 20, 27))


def swap_across_streams(case: Case) -> None:
    assert decode_strict(case.bodies[20]).stream != decode_strict(case.bodies[21]).stream
    put(case.folder, ENTRIES, encode_bundle(swap(case, 20, 21)[:256]))


def swap_across_streams_and_sign(case: Case) -> None:
    case.trust(100)
    case.rewrite(swap(case, 20, 21))


def cut_the_tail(case: Case) -> None:
    case.trust(SIZE)
    case.rewrite(case.bodies[:280])


def rewrite_history_and_sign(case: Case) -> None:
    case.trust(256)
    found = list(case.bodies)
    found[30] = changed(found[30], data={"number": 999})
    case.rewrite(relinked(found))


def back_date(case: Case) -> None:
    found = list(case.bodies)
    at = "2026-01-11T01:31:00.000000Z"
    found[200] = changed(found[200], recorded_at=at, occurred_at=at)
    case.rewrite(relinked(found))


def delete_before_sealing(case: Case) -> None:
    """The last entry of a stream, never sealed; whoever made it has the receipt."""
    case.held = KeysHeld(receipts=[receipt(case.bodies[150])])
    stream = decode_strict(case.bodies[150]).stream
    gone = [body for n, body in enumerate(case.bodies) if n < 150 or decode_strict(body).stream != stream]
    case.rewrite(relinked(gone))


def put_another_in_its_place(case: Case) -> None:
    case.held = KeysHeld(receipts=[receipt(case.bodies[150])])
    case.rewrite(relinked([changed(b, data={"number": 0}) if n == 150 else b for n, b in enumerate(case.bodies)]))


def replace_a_stream_and_sign(case: Case) -> None:
    case.trust(256)
    found = [
        changed(body, data={"number": 0}) if decode_strict(body).stream == "test:3" else body for body in case.bodies
    ]
    case.rewrite(relinked(found))


def repeat_a_number_and_sign(case: Case) -> None:
    case.rewrite([*case.bodies, case.bodies[-1]])


def sign_with_another_key(case: Case) -> None:
    case.held = KeysHeld(keys=[REAL.key])
    put(case.folder, "checkpoint", signed(case.bodies, SIZE, OTHER))


def begin_with_another_key(case: Case) -> None:
    """Everything is consistent, under a key that is not the one its reader was given."""
    case.held = KeysHeld(keys=[REAL.key])
    data = {"origin": "log.example/forged", "key": OTHER.key.text, "succeeds": None}
    case.rewrite([changed(case.bodies[0], data=data), *case.bodies[1:]], OTHER)


def pass_a_node_for_a_leaf(case: Case) -> None:
    """The root of two leaves in the place of a leaf: the prefix tells nodes from leaves."""
    node = leaf_hash(case.bodies[4]) + leaf_hash(case.bodies[5])
    case.edit(ENTRIES, lambda data: encode_bundle([node, *decode_bundle(data, 256)[1:]]))


def double_the_last_leaf(case: Case) -> None:
    """As in trees that pair an odd last node with itself."""
    last = "tile/entries/001.p/44"
    case.edit(last, lambda data: encode_bundle([*decode_bundle(data, 44), case.bodies[-1]]))


def bring_another_log(case: Case) -> None:
    put(case.folder, "checkpoint", signed(case.bodies, SIZE).replace(b"example/forged", b"example/others"))


def show_two_logs(case: Case) -> None:
    """Another auditor was shown another log of the same length: the checkpoints tell."""
    case.trust(SIZE)
    found = list(case.bodies)
    found[-1] = changed(found[-1], data={"number": -1})
    case.rewrite(found)


def malleable(old: bytes, new: bytes) -> Callable[[Case], None]:
    return lambda case: case.edit("checkpoint", lambda data: data.replace(old, new, 1))


def double_the_signature(case: Case) -> None:
    case.edit("checkpoint", lambda data: data + data[data.rindex(b"\n\n") + 2 :])


ATTACKS = [
    Attack(1, "edit a body", edit_a_body, {"body_changed"}),
    Attack(1, "re-space a body, with the key", respace_a_body_and_sign, {"body_malformed"}, deep=True),
    Attack(
        1,
        "re-space a published rule, with the key",
        respace_a_rule_and_sign,
        {"body_malformed"},
        deep=True,
    ),
    Attack(2, "delete an entry", delete_an_entry, {"bundle_malformed"}),
    Attack(2, "delete an entry, with the key", delete_an_entry_and_sign, {"stream_hole"}),
    Attack(3, "re-order a stream, with the key", swap_in_a_stream, {"stream_hole", "stream_repeat"}),
    Attack(3, "re-order across streams", swap_across_streams, {"body_changed", "checkpoint_root_differs"}),
    Attack(3, "re-order across streams, with the key", swap_across_streams_and_sign, {"trusted_root_differs"}),
    Attack(4, "cut the tail", cut_the_tail, {"trusted_beyond_tree"}),
    Attack(5, "rewrite history and sign it", rewrite_history_and_sign, {"trusted_root_differs"}),
    Attack(6, "back-date in a stream, with the key", back_date, {"back_dated"}),
    Attack(11, "delete before sealing", delete_before_sealing, {"receipt_not_honoured"}),
    Attack(11, "another entry in its place", put_another_in_its_place, {"receipt_not_honoured"}),
    Attack(8, "replace a stream, with the key", replace_a_stream_and_sign, {"trusted_root_differs"}),
    Attack(8, "use a number twice, with the key", repeat_a_number_and_sign, {"stream_repeat"}),
    Attack(9, "sign with another key", sign_with_another_key, {"checkpoint_key_unknown"}),
    Attack(9, "begin with another key", begin_with_another_key, {"log_keys_differ"}),
    Attack(14, "a node as a leaf", pass_a_node_for_a_leaf, {"body_changed"}),
    Attack(14, "the last leaf twice", double_the_last_leaf, {"bundle_malformed"}),
    Attack(15, "another log's checkpoint", bring_another_log, {"checkpoint_other_log"}),
    Attack(17, "two auditors, two logs", show_two_logs, {"trusted_root_differs"}),
    Attack(19, "a leading zero", malleable(b"\n300\n", b"\n0300\n"), {"checkpoint_malformed"}),
    Attack(19, "an empty line more", malleable(b"\n\n", b"\n\n\n"), {"checkpoint_malformed"}),
    Attack(19, "a signature twice", double_the_signature, {"checkpoint_malformed"}),
    Attack(
        44,
        "rows changed by SQL before an import, which said so",
        rows_changed_before_an_import,
        {"rows_were_changed"},
        deep=True,
    ),
    Attack(19, "slack in the base64", malleable(b"=\n", b"==\n"), {"checkpoint_malformed"}),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.number}: {attack.what}")
def test_an_attack_is_named_and_never_verifies(case: Case, attack: Attack) -> None:
    attack.do(case)
    report = case.verify(deep=replay if attack.deep else None)
    assert codes(report) >= attack.found
    assert EXIT_CODES[report.verdict] == 1


def test_the_same_bundle_is_sound_before_any_of_it(case: Case) -> None:
    """The twin of every attack: whole, signed, passing the earlier checkpoints and the one that is held."""
    case.trust(256)
    report = case.verify(deep=replay)
    assert (report.verdict, report.trust, report.checkpoints) == ("sound", "trusted_checkpoint", 3)
    assert (report.entries, report.streams) == (SIZE, 8)


# --- attacks 6 and 7, on bundles as they are written: a witness saw the log, and its signatures were taken in


def entry_dated(log: BranchLog, hours: float) -> None:
    """An entry that the service writes with the real keys, its clock set."""
    at, log.at = log.at, log.at + timedelta(hours=hours)
    with writing(log.engine) as conn:
        trail = log.trail()
        log.add(conn, trail, "test:90")
        trail.write(conn)
    log.at = at


def back_date_behind_a_witness(log: BranchLog) -> None:
    """The witness saw the log without it; then it is written, dated a day before that."""
    cosign(log)
    entry_dated(log, -24)
    log.seal()


def post_date_before_a_witness(log: BranchLog) -> None:
    """The witness saw it in the log, and it says that it was written on the next day."""
    entry_dated(log, +24)
    log.seal()
    cosign(log)


def stop_sealing_while_a_witness_looks(log: BranchLog) -> None:
    entry_dated(log, 0)
    log.at += timedelta(hours=3)
    cosign(log)
    log.seal()


def write_as_usual(log: BranchLog) -> None:
    """The twin: nothing wrong, before or behind a witness."""
    cosign(log)
    entry_dated(log, 0)
    log.seal()
    cosign(log)


WITNESSED: list[tuple[int, Callable[[BranchLog], None], set[str]]] = [
    (6, back_date_behind_a_witness, {"back_dated_behind_cosignature"}),
    (6, stop_sealing_while_a_witness_looks, {"back_dated_behind_cosignature"}),
    (7, post_date_before_a_witness, {"dated_ahead_of_cosignature"}),
    (0, write_as_usual, set()),
]


@pytest.mark.parametrize(("number", "do", "found"), WITNESSED, ids=lambda one: getattr(one, "__name__", ""))
def test_the_times_that_a_witness_gives_convict_in_a_bundle_as_it_is_written(
    tmp_path: Path, migrated_sqlite: Path, number: int, do: Callable[[BranchLog], None], found: set[str]
) -> None:
    with branch_log(tmp_path, migrated_sqlite) as log:
        grow(log, 20)
        do(log)
        report = verify_bundle(exported(log, tmp_path / "written"), KeysHeld(witnesses=[WITNESS.key]))
        alone = verify_bundle(tmp_path / "written", KeysHeld())
    assert (codes(report), EXIT_CODES[report.verdict], report.trust) == (found, 1 if number else 0, "witnessed")
    assert alone.verdict == "sound"  # nobody would have known


def test_a_receipt_that_was_honoured_leaves_the_bundle_sound(case: Case) -> None:
    case.held = KeysHeld(receipts=[receipt(case.bodies[150]), receipt(case.bodies[-1])])
    report = case.verify()
    assert (report.verdict, report.receipts) == ("sound", 2)


def test_a_receipt_for_what_may_still_wait_to_be_sealed_cannot_be_told(case: Case) -> None:
    case.held = KeysHeld(receipts=[receipt(case.bodies[-1])])
    case.rewrite(case.bodies[:-1])
    report = case.verify()
    assert (report.verdict, doubts(report)) == ("cannot_tell", {"receipt_not_covered"})


def test_a_receipt_key_that_another_stream_names_is_not_the_logs(case: Case) -> None:
    """Whoever may write an entry at all cannot make himself the one who signs receipts."""
    forger = LogSigner(RECEIPTS.name, bytes(range(9, 41)))
    said = {"receipt_key": forger.key.text}
    found = [*case.bodies, encode(entry("test:x", 1, None, SIZE, event=RECEIPT_KEY, data=said))]
    case.rewrite(found)
    promise = Receipt(ORIGIN, "2026-01-11T01:40:00.000000Z", (Recorded("case:9:9", bytes(32)),)).signed(forger)
    case.held = KeysHeld(receipts=[promise])
    report = case.verify()
    assert (codes(report), doubts(report)) == (set(), {"receipt_not_trusted"})


def test_receipts_held_against_a_part_of_the_log_are_never_passed_over(case: Case) -> None:
    case.held = KeysHeld(receipts=[receipt(case.bodies[150])])
    (case.folder / ENTRIES).unlink()
    report = case.verify()
    assert report.verdict == "cannot_tell"
    assert "receipts_not_checked" in doubts(report)


def test_a_receipt_of_another_key_accuses_nobody(case: Case) -> None:
    case.held = KeysHeld(receipts=[receipt(case.bodies[150]).replace(b"/receipts", b"/receiptz")])
    assert doubts(case.verify()) == {"receipt_not_trusted"}


def empty(case: Case) -> None:
    for path in sorted(case.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


@pytest.mark.parametrize(
    ("take_away", "told"),
    [
        (empty, "file_missing"),
        (lambda case: (case.folder / "MANIFEST.json").unlink(), "file_missing"),
        (lambda case: (case.folder / "checkpoint").unlink(), "file_missing"),
        (lambda case: (case.folder / ENTRIES).unlink(), "file_missing"),
        (lambda case: (case.folder / TILE).unlink(), "file_missing"),
        (lambda case: (case.folder / "tile/1/000.p/1").unlink(), "file_missing"),
        (lambda case: put(case.folder, "MANIFEST.json", b"{}"), "bundle_unreadable"),
        (lambda case: put(case.folder, "MANIFEST.json", b"\xff"), "bundle_unreadable"),
    ],
    ids=["everything", "manifest", "checkpoint", "entries", "tile", "tile above", "manifest emptied", "no text"],
)
def test_an_empty_or_partial_bundle_is_never_sound_but_accuses_nobody(
    case: Case, take_away: Callable[[Case], None], told: str
) -> None:
    """Attack 20."""
    take_away(case)
    report = case.verify()
    assert (codes(report), EXIT_CODES[report.verdict]) == (set(), 2)
    assert told in doubts(report)


def test_a_manifest_that_calls_a_cut_log_a_whole_one_is_found(case: Case) -> None:
    """The manifest is no evidence: the checkpoint says how large the tree is."""
    case.edit("MANIFEST.json", lambda data: data.replace(b"300", b"256"))
    report = case.verify()
    assert report.verdict != "sound"
    assert "manifest_differs" in doubts(report)
