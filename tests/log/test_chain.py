"""Hashes, authentication, commitments and links: known values, and what any change of one bit does."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.chain import (
    Sealed,
    commit,
    follows,
    leaf_hash,
    mac,
    mac_matches,
    seal_entry,
)
from casework.log.format.entry import (
    Entry,
    MalformedEntry,
    SignedActor,
    decode_strict,
    entry_id_of,
)

KEY = bytes(range(32))
SALT = b"\x01" * 32
NOON = "2026-03-02T04:00:00.000000Z"


def entry_at(seq: int, prev: bytes | None, *, recorded_at: str = NOON) -> Entry:
    """The entry with number `seq` of one stream, said to follow the leaf `prev`."""
    return Entry(
        actor=SignedActor("S001", "staff", "cli"),
        chart=None,
        data={"days_past_due": seq},
        entry_id=entry_id_of("case:1", seq),
        event="case.fact.contact_day",
        from_=None,
        occurred_at=NOON,
        personal={},
        policy=None,
        prev=None if prev is None else prev.hex(),
        reason_code=None,
        recorded_at=recorded_at,
        rules=(),
        stream="case:1",
        stream_seq=seq,
        to=None,
    )


FIRST = seal_entry(entry_at(1, None), KEY)
SECOND = seal_entry(entry_at(2, FIRST.leaf_hash), KEY)


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        # RFC 6962's leaf hash of the empty string and of "L123456", as published with its reference log.
        (b"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (b"L123456", "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"),
    ],
)
def test_a_leaf_hash_is_that_of_rfc_6962(body: bytes, digest: str) -> None:
    assert leaf_hash(body).hex() == digest


def test_a_leaf_is_not_the_plain_hash_of_its_bytes_nor_that_of_a_node() -> None:
    body = b"\x00" * 64
    assert leaf_hash(body) != hashlib.sha256(body).digest()
    assert leaf_hash(body) != hashlib.sha256(b"\x01" + body).digest()


@given(st.integers(0, len(FIRST.body) * 8 - 1))
def test_any_single_bit_changed_in_a_body_changes_its_leaf_and_fails_its_mac(bit: int) -> None:
    flipped = bytearray(FIRST.body)
    flipped[bit // 8] ^= 1 << bit % 8
    leaf = leaf_hash(bytes(flipped))
    assert leaf != FIRST.leaf_hash
    assert not mac_matches(KEY, leaf, FIRST.mac)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_mac_is_hmac_sha256_under_its_own_label(key: bytes, leaf: bytes) -> None:
    assert mac(key, leaf) == hmac.digest(key, b"casework/audit/v1/mac\n" + leaf, "sha256")
    assert mac_matches(key, leaf, mac(key, leaf))


@given(st.integers(0, 255))
def test_any_single_bit_changed_in_a_mac_or_its_key_fails(bit: int) -> None:
    def flip(value: bytes) -> bytes:
        return (int.from_bytes(value) ^ 1 << bit).to_bytes(32)

    assert not mac_matches(KEY, FIRST.leaf_hash, flip(FIRST.mac))
    assert not mac_matches(flip(KEY), FIRST.leaf_hash, FIRST.mac)


@pytest.mark.parametrize("tag", [b"", FIRST.mac[:31], FIRST.mac + b"\x00"])
def test_a_mac_cut_or_padded_fails(tag: bytes) -> None:
    assert not mac_matches(KEY, FIRST.leaf_hash, tag)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_leaf_or_salt_of_another_length_is_refused(length: int) -> None:
    wrong = b"k" * length
    with pytest.raises(ValueError, match="32 bytes"):
        mac(wrong, FIRST.leaf_hash)
    with pytest.raises(ValueError, match="32 bytes"):
        mac(KEY, wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        commit(wrong, "remark", "text")


def test_sealing_gives_the_bytes_their_leaf_and_the_mac_of_that_leaf() -> None:
    body = FIRST.body
    assert Sealed(body, leaf_hash(body), mac(KEY, leaf_hash(body))) == FIRST
    assert decode_strict(body) == entry_at(1, None)


def test_sealing_refuses_what_the_format_refuses() -> None:
    with pytest.raises(MalformedEntry, match="prev_missing"):
        seal_entry(entry_at(2, None), KEY)


def test_a_commitment_is_the_labelled_hash_of_salt_field_and_value() -> None:
    expected = hashlib.sha256(b"casework/audit/v1/commit\n" + SALT + b"remark\x00" + "电话不通".encode()).hexdigest()
    assert commit(SALT, "remark", "电话不通") == "c1:" + expected


@given(
    st.tuples(st.text("ab\n", min_size=1), st.text("ab\x00")),
    st.tuples(st.text("ab\n", min_size=1), st.text("ab\x00")),
)
def test_two_openings_share_a_commitment_only_if_they_are_the_same(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (commit(SALT, *one) == commit(SALT, *other)) == (one == other)


def test_the_same_value_under_another_salt_shows_no_likeness() -> None:
    assert commit(SALT, "remark", "text") != commit(b"\x02" * 32, "remark", "text")


@pytest.mark.parametrize("field", ["", "remark\x00"])
def test_a_commitment_needs_a_field_that_cannot_run_into_the_value(field: str) -> None:
    with pytest.raises(ValueError, match="field name"):
        commit(SALT, field, "text")


def test_a_commitment_to_a_lone_surrogate_is_refused_without_quoting_it() -> None:
    with pytest.raises(MalformedEntry) as refused:
        commit(SALT, "remark", "13800000000\ud800")
    assert "138" not in str(refused.value)
    assert refused.value.__suppress_context__


THIRD = entry_at(3, SECOND.leaf_hash)

LINKS: list[tuple[str, bytes | None, int, Entry, str | None]] = [
    ("the first of a stream", None, 0, entry_at(1, None), None),
    ("the second", FIRST.leaf_hash, 1, entry_at(2, FIRST.leaf_hash), None),
    ("a first entry cut away", None, 0, entry_at(2, FIRST.leaf_hash), "stream_hole"),
    ("an entry cut out", FIRST.leaf_hash, 1, THIRD, "stream_hole"),
    ("the same entry again", FIRST.leaf_hash, 1, entry_at(1, None), "stream_repeat"),
    ("an earlier entry moved later", b"\x09" * 32, 5, THIRD, "stream_repeat"),
    ("the entry before rewritten", b"\x09" * 32, 2, THIRD, "link_broken"),
    ("a first entry that claims one before it", None, 0, entry_at(1, FIRST.leaf_hash), "link_broken"),
    ("a second entry that disowns the first", FIRST.leaf_hash, 1, entry_at(2, None), "link_broken"),
]


@pytest.mark.parametrize(("prev", "seq", "entry", "finding"), [link[1:] for link in LINKS], ids=[x[0] for x in LINKS])
def test_a_link_holds_or_its_fault_is_named(prev: bytes | None, seq: int, entry: Entry, finding: str | None) -> None:
    assert follows(prev, seq, entry) == finding


@pytest.mark.parametrize(
    ("before", "finding"),
    [
        ("2026-03-02T03:59:59.999999Z", None),
        (NOON, None),
        ("2026-03-02T04:00:00.000001Z", "back_dated"),
    ],
)
def test_an_entry_recorded_before_the_one_it_follows_is_back_dated(before: str, finding: str | None) -> None:
    assert follows(SECOND.leaf_hash, 2, THIRD, prev_recorded_at=before) == finding
