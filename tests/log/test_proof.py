"""Proofs as texts: one form, nothing to change, and what they prove against whose checkpoint."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.checkpoint import (
    Checkpoint,
    Cosigned,
    Cosigner,
    MalformedCheckpoint,
    Trust,
)
from casework.log.format.note import (
    MAX_NOTE_BYTES,
    LogSigner,
    MalformedNote,
    UnverifiedNote,
    parse,
)
from casework.log.format.proof import (
    MAX_EXTRA_BYTES,
    InclusionProof,
    MalformedProof,
    encode_hashes,
    parse_hashes,
    parse_inclusion,
    verify_consistency,
)
from casework.log.format.tree import (
    EMPTY_ROOT,
    Faulty,
    ProofRefused,
    prove_consistency,
    prove_inclusion,
)
from tests.log import naive_tree

ORIGIN = "log.example/branch"
LOG = LogSigner(ORIGIN, b"\x01" * 32)
WITNESS = Cosigner("audit.example/w1", b"\x03" * 32)
TRUST = Trust(ORIGIN, (LOG.key,), (WITNESS.key,))


def point_at(size: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, naive_tree.root(0, size))


def proof_of(index: int, size: int, extra: bytes = b"") -> InclusionProof:
    hashes = prove_inclusion(index, size, naive_tree.hash_of)
    return InclusionProof(index, tuple(hashes), point_at(size).signed(LOG), extra)


GOOD = proof_of(5, 7)
LEAF = naive_tree.leaf_of(5)
TEXT = GOOD.encode().decode()
HASH_LINES = encode_hashes(GOOD.hashes).decode()
NOTE = GOOD.checkpoint.decode()


# --- the form


def hash_text(value: bytes) -> str:
    return base64.b64encode(hashlib.sha256(value).digest()).decode()


KNOWN: list[tuple[InclusionProof, str]] = [
    (  # transparency-dev/formats, proof/tlog_proof_test.go
        InclusionProof(5, (hashlib.sha256(b"hash1").digest(), hashlib.sha256(b"hash2").digest()), b"test checkpoint\n"),
        f"c2sp.org/tlog-proof@v1\nindex 5\n{hash_text(b'hash1')}\n{hash_text(b'hash2')}\n\ntest checkpoint\n",
    ),
    (
        InclusionProof(10, (hashlib.sha256(b"hash1").digest(),), b"checkpoint data\n", b"extra information"),
        f"c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n{hash_text(b'hash1')}\n\ncheckpoint data\n",
    ),
    (InclusionProof(0, (), b"checkpoint\n"), "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n"),
]


@pytest.mark.parametrize(("proof", "text"), KNOWN, ids=["hashes", "extra", "neither"])
def test_proofs_are_written_and_read_as_other_programs_do(proof: InclusionProof, text: str) -> None:
    assert proof.encode().decode() == text
    assert parse_inclusion(text.encode()) == proof


def test_a_proof_is_read_back_and_verified_with_the_checkpoint_as_the_log_gave_it_out() -> None:
    written = f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH_LINES}\n{NOTE}"
    assert GOOD.encode().decode() == written
    opened = parse_inclusion(TEXT.encode()).verify(LEAF, TRUST)
    assert (opened.checkpoint, opened.data) == (point_at(7), GOOD.checkpoint)


@given(st.data(), st.integers(1, 300), st.binary(max_size=20))
def test_every_proof_reads_back_and_holds(data: st.DataObject, size: int, extra: bytes) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = proof_of(index, size, extra)
    assert parse_inclusion(proof.encode()) == proof
    assert proof.verify(naive_tree.leaf_of(index), TRUST).checkpoint == point_at(size)


TWINS: list[tuple[str, str | bytes, str]] = [
    ("nothing", "", "no_checkpoint"),
    ("no checkpoint", TEXT.removesuffix(NOTE), "no_checkpoint"),
    ("no empty line", f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH_LINES}", "no_checkpoint"),
    ("a checkpoint too long", TEXT + "x" * MAX_NOTE_BYTES, "no_checkpoint"),
    ("a proof too long", TEXT + "x" * 400_000, "proof_size"),
    ("no header", TEXT.partition("\n")[2], "malformed_header"),
    ("another version", TEXT.replace("@v1", "@v2"), "malformed_header"),
    ("a header that goes on", TEXT.replace("@v1", "@v1 "), "malformed_header"),
    ("an empty line in front", f"\n{TEXT}", "malformed_header"),
    ("two empty lines in front", f"\n\n{TEXT}", "malformed_header"),
    ("a byte-order mark", f"\ufeff{TEXT}", "malformed_header"),
    ("line's ends of Windows", TEXT.replace("\n", "\r\n").replace("\r\n\r\n", "\r\n\n\n"), "malformed_header"),
    ("a byte that is no text", b"\xff" + TEXT.encode(), "not_utf8"),
    ("no index", TEXT.replace("index 5\n", ""), "malformed_index"),
    ("an index without a number", TEXT.replace("index 5", "index"), "malformed_index"),
    ("an index and a space", TEXT.replace("index 5", "index "), "malformed_index"),
    ("an index with a nought in front", TEXT.replace("index 5", "index 05"), "malformed_index"),
    ("a negative index", TEXT.replace("index 5", "index -5"), "malformed_index"),
    ("an index with a plus", TEXT.replace("index 5", "index +5"), "malformed_index"),
    ("two spaces", TEXT.replace("index 5", "index  5"), "malformed_index"),
    ("a tab", TEXT.replace("index 5", "index\t5"), "malformed_index"),
    ("a space behind the index", TEXT.replace("index 5", "index 5 "), "malformed_index"),
    ("an index in capitals", TEXT.replace("index", "INDEX"), "malformed_index"),
    ("a full-width index", TEXT.replace("index 5", "index ５"), "malformed_index"),
    ("an index of 2^53", TEXT.replace("index 5", f"index {2**53}"), "malformed_index"),
    ("no line but the header", f"c2sp.org/tlog-proof@v1\n\n{NOTE}", "malformed_index"),
    ("extra behind the index", TEXT.replace("index 5\n", "index 5\nextra QUJD\n"), "malformed_hash"),
    ("two indices", TEXT.replace("index 5\n", "index 5\nindex 5\n"), "malformed_hash"),
    ("two extras", TEXT.replace("index", "extra QUJD\nextra QUJD\nindex"), "malformed_index"),
    ("an empty extra", TEXT.replace("index", "extra \nindex"), "malformed_extra"),
    ("an extra without a space", TEXT.replace("index", "extra\nindex"), "malformed_extra"),
    ("an extra with a set slack bit", TEXT.replace("index", "extra QUJ=\nindex"), "malformed_extra"),
    ("an extra that is not base64", TEXT.replace("index", "extra !!notbase64!!\nindex"), "malformed_extra"),
    ("an extra with two spaces", TEXT.replace("index", "extra  QUJD\nindex"), "malformed_extra"),
    ("an extra by another name", TEXT.replace("index", "extras QUJD\nindex"), "malformed_extra"),
    ("an extra too long", TEXT.replace("index", f"extra {'QUJD' * 21_846}\nindex"), "malformed_extra"),
    ("a hash that is not base64", TEXT.replace(HASH_LINES, "!!notbase64!!\n"), "malformed_hash"),
    ("a hash of 64 bytes", TEXT.replace(HASH_LINES, base64.b64encode(bytes(64)).decode() + "\n"), "malformed_hash"),
    ("a hash of 31 bytes", TEXT.replace(HASH_LINES, base64.b64encode(bytes(31)).decode() + "\n"), "malformed_hash"),
    ("a hash in hexadecimal", TEXT.replace(HASH_LINES, "ab" * 32 + "\n"), "malformed_hash"),
    ("a hash without padding", TEXT.replace("=\n", "\n", 1), "malformed_hash"),
    ("a space behind a hash", TEXT.replace("=\n", "= \n", 1), "malformed_hash"),
    ("a set slack bit in a hash", TEXT.replace(HASH_LINES, "A" * 42 + "B=\n"), "malformed_hash"),
    ("64 hashes", TEXT.replace(HASH_LINES, HASH_LINES[:45] * 64), "too_many_hashes"),
]


@pytest.mark.parametrize(("data", "code"), [twin[1:] for twin in TWINS], ids=[twin[0] for twin in TWINS])
def test_a_proof_in_any_other_form_is_refused(data: str | bytes, code: str) -> None:
    assert parse_inclusion(TEXT.encode()) == GOOD
    with pytest.raises(MalformedProof) as caught:
        parse_inclusion(data if isinstance(data, bytes) else data.encode())
    assert caught.value.code == code


def test_the_longest_parts_fit() -> None:
    long = InclusionProof(2**53 - 1, (b"\x01" * 32,) * 63, b"x" * MAX_NOTE_BYTES, b"x" * MAX_EXTRA_BYTES)
    assert parse_inclusion(long.encode()) == long


@pytest.mark.parametrize(
    "proof",
    [
        GOOD._replace(leaf_index=-1), GOOD._replace(leaf_index=2**53), GOOD._replace(hashes=(b"short",)),
        GOOD._replace(hashes=(LEAF,) * 64), GOOD._replace(checkpoint=b""), GOOD._replace(extra=bytes(65_536)),
        GOOD._replace(checkpoint=b"x" * (MAX_NOTE_BYTES + 1)),
    ],
)  # fmt: skip
def test_what_could_not_be_read_again_is_not_written(proof: InclusionProof) -> None:
    with pytest.raises(MalformedProof):
        proof.encode()


@given(st.binary(max_size=40), st.sampled_from([b"", b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\nindex 1"]))
def test_bytes_that_are_read_as_a_proof_are_that_proof(data: bytes, head: bytes) -> None:
    for end in (b"", b"\n\nx"):
        try:
            proof = parse_inclusion(head + data + end)
        except MalformedProof:
            continue
        assert proof.encode() == head + data + end


# --- what is proven


def test_a_proof_of_another_leaf_index_or_log_does_not_hold() -> None:
    """Attacks 14 and 15: also under a checkpoint that the trusted key signed for another log."""
    others: list[tuple[InclusionProof, bytes, str]] = [
        (GOOD, naive_tree.leaf_of(4), "root_differs"),
        (GOOD._replace(leaf_index=4), LEAF, "root_differs"),
        (GOOD._replace(leaf_index=7), LEAF, "index_outside"),
        (GOOD._replace(hashes=GOOD.hashes[:-1]), LEAF, "proof_length"),
        (GOOD._replace(hashes=(*GOOD.hashes, LEAF)), LEAF, "proof_length"),
        (GOOD._replace(checkpoint=point_at(8).signed(LOG)), LEAF, "root_differs"),
        (GOOD._replace(checkpoint=Checkpoint(ORIGIN, 0, EMPTY_ROOT).signed(LOG)), LEAF, "size_range"),
        (GOOD._replace(checkpoint=point_at(7, "log.example/other").signed(LOG)), LEAF, "other_origin"),
        (GOOD._replace(checkpoint=point_at(7).signed(LogSigner(ORIGIN, b"\x09" * 32))), LEAF, "no_known_signature"),
        (GOOD._replace(checkpoint=b"no checkpoint\n"), LEAF, "no_signatures"),
    ]
    assert GOOD.verify(LEAF, TRUST).checkpoint.size == 7
    for proof, leaf, code in others:
        with pytest.raises(Faulty) as caught:
            proof.verify(leaf, TRUST)
        assert caught.value.code == code


def test_extra_data_prove_nothing_and_unknown_signatures_are_ignored() -> None:
    stranger = LogSigner("stranger.example", b"\x08" * 32)
    data = parse(GOOD.checkpoint).signed_also(stranger.sign(point_at(7).text)).encode()
    assert GOOD._replace(extra=b"believe me", checkpoint=data).verify(LEAF, TRUST).checkpoint == point_at(7)


def test_no_flipped_bit_of_a_proof_passes() -> None:
    """Each bit of its text, one after the other."""
    for bit in range(len(TEXT.encode()) * 8):
        changed = bytearray(TEXT.encode())
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Faulty):
            parse_inclusion(bytes(changed)).verify(LEAF, TRUST)


@given(st.data(), st.integers(1, 300))
def test_a_changed_byte_anywhere_is_refused_or_costs_the_witness_s_word(data: st.DataObject, size: int) -> None:
    """A proof with a witness's line: where it is accepted all the same, that line no longer counts."""
    index = data.draw(st.integers(0, size - 1))
    cosigned = parse(point_at(size).signed(LOG)).signed_also(WITNESS.cosign(point_at(size), 1_790_000_000)).encode()
    proof = proof_of(index, size)._replace(checkpoint=cosigned)
    assert proof.verify(naive_tree.leaf_of(index), TRUST).cosigned == (Cosigned(WITNESS.key, 1_790_000_000),)
    changed = bytearray(proof.encode())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] = (changed[at] + data.draw(st.integers(1, 255))) % 256
    try:
        opened = parse_inclusion(bytes(changed)).verify(naive_tree.leaf_of(index), TRUST)
    except (MalformedProof, MalformedNote, MalformedCheckpoint, UnverifiedNote, ProofRefused):
        return
    assert (opened.checkpoint, opened.cosigned) == (point_at(size), ())


