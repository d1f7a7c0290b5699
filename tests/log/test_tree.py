"""The tree: published roots and proofs, a naive reference, and what a proof must never let through."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.chain import leaf_hash
from casework.log.format.tree import (
    EMPTY_ROOT,
    MAX_SIZE,
    Node,
    ProofRefused,
    Range,
    consistency_parts,
    cover,
    inclusion_parts,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.log import naive_tree

LARGEST = 300
OTHER = b"\xab" * 32

# The eight leaves of the Certificate Transparency test data and their roots (google/certificate-transparency;
# transparency-dev/merkle, proof/verify_test.go).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_INCLUSION = [  # leaf counted from 0, size, hashes
    (0, 1, []),
    (0, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (5, 8, [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
]  # fmt: skip
CT_CONSISTENCY = [
    (1, 1, []),
    (1, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (6, 8, [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 5, [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
    (6, 7, [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
]  # fmt: skip

# A real log of a thousand million leaves: Google Argon 2020, as answered to get-sth, get-proof-by-hash and
# get-sth-consistency (golang.org/x/mod, sumdb/tlog/testdata/argon2020).
ARGON_SIZE, ARGON_ROOT = 961_984_013, "dwlueapdd7LaOEnX2W2Wp9v2XE+KzejHRQGHwEx0oaM="
ARGON_LEAF = bytes.fromhex("9c2b3799f232761f71e022b243ebb6c6d9a9c66160800e4c2f2987c0d41294b8")
ARGON_PATH = """
T46AmJsuOM/gFiGlUp+IJJebp+1Z5qratFNW7U0JyOQ= 9Jj1Feodn42uRYEfffkV4HF/EIPFQ5Zo9IwkxbQ2uhk=
D53/1oCNebF4J59HHgioovKZxrmrKcVuCVhy3Izg8Ck= wSFDgGSrsXRPA+1c8WHoAFCsWeUv8NDyP/Q/SgsyVyY=
516/RcwsgdwdzHn18v1dJHqBkgFUbNhmCIWOGjsMJaE= naTFY2ajLFgrgs5XUl+zJYZnnlJksLGsA1VYwpLfqbY=
mKBRJo6qao+0Kdh/rhGkZUbHUAxMhrtrclrTpIbNjIg= Co4ueOFE7lpifLio94irxxsv1wFMMaK3tPu2ZQkHlro=
yRgy800K6JMYCC05sWfqF2kvCg2riT/pVM+nEa6V5+0= n2O38XJZC8/Wpbwi9HhgVizlUyeUHVZvYyQB1607MRc=
go3tAjuNfNSCj87y2Rg1xOroDknGN1eaf3cgvzObf7Q= 8D0Mj3/J7ySSnFb0afIHYXv6rlOhECnsebY6XKi1IR8=
6rcez46ZU8M5vPiWVMAUfJfAOV0pPP/mch/lYzZhj/M= 2rtIeXrPvSdUyHc5maIgSAVB2BzaKaupWxSAiVayDE4=
nniW/IMFQPN5xw8UsHFn7CRStYbm1gLu7NNa6kkRqJQ= mRPPi7sQS22MduIEyvcNzCNFqIt6kLwYPkNKrVtIcu8=
JvTivzESNS9wHI8aph5a7uieVmtS/p9PciMZ5D6GyOo= UTyQd+Ym0wY4zG+qK806bBORwi1CSVvFQ/KknnqoZj8=
hXODrqN+ff+U6zPqRQ+ZQKs6im1fPcxIerDSfNwflhE= II6GE+WY/DrpZzfHztLwkR46o37zVkNLCyPYlf68zA0=
d609kWWcNBllbA8Jb/ad4XAVVGnScLRmtP8FYyr+Dck= rikBsP0G0gioXRpBFED2CzQdSLrGPvRd0bEcbEZw1rI=
GXIElfmnRuWfbA4z7ubV/UwlpSRUbUeec7oL5HDDnh0= pR0SH/NYP6s9+8azWwaeUXA4Ze/3WCIgMfh5YW6wvcE=
f3GuAKYVrF8RBg3s15jvA/YvV9oAliWtzP/imwPhQVA= WHn8zDxlVgkV+lSlmzaOdfSBrTHoRr5nT3d76q0KKWE=
f2uV2ZxVgULzLPKuZcowRY3ZY7fRlX59iDBjV1R8kNQ= NzQVjJsvQwbi7WStMr9oFkh9VbHfK7LB6o7WwAqwNTs=
C0LttBeYHZHgL+032JIcJC3CTBIyza/hsbmJUgJfmDI= nixU5CWTFVDlF4BGdcU6kA7WSYurEpe9jRWc+F/7sOc=
"""
ARGON_OLD_SIZE, ARGON_OLD_ROOT = 3_654_490, "AuIZ5V6sDUj1vn3Y1K85oOaQ7y+FJJKtyRTl1edIKBQ="
ARGON_PROOF = """
80Sfbj6UQEdVSZCSIgh9NMPj3vCBzcc1A48B2crJSWg= FZcrgAHUk6nNPviJZq8kEK6jCG1d18pJOFE45ZDc1TQ=
Q67reWXmPBo1UfmwBap4Xi9PMPfFdUSSw3WGlRZdG7k= eJ7CyhR4PxzBxDIsWgrVYW1eFUb9ndgf46tFmiqVrxA=
QrDwp062Grm5WY8KdrhFsBuuNjGzRox2Jb8PmVL5OYw= XM4YMjMEdLH/XJam/ZWyaP14k3cmsOtnPsOWQ54lW1s=
SGiBh+jOTGccXU48ZzgQ88lRcBmtB4wz4oSDndv2QTg= WAS6txqNLYKGL1GdBdpqmV42TTfn6cJsuDsqLXuTCNI=
QFmRS0rirUA7ZN3lxFjDncV+E1OCrn3NUB4RCp+5fzc= Hdbp7It2XBNZmNDBpCN/KPd7vfVqxgzwOosqVIaEA9E=
mxvHL0ZiblBdD7j7pIa1jlfB0gSqfJ6oX0UGo7L0VsU= q5hjyvoW6TL/PThgcitpDcSTrnKX2p1+aqscqH2euRA=
jTOWDqt3IHj2NVFeezyBz2ofpru+ztEywqKUAfFclKI= GIRn0w3HqJdvU9j1WVD//eR6lk2AaTVjyzjsJNP8U88=
x52GJvxG81fnQBrgOTbll1A5tz95/LXK0Ag1NhB0r1I= 6/0OqrcTgc3o5dD5PymmoC96lB9yLPFuTHVvLy8fSGk=
Gf+iKLfcXO5l4JEFmsZvSdG5q1uEeWPfYLrds6pmjz0= DGuaco+McyM3AfRSF6qX7RwSetwe2ieYJmxw5e9rVx0=
2tQJ9V32hnYp+fdpP6TcjmgJmLeNVOMKM0Ml1kk4cNU= 3PapK+IkyJr8I9yAErAmzuZezzLMzsg+PfeRCgNW8NQ=
s6xiYeejb+wtqHA+URJZ2I/SCPyIW8coP6aB00FJbMY= z9lSpmdTcr5M5ZzKlc4EPh3SrSypKFdk6JUF/UccaZU=
GXIElfmnRuWfbA4z7ubV/UwlpSRUbUeec7oL5HDDnh0= pR0SH/NYP6s9+8azWwaeUXA4Ze/3WCIgMfh5YW6wvcE=
f3GuAKYVrF8RBg3s15jvA/YvV9oAliWtzP/imwPhQVA= WHn8zDxlVgkV+lSlmzaOdfSBrTHoRr5nT3d76q0KKWE=
f2uV2ZxVgULzLPKuZcowRY3ZY7fRlX59iDBjV1R8kNQ= NzQVjJsvQwbi7WStMr9oFkh9VbHfK7LB6o7WwAqwNTs=
C0LttBeYHZHgL+032JIcJC3CTBIyza/hsbmJUgJfmDI= nixU5CWTFVDlF4BGdcU6kA7WSYurEpe9jRWc+F/7sOc=
"""


def hashes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def base64_hashes(text: str) -> list[bytes]:
    return [base64.b64decode(word) for word in text.split()]


# --- what others have published


def test_a_node_hash_is_that_of_rfc_6962() -> None:
    """The vector of transparency-dev/merkle, rfc6962_test.go."""
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Range().root == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_of_the_certificate_transparency_leaves_are_the_published_ones(size: int) -> None:
    assert root_of(map(leaf_hash, CT_LEAVES[:size])).hex() == CT_ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "proof"), CT_INCLUSION)
def test_the_published_inclusion_proofs_hold(index: int, size: int, proof: list[str]) -> None:
    verify_inclusion(index, size, leaf_hash(CT_LEAVES[index]), hashes(proof), bytes.fromhex(CT_ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "proof"), CT_CONSISTENCY)
def test_the_published_consistency_proofs_hold(old: int, new: int, proof: list[str]) -> None:
    verify_consistency(old, new, hashes(proof), bytes.fromhex(CT_ROOTS[old - 1]), bytes.fromhex(CT_ROOTS[new - 1]))


def test_the_proofs_of_a_real_log_of_a_thousand_million_leaves_hold() -> None:
    path, proof = base64_hashes(ARGON_PATH), base64_hashes(ARGON_PROOF)
    root, old_root = base64.b64decode(ARGON_ROOT), base64.b64decode(ARGON_OLD_ROOT)
    verify_inclusion(10_000, ARGON_SIZE, ARGON_LEAF, path, root)
    verify_consistency(ARGON_OLD_SIZE, ARGON_SIZE, proof, old_root, root)
    with pytest.raises(ProofRefused):
        verify_inclusion(10_001, ARGON_SIZE, ARGON_LEAF, path, root)
    with pytest.raises(ProofRefused):
        verify_consistency(ARGON_OLD_SIZE + 1, ARGON_SIZE, proof, old_root, root)


# --- agreement with the definitions


def test_roots_and_peaks_agree_with_the_definition_for_sizes_0_to_300() -> None:
    """Leaf by leaf, and taken up again from the peaks alone."""
    tree = Range()
    for size in range(LARGEST + 1):
        assert tree.root == naive_tree.root(0, size)
        assert list(tree.peaks) == [naive_tree.hash_of(node) for node in cover(0, size)]
        again = Range(size, tree.peaks)
        for each in (tree, again):
            each.append(naive_tree.leaf_of(size))
            assert each.size == size + 1
        assert again.peaks == tree.peaks


def test_every_inclusion_proof_agrees_with_the_definition_and_holds_for_sizes_1_to_300() -> None:
    for size in range(1, LARGEST + 1):
        root = naive_tree.root(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, naive_tree.hash_of)
            assert proof == naive_tree.path(index, 0, size)
            verify_inclusion(index, size, naive_tree.leaf_of(index), proof, root)


@pytest.mark.parametrize("sizes", [range(71), (100, 127, 128, 129, 200, 255, 256, 257, LARGEST)])
def test_consistency_proofs_agree_with_the_definition_and_hold(sizes: range | tuple[int, ...]) -> None:
    """Every pair up to 70; above, every smaller size with some sizes on both sides of a full row."""
    for new in sizes:
        for old in range(new + 1):
            proof = prove_consistency(old, new, naive_tree.hash_of)
            if old:
                assert proof == naive_tree.proof(old, 0, new)
            verify_consistency(old, new, proof, naive_tree.root(0, old), naive_tree.root(0, new))


@given(st.lists(st.integers(0, 700), max_size=6))
def test_a_tree_grown_in_any_batches_is_the_tree_grown_leaf_by_leaf(batches: list[int]) -> None:
    """And each batch tells the subtrees it completed, by height, in order."""
    tree, size = Range(), 0
    for batch in batches:
        completed = tree.extend([naive_tree.leaf_of(index) for index in range(size, size + batch)])
        for height, found in enumerate(completed):
            numbers = range(size >> height, (size + batch) >> height)
            assert list(found) == [naive_tree.hash_of(Node(height, number)) for number in numbers]
        assert (size >> len(completed)) == ((size + batch) >> len(completed))
        size += batch
    assert tree.root == root_of(map(naive_tree.leaf_of, range(size))) == naive_tree.root(0, size)


def test_the_largest_tree_is_2_to_the_53_and_takes_no_further_leaf() -> None:
    full = Range(MAX_SIZE, [OTHER])
    assert (full.root, full.peaks) == (OTHER, (OTHER,))
    with pytest.raises(ValueError, match="at most"):
        full.append(OTHER)
    last = Range(MAX_SIZE - 1, [OTHER] * 53)
    last.append(OTHER)
    assert last.size == MAX_SIZE
    assert len(last.peaks) == 1
    assert len(inclusion_parts(MAX_SIZE - 1, MAX_SIZE)) == 53


# --- what is refused


def test_an_odd_last_node_is_not_doubled() -> None:
    """A tree of three leaves is not that of four with the last one twice, the fault of other trees (attack 14)."""
    leaves = [naive_tree.leaf_of(index) for index in range(3)]
    assert root_of(leaves) != root_of([*leaves, leaves[2]])
    doubled = [leaves[2], node_hash(leaves[0], leaves[1])]
    with pytest.raises(ProofRefused, match="proof_length"):
        verify_inclusion(2, 3, leaves[2], doubled, node_hash(doubled[1], node_hash(leaves[2], leaves[2])))


def test_a_node_cannot_be_shown_as_a_leaf() -> None:
    """Attack 14: the bytes under a node, sealed as an entry, do not have the node's hash."""
    left, right = naive_tree.leaf_of(0), naive_tree.leaf_of(1)
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"\x01" + left + right) != node_hash(left, right)
    root = root_of([left, right, naive_tree.leaf_of(2), naive_tree.leaf_of(3)])
    with pytest.raises(ProofRefused, match="proof_length"):
        verify_inclusion(0, 4, node_hash(left, right), [naive_tree.root(2, 4)], root)


