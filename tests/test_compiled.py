"""What is compiled of statements serves every engine of a process, and the other kind of database has its own."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import CacheStats

from casework.storage.database import open_engine, reading, writing


def ask(conn: Connection, number: int) -> tuple[int, CacheStats]:
    """A statement that nothing else asks for: its answer, and whether it was compiled already."""
    answer = conn.execute(sa.select(sa.literal(number).label("asked_in_test_compiled")))
    return answer.scalar_one(), answer.context.cache_hit


@pytest.mark.every_postgres
def test_what_one_engine_compiled_serves_its_readers_and_every_other_engine(engine: Engine, database_url: str) -> None:
    with writing(engine) as conn:
        assert ask(conn, 1) == (1, CacheStats.CACHE_MISS)
    with reading(engine) as conn:
        assert ask(conn, 2) == (2, CacheStats.CACHE_HIT)
    other = open_engine(database_url)
    with writing(other) as conn:
        assert ask(conn, 3) == (3, CacheStats.CACHE_HIT)
    other.dispose()
