"""A dossier made from the database is the one its reader verifies; what the owner did to the log is not handed out."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.evidence.dossier.proofs import proofs_of
from casework.evidence.dossier.tables import case_heads
from casework.lifecycle.advance import advance
from casework.log.check.dossier import read_dossier
from casework.log.format.dossier import parse
from casework.log.format.note import to_base64
from casework.log.format.tree import prove_inclusion
from casework.log.tables import checkpoints, entries, leaves
from casework.log.write.grown import begun_log, hashes_of, size_of
from casework.storage.database import writing
from tests.dossier.conftest import CASE, Stated
from tests.log.built_log import CASES, NOTE, change_entry, opening


def refusal(stated: Stated, conn: Connection, case: int = CASE) -> tuple[str, list[str]]:
    with pytest.raises(CallerError) as caught:
        stated.made(conn, case)
    return caught.value.code, caught.value.facts.get("findings", [])


def test_a_case_has_a_dossier_that_convinces_with_the_key_alone(stated: Stated) -> None:
    with stated.reading() as conn:
        for case in (1, CASE, 3, 4, 5, CASES):
            made = stated.made(conn, case)
            shown = read_dossier(made.data, stated.keys())
            assert shown.report.verdict == "sound"
            held = conn.execute(
                sa.select(sa.func.count()).select_from(entries).where(entries.c.stream == f"case:{case}")
            ).scalar_one()
            assert len(shown.complete) + len(shown.later) == held
            assert len(shown.later) == (case == CASE)
            assert shown.opened == {}


def test_openings_come_when_asked_for_and_open_what_was_committed(stated: Stated) -> None:
    with stated.reading() as conn:
        shown = stated.made(conn, with_openings=True).shown
    assert set(shown.opened.values()) == {NOTE}
    assert len(shown.opened) == 2
    assert shown.report.openings == 2


def test_a_dossier_asked_for_since_a_checkpoint_goes_on_from_it(stated: Stated) -> None:
    with stated.reading() as conn:
        sizes = conn.execute(sa.select(checkpoints.c.size).order_by(checkpoints.c.size)).scalars().all()
        assert len(sizes) > 1
        since = parse(stated.made(conn, since=sizes[0]).data).since
        assert since is not None
        assert since.size == sizes[0]
        with pytest.raises(CallerError) as caught:
            stated.made(conn, since=10**6)
    assert caught.value.code == "size_unknown"


def test_what_a_dossier_asks_of_the_database_does_not_grow_with_its_entries(stated: Stated) -> None:
    asked: list[str] = []
    with stated.log.attacked() as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *args: asked.append(args[2]))
        counts = []
        for case in (4, CASE):
            asked.clear()
            stated.made(conn, case)
            counts.append(len(asked))
    assert counts[0] == counts[1] <= 12


def test_many_proofs_are_made_from_few_tiles_and_are_those_of_one_by_one(
    stated: Stated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across batches, and from partial tiles."""
    monkeypatch.setattr("casework.evidence.dossier.proofs._BATCH", 50)
    with stated.reading() as conn:
        log, size = _log(conn)
        assert size > 256
        found = list(proofs_of(conn, log, size, range(size)))
        hash_of = hashes_of(conn, log, size)
        for index, proof in enumerate(found):
            assert proof == list(map(to_base64, prove_inclusion(index, size, hash_of)))


def _log(conn: Connection) -> tuple[Any, int]:
    log = begun_log(conn)
    return log, size_of(conn, log)


# --- what is not handed out


def tile_spoilt(conn: Connection) -> None:
    records = bytes(conn.execute(sa.select(case_heads.c.records)).scalars().first() or b"")
    conn.execute(case_heads.update().values(records=records[:-1] + bytes([records[-1] ^ 1])))


def records_cut(conn: Connection) -> None:
    conn.execute(case_heads.update().values(records=b"x"))


def case_taken_from_records(conn: Connection) -> None:
    row = bytes(conn.execute(sa.select(case_heads.c.records)).scalars().first() or b"")
    conn.execute(case_heads.update().values(records=row[:48] + row[96:]))


def entry_gone(conn: Connection) -> None:
    conn.execute(entries.delete().where(entries.c.stream == f"case:{CASE}", entries.c.stream_seq == 3))


def last_before_statement_gone(conn: Connection) -> None:
    at = sa.select(sa.func.max(entries.c.stream_seq)).where(entries.c.stream == f"case:{CASE}")
    last = conn.execute(at).scalar_one()
    gone = entries.c.stream_seq.in_([last, last - 1])
    conn.execute(entries.delete().where(entries.c.stream == f"case:{CASE}", gone))


def body_changed(conn: Connection) -> None:
    change_entry(conn, f"case:{CASE}", 3, body=b"\xff\xfe")


def leaves_moved(conn: Connection) -> None:
    conn.execute(leaves.update().where(leaves.c.leaf_index == 290).values(leaf_hash=b"\x00" * 32))


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (tile_spoilt, {"head_not_stated"}), (records_cut, {"heads_damaged"}),
        (case_taken_from_records, {"head_not_stated"}), (entry_gone, {"stream_hole"}),
        (last_before_statement_gone, {"head_not_stated"}), (body_changed, {"body_malformed"}),
        (leaves_moved, {"proof_refused"}),
    ],
)  # fmt: skip
def test_a_log_that_was_changed_gives_no_dossier_but_says_why(
    stated: Stated, attack: Callable[[Connection], None], expected: set[str]
) -> None:
    code, findings = stated.after(attack, lambda conn: refusal(stated, conn))
    assert code == "dossier_unsound"
    assert expected <= set(findings)


def test_where_the_tree_is_no_longer_kept_it_says_so(stated: Stated) -> None:
    assert stated.after(
        lambda conn: conn.execute(case_heads.delete()), lambda conn: refusal(stated, conn)
    ) == ("heads_not_kept", [])  # fmt: skip


def test_a_case_too_long_is_refused(stated: Stated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casework.evidence.dossier.make.MAX_ENTRIES", 3)
    with stated.reading() as conn:
        assert refusal(stated, conn)[0] == "case_too_long"
    monkeypatch.undo()
    monkeypatch.setattr("casework.evidence.dossier.make.MAX_BODIES_BYTES", 100)
    with stated.reading() as conn:
        assert refusal(stated, conn)[0] == "case_too_long"


def test_a_case_opened_after_the_statement_waits_for_the_next_one(stated: Stated) -> None:
    """Unsealed, then sealed but not stated, then stated. It commits: the last of this file."""
    with writing(stated.log.engine) as conn:
        (opened,) = advance(conn, [opening(900)], stated.log.branch, clock=stated.clock)
    case = opened.id
    assert case is not None
    with stated.reading() as conn:
        assert refusal(stated, conn, case) == ("not_sealed_yet", [])
    stated.seal()
    with stated.reading() as conn:
        assert refusal(stated, conn, case) == ("case_not_in_heads", [])
    assert stated.state() is not None
    with stated.reading() as conn:
        assert refusal(stated, conn, case) == ("case_not_in_heads", [])  # no checkpoint covers it yet
    stated.seal()
    with stated.reading() as conn:
        assert len(stated.made(conn, case).shown.complete) == 1
