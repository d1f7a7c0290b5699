"""A search finds what the plainest filter over all entries finds, whatever the index has or lacks."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.evidence.search import find, narrow
from casework.evidence.search.find import page_of_entries
from casework.evidence.search.index import begin_anew, read_behind
from casework.evidence.search.tables import search_state
from casework.evidence.search.wanted import MAX_STREAMS, TermsWanted, check
from casework.log.write.trail import Draft
from casework.storage.database import reading, writing
from tests.conftest import LONGER
from tests.log.branch_log import WRITER
from tests.search.world import World, filters, naive

EXAMPLES = settings(max_examples=14 * LONGER)


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bound of a page is reached within 450 entries."""
    monkeypatch.setattr(find, "WINDOW", 6_000)
    monkeypatch.setattr(find, "LOOKED_AT", 100)
    monkeypatch.setattr(narrow, "SEGMENTS", 3)
    monkeypatch.setattr(find, "POSTINGS_ASKED", 25)


def bring_to(world: World, state: str) -> None:
    """Have the index in this state; what was not sealed yet is sealed first where the state needs it."""
    if state == "not sealed":
        return
    world.seal()
    if state == "emptying":
        with writing(world.engine) as conn:
            begin_anew(conn)
        return
    with writing(world.engine) as conn:
        conn.execute(search_state.update().values(emptying=False))
    if state == "half built":
        world.indexer(stretch=150).step()
        world.indexer(stretch=150).step()
    elif state == "complete":
        world.indexer().catch_up()


