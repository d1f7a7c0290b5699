"""What main subjects carry: what is open of them in all other nouns, and by when."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.gather import in_force, select_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.noun import Thing
from casework.rules.statechart.chart import Chart
from casework.storage import rows


def carried(
    conn: Connection, nouns: Iterable[Kept], charts: Mapping[str, Chart], mains: Sequence[Any]
) -> dict[int, list[Thing]]:
    """Of each main subject that carries anything; a statement a noun, however many there are."""
    found: dict[int, list[Thing]] = {}
    for noun in nouns:
        for number, subject in _open_of(conn, noun, mains):
            found.setdefault(number, []).append(_told(noun.word, charts[noun.chart], subject))
    return found


def _open_of(conn: Connection, noun: Kept, mains: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """What is open of a noun, with the number of each main subject that it concerns."""
    if noun.of_customer:
        of: dict[Customer, list[Any]] = {}
        for one in mains:
            of.setdefault(Customer(one.institution, one.borrower_id), []).append(one)
        for subject in in_force(conn, noun, of):
            for one in of[Customer(subject.institution, subject.borrower_id)]:
                if subject.binds(one):
                    yield one.id, subject
        return
    key = "parent_id" if noun.child else "subject"  # a root that is about a stream says which
    if key not in noun.table.c:
        return
    named: dict[Any, int] = {one.id if noun.child else one.stream: one.id for one in mains}
    living = select_of(noun).where(noun.table.c.live == sa.true())
    for subject in map(noun.rows.read, rows.select_by_keys(conn, living, key, sorted(named))):
        yield named[getattr(subject, key)], subject


def _told(word: str, chart: Chart, subject: Any) -> Thing:
    """Its day is the one from which the (first) deadline of its state counts; its codes are those of its opening."""
    dues, ground = chart.state_named(subject.state).dues, chart.openings.get(subject.opened_for)
    fields = ground.fields.values() if ground is not None else ()
    codes = [one.one_of[code] for one in fields if (code := str(getattr(subject, one.name, None))) in one.one_of]
    return Thing(word, getattr(subject, dues[0].since) if dues else None, tuple(codes))