GOOD_PATH = naive_tree.path(5, 0, 7)
GOOD_INCLUSION: dict[str, Any] = {
    "index": 5, "size": 7, "leaf": naive_tree.leaf_of(5), "proof": GOOD_PATH, "root": naive_tree.root(0, 7),
}  # fmt: skip
INCLUSION_TWINS: list[tuple[str, dict[str, Any], str]] = [
    ("another leaf", {"leaf": naive_tree.leaf_of(4)}, "root_differs"),
    ("another root", {"root": naive_tree.root(0, 8)}, "root_differs"),
    ("the leaf before", {"index": 4}, "root_differs"),
    ("the last leaf", {"index": 6}, "proof_length"),
    ("a leaf that is not there", {"index": 7}, "index_outside"),
    ("a negative leaf", {"index": -1}, "index_outside"),
    ("an empty tree", {"index": 0, "size": 0}, "size_range"),
    ("a negative size", {"index": 0, "size": -7}, "size_range"),
    ("a size beyond 2^53", {"size": MAX_SIZE + 1}, "size_range"),
    ("twice the size", {"size": 14}, "proof_length"),
    ("half the size", {"index": 2, "size": 3}, "proof_length"),
    ("no proof", {"proof": []}, "proof_length"),
    ("the last hash missing", {"proof": GOOD_PATH[:-1]}, "proof_length"),
    ("the first hash missing", {"proof": GOOD_PATH[1:]}, "proof_length"),
    ("a hash more", {"proof": [*GOOD_PATH, OTHER]}, "proof_length"),
    ("the root as a hash more", {"proof": [*GOOD_PATH, naive_tree.root(0, 7)]}, "proof_length"),
    ("a hash in front", {"proof": [OTHER, *GOOD_PATH]}, "proof_length"),
    ("the order reversed", {"proof": GOOD_PATH[::-1]}, "root_differs"),
    ("an empty hash at the end", {"proof": [*GOOD_PATH, b""]}, "hash_length"),
    ("a short hash", {"proof": [*GOOD_PATH[:-1], GOOD_PATH[-1][:31]]}, "hash_length"),
    ("two hashes joined", {"proof": [GOOD_PATH[0], GOOD_PATH[1] + GOOD_PATH[2]]}, "hash_length"),
    ("a short leaf", {"leaf": b""}, "hash_length"),
    ("a short root", {"root": b""}, "hash_length"),
]