# --- consistency


@given(st.data(), st.integers(0, 300))
def test_consistency_proofs_read_back_and_hold(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(0, new))
    lines = encode_hashes(prove_consistency(old, new, naive_tree.hash_of))
    verify_consistency(point_at(old), point_at(new), parse_hashes(lines))


LINE_TWINS: list[tuple[str, str, str]] = [
    ("no line's end", HASH_LINES[:-1], "malformed_hash"),
    ("an empty line behind", f"{HASH_LINES}\n", "malformed_hash"),
    ("an empty line in front", f"\n{HASH_LINES}", "malformed_hash"),
    ("an empty line alone", "\n", "malformed_hash"),
    ("no padding", HASH_LINES.replace("=\n", "\n"), "malformed_hash"),
    ("three bytes", "QUJD\n", "malformed_hash"),
    ("line's ends of Windows", HASH_LINES.replace("\n", "\r\n"), "malformed_hash"),
    ("all in one line", HASH_LINES.replace("\n", " "), "malformed_hash"),
    ("a set slack bit", "A" * 42 + "B=\n", "malformed_hash"),
    ("a witness's head", f"old 5\n{HASH_LINES}", "malformed_hash"),
    ("a byte that is no text", "\udcff", "not_utf8"),
    ("64 hashes", HASH_LINES[:45] * 64, "too_many_hashes"),
    ("a text too long", "x" * 100_000, "too_many_hashes"),
]


