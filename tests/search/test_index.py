"""The index follows the sealer, whoever else does, and can be made anew and compared with the log."""

import threading
from contextlib import suppress

import pytest
import sqlalchemy as sa

from casework.errors import TryAgain
from casework.evidence.search import bits, index
from casework.evidence.search.compare import IndexDifference, differences
from casework.evidence.search.index import begin_anew, read_behind
from casework.evidence.search.tables import (
    search_postings,
    search_segments,
    search_state,
    search_terms,
)
from casework.evidence.search.wanted import TermsWanted
from casework.log.write import logs, signer
from casework.log.write.seal import SEALER, Sealer
from casework.storage.database import reading, writing
from tests.search.world import World, naive


def told(world: World) -> list[IndexDifference]:
    """What the comparison finds."""
    with reading(world.engine, snapshot=True) as conn:
        return list(differences(conn))


def covered(world: World) -> int:
    with reading(world.engine) as conn:
        return read_behind(conn).begin


def test_the_index_is_what_the_entries_say(world: World) -> None:
    world.fill(120)
    world.settle()
    assert told(world) == []
    world.fill(60, seed=2)
    world.seal()
    assert told(world) == []  # what it does not cover yet counts for neither side
    for _ in range(3):
        world.indexer(stretch=15).step()
    assert told(world) == []
    assert 121 < covered(world) < 181


def test_a_chore_waits_for_a_few_and_takes_many_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(index, "monotonic", lambda: clock[0])
    world.fill(20, jumps=False)
    world.seal()
    patient = world.indexer(least=50, patience_s=10)
    patient.chore()
    clock[0] += 9
    patient.chore()
    assert covered(world) == 0
    clock[0] += 2
    patient.chore()
    assert covered(world) == 21
    world.fill(60, jumps=False)
    world.seal()
    patient.chore()
    assert covered(world) == 81


def test_the_sealer_looks_after_the_index_and_goes_on_when_it_cannot(world: World) -> None:
    world.fill(20, jumps=False)

    def busy() -> None:
        raise TryAgain("database_busy", "as if")

    done = world.seal(after=[busy, world.indexer().chore])
    assert (done.sealed, done.troubled, covered(world)) == (20, ["database_busy"], 21)


def test_any_number_may_index_at_once_and_nothing_is_lost_or_done_twice(world: World) -> None:
    """Sealing, writing and indexing in threads, each with what it keeps in memory."""
    world.fill(100, jumps=False)
    stop, failed = threading.Event(), list[BaseException]()

    def work(turn: object) -> None:
        try:
            while not stop.is_set():
                turn()  # type: ignore[operator]  # a bound method
        except BaseException as error:  # noqa: BLE001 - told at the end
            failed.append(error)

    def patiently(indexer: index.Indexer) -> object:
        def turn() -> None:
            with suppress(TryAgain):  # SQLite, when the others keep it busy
                indexer.step()

        return turn

    turns = [patiently(world.indexer(stretch=17)) for _ in range(3)]
    threads = [threading.Thread(target=work, args=(turn,)) for turn in turns]
    for thread in threads:
        thread.start()
    for number in range(6):
        world.fill(25, seed=number, jumps=False)
        world.seal()
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failed == []
    world.indexer().catch_up()
    assert covered(world) == 251
    assert told(world) == []


def test_a_new_log_is_indexed_from_its_first_leaf(world: World) -> None:
    """The same entries are sealed anew, and filed again where they are."""
    world.fill(80)
    world.settle()
    keys = signer.read_keys(world.folder)
    fresh = signer.SigningKeys("log.example/branch-2", keys.keys)
    with writing(world.engine) as conn:
        logs.hold_seal(conn)
        conn.execute(sa.text("INSERT INTO unsealed (entry) SELECT id FROM entries"))
        logs.begin(conn, world.trail(), SEALER, fresh)
    wanted = TermsWanted(event="case.noted")
    expected = naive(world.everything(), wanted)
    assert world.walk(wanted, 20) == expected
    sealer = Sealer(world.engine, world.mac_key, world.vault, world.folder, clock=world.clock)
    assert sealer.round().sealed == 81
    assert covered(world) == 0
    assert world.walk(wanted, 20) == expected
    world.indexer().catch_up()
    assert covered(world) == 82
    assert told(world) == []
    assert world.walk(wanted, 20) == expected


def test_made_anew_it_is_the_same_and_searches_are_whole_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_EMPTIED", 50)
    world.fill(150)
    world.settle()
    wanted = TermsWanted(rule="1.3.*", newest_first=True)
    expected = naive(world.everything(), wanted)
    before = postings(world)
    with writing(world.engine) as conn:
        conn.execute(search_postings.update().values(bits=b"\x01\x00"))  # whatever it held
        begin_anew(conn)
    one, other = world.indexer(stretch=60), world.indexer(stretch=60)
    steps = 0
    while one.step():
        steps += 1
        assert world.walk(wanted, 40) == expected
        other.step()
    assert steps > 3
    assert covered(world) == 151
    assert postings(world) == before


def postings(world: World) -> dict[tuple[str, str, int], int]:
    with reading(world.engine) as conn:
        terms = {row.id: (row.kind, row.value) for row in conn.execute(sa.select(search_terms))}
        return {
            (*terms[row.place >> index.SEGMENT_BITS], row.place & 0xFFFFFF): bits.unpack(bytes(row.bits))
            for row in conn.execute(sa.select(search_postings))
        }


def test_an_entry_that_was_taken_out_of_the_index_is_told(world: World) -> None:
    """The log does not suffer by it: the comparison names the posting, and made anew the index has it again."""
    world.fill(80)
    world.settle()
    with writing(world.owner) as conn:
        term = conn.execute(sa.select(search_terms.c.id).where(search_terms.c.value == "case.noted")).scalar_one()
        first = conn.execute(
            sa.select(search_postings).where(search_postings.c.place >= term << index.SEGMENT_BITS)
            .order_by(search_postings.c.place).limit(1)
        ).one()  # fmt: skip
        held = bits.unpack(bytes(first.bits))
        conn.execute(
            search_postings.update()
            .where(search_postings.c.place == first.place)
            .values(bits=bits.with_more(b"", bits.offsets_of(held & held - 1)))
        )
    segment = first.place & 0xFFFFFF
    assert told(world) == [IndexDifference("event", "case.noted", segment, 1, 0)]
    assert world.verify().verdict == "sound"
    with writing(world.engine) as conn:
        begin_anew(conn)
    world.indexer().catch_up()
    assert told(world) == []


def test_the_index_empties_and_fills_on_a_database_without_any_log(world: World) -> None:
    world.indexer().chore()
    with writing(world.engine) as conn:
        begin_anew(conn)
    assert world.indexer().catch_up() == 0
    with reading(world.engine) as conn:
        assert conn.execute(sa.select(search_state)).one()[1:] == (0, 0, False)
        assert conn.execute(sa.select(sa.func.count()).select_from(search_segments)).scalar() == 0
