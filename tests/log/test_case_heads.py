"""The heads of all cases: exact bytes, the tree against the definitions of RFC 6962, statements against leaves."""

import hashlib
from bisect import insort
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.check.findings import Report
from casework.log.check.heads_tree import HeadsTree, StatedHeads, StatementCheck
from casework.log.format.case_heads import (
    Built,
    CaseHead,
    MalformedStatement,
    Statement,
    build,
    case_of,
    head_hash,
    read_records,
    statement_of,
    tile_of_records,
)
from casework.log.format.entry import Entry, SignedActor
from casework.log.format.tiles import FromTiles, Tile
from casework.log.format.tree import EMPTY_ROOT, prove_inclusion, verify_inclusion
from tests.log.naive_tree import below


def leaf(number: int) -> bytes:
    return hashlib.sha256(f"leaf {number}".encode()).digest()


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1 over hashes of leaves."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    middle = below(len(hashes))
    return hashlib.sha256(b"\x01" + naive_root(hashes[:middle]) + naive_root(hashes[middle:])).digest()


def naive_head(case: int, seq: int, of: bytes) -> bytes:
    text = f"casework/audit/v1/case-head\ncase:{case}\n{seq}\n{of.hex()}\n"
    return hashlib.sha256(b"\x00" + text.encode("ascii")).digest()


def heads(count: int) -> list[CaseHead]:
    """Cases 3, 6, 9 and so on."""
    return [CaseHead(3 * number, number, leaf(number)) for number in range(1, count + 1)]


def hash_of(built: Built) -> FromTiles:
    tiles = dict(built.tiles)
    return FromTiles(
        built.cases, lambda tile: tiles[tile] if tile.level else tile_of_records(built.records[tile.number])
    )


def test_a_head_is_hashed_from_exactly_these_bytes() -> None:
    """Somebody else's program makes them from the case's number, the entry's and its leaf hash."""
    preimage = b"\x00casework/audit/v1/case-head\ncase:17\n9\n" + b"5f" * 32 + b"\n"
    assert head_hash(17, 9, b"\x5f" * 32) == hashlib.sha256(preimage).digest()


@pytest.mark.parametrize("count", range(41))
def test_the_root_over_the_heads_is_that_of_the_definition(count: int) -> None:
    built = build(heads(count))
    assert built.root == naive_root([naive_head(*head) for head in heads(count)])
    assert (built.cases, [head for data in built.records for head in read_records(data)]) == (count, heads(count))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 300, 512, 1000])