@pytest.mark.parametrize(
    ("changed", "code"), [twin[1:] for twin in INCLUSION_TWINS], ids=[twin[0] for twin in INCLUSION_TWINS]
)
def test_an_inclusion_proof_with_one_thing_changed_is_refused(changed: dict[str, Any], code: str) -> None:
    verify_inclusion(**GOOD_INCLUSION)
    with pytest.raises(ProofRefused) as caught:
        verify_inclusion(**GOOD_INCLUSION | changed)
    assert caught.value.code == code


GOOD_PROOF = naive_tree.proof(5, 0, 7)
GOOD_CONSISTENCY: dict[str, Any] = {
    "old": 5, "new": 7, "proof": GOOD_PROOF,
    "old_root": naive_tree.root(0, 5), "new_root": naive_tree.root(0, 7),
}  # fmt: skip
SAME: dict[str, Any] = {"old": 7, "old_root": naive_tree.root(0, 7), "proof": []}
FROM_NOTHING: dict[str, Any] = {"old": 0, "old_root": EMPTY_ROOT, "proof": []}
CONSISTENCY_TWINS: list[tuple[str, dict[str, Any], str]] = [
    ("another old root", {"old_root": naive_tree.root(0, 6)}, "not_consistent"),
    ("another new root", {"new_root": naive_tree.root(0, 8)}, "not_consistent"),
    ("the roots exchanged", {"old_root": naive_tree.root(0, 7), "new_root": naive_tree.root(0, 5)}, "not_consistent"),
    ("another old size with as many hashes", {"old": 3}, "not_consistent"),
    ("another old size", {"old": 6}, "proof_length"),
    ("an old size that is a full row", {"old": 4}, "proof_length"),
    ("twice the new size", {"new": 14}, "proof_length"),
    ("a smaller new size", {"new": 4}, "tree_shrank"),
    ("a negative size", {"old": -5}, "size_range"),
    ("a size beyond 2^53", {"new": MAX_SIZE + 1}, "size_range"),
    ("no proof", {"proof": []}, "proof_length"),
    ("the last hash missing", {"proof": GOOD_PROOF[:-1]}, "proof_length"),
    ("the first hash missing", {"proof": GOOD_PROOF[1:]}, "proof_length"),
    ("a hash more", {"proof": [*GOOD_PROOF, OTHER]}, "proof_length"),
    ("a hash in front", {"proof": [OTHER, *GOOD_PROOF]}, "proof_length"),
    ("the old root in front", {"proof": [naive_tree.root(0, 5), *GOOD_PROOF]}, "proof_length"),
    ("a short hash", {"proof": [*GOOD_PROOF[:-1], b""]}, "hash_length"),
    ("a short old root", {"old_root": b""}, "hash_length"),
    ("two roots for one size", SAME | {"old_root": naive_tree.root(0, 6)}, "fork"),
    ("a proof from a tree to itself", SAME | {"proof": [OTHER]}, "proof_length"),
    ("a proof from nothing", FROM_NOTHING | {"proof": [OTHER]}, "proof_length"),
    ("an empty tree with a root", FROM_NOTHING | {"old_root": OTHER}, "root_differs"),
    ("two empty trees with a root", FROM_NOTHING | {"new": 0, "old_root": OTHER, "new_root": OTHER}, "root_differs"),
]


