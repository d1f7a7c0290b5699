"""A case's handler is looked up among the staff where they are not its owner, who is looked up already."""

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMN: Final = (
    "apart BOOLEAN GENERATED ALWAYS AS (CASE WHEN closed_as IS NULL AND handler <> owner THEN (1 = 1) END) STORED"
)
_KEY: Final = "CONSTRAINT fk_cases_handler_{0} FOREIGN KEY(handler, {0}) REFERENCES staff (staff_no, present)"
_BEFORE, _AFTER = _KEY.format("kept"), _KEY.format("apart")
_KEYS: Final = "CONSTRAINT pk_cases"
"""Of SQLite's words, before which the last column ends."""


def upgrade() -> None:
    """Rows stay as they are; both databases write them anew, for the column is computed and stored."""
    if op.get_bind().dialect.name == "sqlite":
        _made_anew({_KEYS: f"{_COLUMN}, {_KEYS}", _BEFORE: _AFTER})
        return
    op.execute(f"ALTER TABLE cases ADD COLUMN {_COLUMN}, DROP CONSTRAINT fk_cases_handler_kept, ADD {_AFTER}")


def downgrade() -> None:
    """Undo it."""
    if op.get_bind().dialect.name == "sqlite":
        _made_anew({f"{_COLUMN}, {_KEYS}": _KEYS, _AFTER: _BEFORE})
        return
    op.execute(f"ALTER TABLE cases DROP CONSTRAINT fk_cases_handler_apart, DROP COLUMN apart, ADD {_BEFORE}")


def _made_anew(words: dict[str, str]) -> None:
    """SQLite changes no key of a table: its own words are changed, and its rows copied into what they make."""
    conn = op.get_bind()
    made = conn.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'cases'").scalar_one()
    for old, new in words.items():
        if made.count(old) != 1:
            raise RuntimeError(f"the table of cases does not say once: {old}")
        made = made.replace(old, new)
    indexes = conn.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'cases' AND sql IS NOT NULL ORDER BY rowid"
    ).scalars().all()  # fmt: skip
    names = conn.exec_driver_sql("SELECT name FROM pragma_table_xinfo('cases') WHERE hidden = 0").scalars().all()
    columns = ", ".join(names)
    conn.exec_driver_sql(f"CREATE TABLE cases_anew {made[made.index('(') :]}")
    conn.exec_driver_sql(f"INSERT INTO cases_anew ({columns}) SELECT {columns} FROM cases ORDER BY id")  # noqa: S608
    conn.exec_driver_sql("DROP TABLE cases")
    conn.exec_driver_sql("ALTER TABLE cases_anew RENAME TO cases")
    for index in indexes:
        conn.exec_driver_sql(index)