def test_what_is_kept_of_the_tree_proves_the_head_of_every_case(count: int) -> None:
    """Also across the edges of its tiles."""
    built = build(heads(count))
    assert [tile for tile, _ in built.tiles] == ([Tile(1, 0, count // 256)] if count >= 256 else [])
    for index in {0, 1, 254, 255, 256, 257, 511, count // 2, count - 2, count - 1} & set(range(count)):
        proof = prove_inclusion(index, count, hash_of(built))
        verify_inclusion(index, count, naive_head(*heads(count)[index]), proof, built.root)


@pytest.mark.parametrize("wrong", [[2, 1], [1, 1], [5, 7, 6]])
def test_heads_out_of_order_are_a_bug(wrong: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        build(CaseHead(case, 1, leaf(case)) for case in wrong)


@pytest.mark.parametrize(
    ("stream", "case"),
    [("case:1", 1), ("case:9007199254740991", 2**53 - 1), ("case:9007199254740992", None), ("case:007", None),
     ("case:0", None), ("case:x", None), ("case:", None), ("case:12 ", None), ("xcase:1", None), ("case:1\n", None),
     ("case:١", None), (None, None), (7, None), (b"case:1", None)],
)  # fmt: skip
def test_a_stream_is_of_a_case_in_one_spelling_only(stream: Any, case: int | None) -> None:
    """Two spellings would be two heads of one case."""
    assert case_of(stream) == case


# --- statements

STATED = Statement("2026-01-11", 40, 7, leaf(0))


def entry(**changes: Any) -> Entry:
    made = Entry(
        actor=SignedActor("system", "system", "heads"),
        chart=None, data=STATED.data, entry_id="log:1:2", event="log.heads",
        from_=None, occurred_at="2026-01-11T00:00:00.000000Z", personal={}, policy=None, prev="5f" * 32,
        reason_code=None, recorded_at="2026-01-11T00:00:00.000000Z", rules=(), stream="log:1", stream_seq=2, to=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_a_statement_is_read_as_it_was_written() -> None:
    assert statement_of(entry()) == STATED
    empty = Statement("2026-01-11", 0, 0, EMPTY_ROOT)
    assert statement_of(entry(data=empty.data)) == empty


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event": "log.begun"}, "not_heads"), ({"stream": "log:0"}, "not_heads"), ({"stream": "case:1"}, "not_heads"),
        ({"data": {}}, "not_heads"), ({"data": STATED.data | {"more": 1}}, "not_heads"),
        ({"data": STATED.data | {"day": "2026-02-30"}}, "malformed_day"),
        ({"data": STATED.data | {"day": "20260111"}}, "malformed_day"),
        ({"data": STATED.data | {"day": 20260111}}, "malformed_day"),
        ({"data": STATED.data | {"size": True}}, "malformed_size"),
        ({"data": STATED.data | {"size": -1}}, "malformed_size"),
        ({"data": STATED.data | {"size": "40"}}, "malformed_size"),
        ({"data": STATED.data | {"cases": 41}}, "malformed_cases"),
        ({"data": STATED.data | {"cases": None}}, "malformed_cases"),
        ({"data": STATED.data | {"cases": 0}}, "malformed_root"),
        ({"data": STATED.data | {"root": leaf(0).hex().upper()}}, "malformed_root"),
        ({"data": STATED.data | {"root": leaf(0).hex() + "\n"}}, "malformed_root"),
        ({"data": STATED.data | {"root": None}}, "malformed_root"),
    ],
)  # fmt: skip
def test_what_is_almost_a_statement_is_none(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(MalformedStatement) as caught:
        statement_of(entry(**changes))
    assert caught.value.code == code


# --- from leaf to leaf

Leaf = tuple[str, int, bytes]


def naive_tree(leaves: list[Leaf]) -> tuple[int, bytes]:
    """Number of cases and root over the last entry of each, by leaf."""
    last: dict[int, tuple[int, bytes]] = {}
    order: list[int] = []
    for stream, seq, of in leaves:
        if stream.startswith("case:"):
            case = int(stream.removeprefix("case:"))
            if case not in last:
                insort(order, case)
            last[case] = (seq, of)
    return len(order), naive_root([naive_head(case, *last[case]) for case in order])


@st.composite
def logs(draw: st.DrawFn) -> list[Leaf]:
    """Leaves of cases, in any order of their first appearance, and of other streams."""
    numbers = draw(st.lists(st.integers(0, 30), max_size=60))
    seen: dict[int, int] = {}
    found = []
    for place, number in enumerate(numbers):
        seen[number] = seen.get(number, 0) + 1
        stream = f"case:{number}" if number else "staff:S1"
        found.append((stream, seen[number], leaf(place)))
    return found


@given(logs(), st.integers(1, 9))
def test_the_tree_that_grows_leaf_by_leaf_is_the_one_over_the_heads_then(log: list[Leaf], step: int) -> None:
    """Cases come in any order, and get new heads."""
    tree = HeadsTree()
    for end in range(0, len(log) + step, step):
        tree.note(log[max(0, end - step) : end])
        assert (tree.cases, tree.root) == naive_tree(log[:end])


def test_many_cases_are_put_in_place_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded, and bounding it changes nothing."""
    monkeypatch.setattr("casework.log.check.heads_tree._WAITING", 16)
    tree, log = HeadsTree(), [(f"case:{(number * 37) % 499 + 1}", 1, leaf(number)) for number in range(499)]
    for begin in range(0, len(log), 20):
        tree.note(log[begin : begin + 20])
    assert (tree.cases, tree.root) == naive_tree(log)


def checked(log: list[Leaf], stated: list[StatedHeads], batch: int = 7) -> list[dict[str, Any]]:
    report = Report()
    check = StatementCheck(report, stated)
    for begin in range(0, len(log), batch):
        check.take(begin, log[begin : begin + batch])
    check.finish()
    assert {one.code for one in report.findings} <= {"case_heads_differ"}
    return [{"seq": one.stream_seq, **one.detail} for one in report.findings]


def some_log(count: int = 30) -> list[Leaf]:
    return [(f"case:{place % 4 + 1}", place // 4 + 1, leaf(place)) for place in range(count)]


def stated_at(log: list[Leaf], at: int, seq: int = 2, **changes: Any) -> StatedHeads:
    cases, root = naive_tree(log[:at])
    return StatedHeads(Statement("2026-01-11", at, cases, root)._replace(**changes), "log:1", seq, len(log))


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_true_statements_are_found_true_wherever_they_stand(batch: int) -> None:
    log = some_log()
    assert checked(log, [stated_at(log, size, size) for size in (0, 1, 6, 7, 8, 14, 29, 30)], batch) == []


def lies() -> Iterator[tuple[str, StatedHeads]]:
    log = some_log()
    yield "another root", stated_at(log, 12, root=leaf(99))
    yield "too few cases", stated_at(log, 12, cases=3)
    yield "a size too small", stated_at(log, 12, size=11)
    yield "a size too large", stated_at(log, 12, size=13)
    yield "beyond the tree", stated_at(log, 12, size=31)
    yield "a head behind the last entry", stated_at([*log[:11], log[7], *log[12:]], 12)
    yield "about leaves after its own", stated_at(log, 12)._replace(leaf_index=11)


@pytest.mark.parametrize(("name", "lie"), list(lies()))
def test_a_false_statement_is_named_and_the_true_ones_beside_it_are_not(name: str, lie: StatedHeads) -> None:
    log = some_log()
    found = checked(log, [stated_at(log, 5, seq=1), lie, stated_at(log, 29, seq=3)])
    assert [one["seq"] for one in found] == [2], (name, found)


@pytest.mark.parametrize("odd", [(None, 1, leaf(1)), ("case:1", "x", leaf(1)), ("case:1", 1, "text"), (3.5, 1, None)])
def test_what_a_damaged_database_gives_makes_another_root_and_no_crash(odd: Any) -> None:
    tree, log = HeadsTree(), some_log()
    tree.note([*log[:-3], odd, *log[-2:]])
    assert tree.cases == 4