@pytest.mark.parametrize(
    ("changed", "code"), [twin[1:] for twin in CONSISTENCY_TWINS], ids=[twin[0] for twin in CONSISTENCY_TWINS]
)
def test_a_consistency_proof_with_one_thing_changed_is_refused(changed: dict[str, Any], code: str) -> None:
    for good in ({}, SAME, FROM_NOTHING):
        verify_consistency(**GOOD_CONSISTENCY | good)
    with pytest.raises(ProofRefused) as caught:
        verify_consistency(**GOOD_CONSISTENCY | changed)
    assert caught.value.code == code


def flipped(value: bytes, bit: int) -> bytes:
    bit %= len(value) * 8
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.data(), st.integers(1, LARGEST), st.integers(0, 255))
def test_any_flipped_bit_of_leaf_proof_or_root_is_found(data: st.DataObject, size: int, bit: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    parts = [naive_tree.leaf_of(index), *naive_tree.path(index, 0, size), naive_tree.root(0, size)]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flipped(parts[at], bit)
    with pytest.raises(ProofRefused, match="root_differs"):
        verify_inclusion(index, size, parts[0], parts[1:-1], parts[-1])


@given(st.data(), st.integers(2, LARGEST), st.integers(0, 255))
def test_any_flipped_bit_of_a_consistency_proof_or_its_roots_is_found(data: st.DataObject, new: int, bit: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    parts = [naive_tree.root(0, old), *naive_tree.proof(old, 0, new), naive_tree.root(0, new)]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flipped(parts[at], bit)
    with pytest.raises(ProofRefused, match="not_consistent"):
        verify_consistency(old, new, parts[1:-1], parts[0], parts[-1])


@given(st.integers(2, LARGEST), st.data())
def test_a_rewritten_history_has_no_consistency_proof(new: int, data: st.DataObject) -> None:
    """Attack 5: one leaf of the old tree changed, all hashes of the new tree made anew, proof and all."""
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    leaves = [naive_tree.leaf_of(index) for index in range(new)]
    leaves[changed] = hashlib.sha256(b"\x00another entry").digest()

    def hash_of(node: Node) -> bytes:
        return root_of(leaves[node.number << node.height : (node.number + 1) << node.height])

    with pytest.raises(ProofRefused):
        verify_consistency(
            old, new, prove_consistency(old, new, hash_of), naive_tree.root(0, old), root_of(leaves)
        )  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        lambda: inclusion_parts(7, 7), lambda: inclusion_parts(-1, 7), lambda: inclusion_parts(0, MAX_SIZE + 1),
        lambda: consistency_parts(8, 7), lambda: consistency_parts(-1, 7), lambda: consistency_parts(0, MAX_SIZE + 1),
        lambda: cover(3, 2), lambda: Range(3, [OTHER]), lambda: Range(3, [OTHER, b""]), lambda: Range(-1, []),
        lambda: Range().append(b""), lambda: Range().extend([OTHER, OTHER[:31]]),
    ],
)  # fmt: skip
def test_sizes_and_hashes_that_no_log_has_are_the_caller_s_bug(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"no such|peaks|32 bytes"):
        call()


def test_a_refused_batch_leaves_the_tree_as_it_was() -> None:
    tree = Range(1, [OTHER])
    with pytest.raises(ValueError, match="32 bytes"):
        tree.extend([OTHER, b"short"])
    assert (tree.size, tree.peaks) == (1, (OTHER,))