@pytest.mark.parametrize("state", ["not sealed", "nothing built", "half built", "complete", "emptying"])
def test_a_search_equals_the_plainest_filter_in_every_state_of_the_index(
    filled: World, state: str, small_bounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across all pages, with every bound of a page in the way; what the index lacks is few, or too many."""
    bring_to(filled, state)
    everything = filled.everything()
    met = [0]

    @EXAMPLES
    @given(wanted=filters(), limit=st.integers(12, 120), few=st.booleans())
    def equal(wanted: TermsWanted, limit: int, few: bool) -> None:
        monkeypatch.setattr(find, "TAIL", 1_000 if few else 10)
        expected = naive(everything, wanted)
        met[0] += bool(expected)
        assert filled.walk(wanted, limit) == expected

    equal()
    assert met[0] > 2  # it has not compared nothing with nothing


def test_states_are_what_they_are_called(world: World) -> None:
    """The test above goes through an index that is empty, half full, full."""
    world.fill(400)
    for state, low, high in (("nothing built", 0, 0), ("half built", 250, 350), ("complete", 401, 401)):
        bring_to(world, state)
        with reading(world.engine) as conn:
            assert low <= read_behind(conn).begin <= high


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_walk_meets_each_entry_that_was_there_once_while_others_are_written(world: World, newest_first: bool) -> None:
    """Whatever is added, sealed or indexed between two pages."""
    world.fill(150)
    wanted = TermsWanted(event="case.*", newest_first=newest_first)
    before = naive(world.everything(), wanted)
    chance, found = random.Random(3), list[str]()
    after, indexer = None, world.indexer(stretch=40)
    while True:
        with reading(world.engine, snapshot=True) as conn:
            page = page_of_entries(conn, world.mac_key, wanted, after=after, limit=7)
        found += [line.entry_id for line in page.items]
        after = page.next
        if after is None:
            break
        turn = chance.randrange(3)
        if turn == 0 and len(world.everything()) < 400:
            world.fill(5, seed=chance.randrange(10**6))
        elif turn == 1:
            world.seal()
        else:
            indexer.step()
    assert len(found) == len(set(found))
    assert [entry_id for entry_id in found if entry_id in set(before)] == before
    whole = naive(world.everything(), wanted)
    assert [entry_id for entry_id in whole if entry_id in set(found)] == found


def test_an_entry_that_may_never_be_sealed_is_found_all_the_same(world: World) -> None:
    """It stays in the queue, told by the sealer; a search looks at the queue."""
    world.fill(60)
    with writing(world.owner) as conn:
        conn.exec_driver_sql(
            "INSERT INTO unsealed (entry) VALUES (999999)"
        )  # and what the queue names must not be there
    world.attack(lambda conn: conn.exec_driver_sql("UPDATE entries SET mac = leaf_hash WHERE stream = 'test:3'"))
    world.settle()
    assert world.queue()
    wanted = TermsWanted(actor="S1", newest_first=True)
    assert world.walk(wanted, 5) == naive(world.everything(), wanted)


def test_the_answer_says_how_far_the_index_is_behind(world: World) -> None:
    world.fill(50)
    world.seal()
    with reading(world.engine, snapshot=True) as conn:
        assert (
            page_of_entries(conn, world.mac_key, TermsWanted(actor="S1")).unindexed == 51
        )  # and the entry that begins the log
    world.indexer().catch_up()
    with reading(world.engine, snapshot=True) as conn:
        assert page_of_entries(conn, world.mac_key, TermsWanted(actor="S1")).unindexed == 0


# ── cursors and bounds ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_cursor_belongs_to_its_filter_and_is_refused_when_it_was_changed(world: World) -> None:
    world.fill(60)
    world.settle()
    first, other = TermsWanted(event="case.*"), TermsWanted(event="case.*", newest_first=True)
    with reading(world.engine, snapshot=True) as conn:
        cursor = page_of_entries(conn, world.mac_key, first, limit=5).next
        of_streams = page_of_entries(conn, world.mac_key, TermsWanted(streams=("test:1", "test:2")), limit=2).next
        assert cursor is not None
        assert of_streams is not None
        page_of_entries(conn, world.mac_key, first, after=cursor, limit=9)
        changed = [cursor[:place] + chr(ord(cursor[place]) ^ 1) + cursor[place + 1 :] for place in range(len(cursor))]
        tried: list[tuple[TermsWanted, str]] = [
            (first, one) for one in (*changed, cursor + "=", cursor + "A", cursor[:-1])
        ]
        tried += [(other, cursor), (first, of_streams), (TermsWanted(streams=("test:1",)), of_streams)]
        tried += [(TermsWanted(), cursor), (first, "é"), (first, ""), (first, "A" * 5_000)]
        for wanted, after in tried[:-2]:
            assert refused(conn, wanted, after=after) == "cursor_malformed", after
        assert refused(conn, first, after="A" * 5_000) == "cursor_malformed"


@pytest.mark.parametrize(
    "parts",
    [{"event": "Case.Opened"}, {"event": "a" * 82}, {"event": ""}, {"event": "case.%"}, {"event": "c*e"},
     {"actor": "张三"}, {"actor": "a b"}, {"actor": "x" * 65}, {"rule": "1.3.1a; DROP"}, {"rule": "1" * 18},
     {"code": "Too"}, {"code": "a\x00"}, {"post": "*"}, {"streams": ("nostream",)}, {"streams": ("case:1\n",)},
     {"streams": tuple(f"case:{n}" for n in range(MAX_STREAMS + 1))}, {"amount_fen_min": -1},
     {"amount_fen_max": 2**53}, {"amount_fen_min": 2, "amount_fen_max": 1}],
)  # fmt: skip
def test_a_part_that_no_entry_could_have_is_told(parts: dict[str, Any]) -> None:
    with pytest.raises(CallerError) as told:
        check(TermsWanted(**parts))
    assert told.value.code == "filter_malformed"


@pytest.mark.only("sqlite")
def test_a_page_has_its_bounds(world: World) -> None:
    with reading(world.engine, snapshot=True) as conn:
        for limit in (0, -1, 201):
            assert refused(conn, TermsWanted(), limit=limit) == "filter_malformed"
        period = TermsWanted(recorded_from=world.at, recorded_until=world.at)
        assert refused(conn, period) == "filter_malformed"


def refused(conn: Any, wanted: TermsWanted, **rest: Any) -> str:
    """The code of the mistake."""
    with pytest.raises(CallerError) as told:
        page_of_entries(conn, b"\x01" * 32, wanted, **rest)
    return told.value.code


def test_a_body_that_somebody_changed_is_still_found_by_its_columns(world: World) -> None:
    """Neither the indexer nor a search stumbles over it."""
    world.fill(30)
    world.seal()
    junk = ("x'7b'", "'\\x7b'")[world.engine.dialect.name != "sqlite"]
    world.attack(lambda conn: conn.exec_driver_sql(f"UPDATE entries SET body = {junk} WHERE stream_seq = 2"))
    world.indexer().catch_up()
    with reading(world.engine, snapshot=True) as conn:
        found = find.find(conn, TermsWanted(event="case.*"), None, 200).rows
    assert sum(bytes(row.body) == b"{" for row in found) > 2


def test_nothing_but_codes_numbers_and_ids_reaches_the_index(world: World) -> None:
    """Texts that stand anywhere else in an entry, even where none should, are not filed."""
    secret = "13800138000"
    with writing(world.engine) as conn:
        trail = world.trail()
        data = {"note": secret, "reasons": [{"code": "too_early", "saw": {"name": secret}}], "given": {"phone": secret},
                "loan_id": secret, "posts": [secret], "fen": 5, "amount": 13800138000}  # fmt: skip
        trail.append(conn, f"borrower:{secret}", Draft("personal.read", WRITER, data, texts={"note": secret}))
        trail.write(conn)
    world.settle()
    with reading(world.engine) as conn:
        held = conn.exec_driver_sql("SELECT value FROM search_terms").scalars().all()
    assert "too_early" in held
    assert not [value for value in held if secret in value]