@pytest.mark.parametrize(("data", "code"), [twin[1:] for twin in LINE_TWINS], ids=[twin[0] for twin in LINE_TWINS])
def test_a_consistency_proof_in_any_other_form_is_refused(data: str, code: str) -> None:
    assert parse_hashes(b"") == ()
    assert parse_hashes(HASH_LINES.encode()) == GOOD.hashes
    with pytest.raises(MalformedProof) as caught:
        parse_hashes(data.encode("utf-8", "surrogateescape"))
    assert caught.value.code == code


FORK = Checkpoint(ORIGIN, 7, b"\x0f" * 32)
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("another log", {"new": point_at(7, "log.example/other")}, "other_origin"),
    ("a log that shrank", {"old": point_at(8)}, "tree_shrank"),
    ("a fork of one size", {"old": FORK, "hashes": []}, "fork"),
    ("a history written anew", {"new": FORK}, "not_consistent"),
    ("no proof", {"hashes": []}, "proof_length"),
]


@pytest.mark.parametrize(("changed", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_not_one_log_grown_has_no_proof(changed: dict[str, Any], code: str) -> None:
    """Attacks 4, 5, 15, 16 and 17, as whoever kept the earlier checkpoint sees them."""
    good: dict[str, Any] = {"old": point_at(5), "new": point_at(7), "hashes": naive_tree.proof(5, 0, 7)}
    verify_consistency(**good)
    with pytest.raises(ProofRefused) as caught:
        verify_consistency(**good | changed)
    assert caught.value.code == code
