"""The trees over the heads of all cases, of the newest statements only: what a dossier reads its proof from.

Nothing here is evidence, and everything can be made again from the log; a proof read from here is verified against the
statement before it is handed out.
"""

import sqlalchemy as sa

from casework.storage.database import Bytes, metadata

# 256 heads a row, in the order of their cases. `statement` is the number of the `log.heads` entry in `log:<log>`.
case_heads = sa.Table(
    "case_heads",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("statement", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_case", sa.BigInteger, nullable=False),
    sa.Column("records", Bytes, nullable=False),
    sa.UniqueConstraint("log", "statement", "first_case"),
)

# The tiles above them (tlog-tiles, level 1 and higher; partial ones too, for these trees never grow).
case_head_tiles = sa.Table(
    "case_head_tiles",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("statement", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", Bytes, nullable=False),
)
