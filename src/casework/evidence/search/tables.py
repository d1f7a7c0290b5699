"""The search index's tables. All of it is derived from the log and can be made anew (`casework audit reindex`)."""

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, metadata

# What entries are filed under (casework.evidence.search.said). Never deleted: an id means the same for ever.
search_terms = sa.Table(
    "search_terms",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("value", sa.String(96), nullable=False),
    sa.UniqueConstraint("kind", "value"),
)

# Which entries of a segment are filed under a term. `place` is term << 24 | segment: one number, so that any set of
# postings is one select by keys, and those of a term lie side by side in the order of their segments.
search_postings = sa.Table(
    "search_postings",
    metadata,
    sa.Column("place", BigId, primary_key=True, autoincrement=False),
    sa.Column("bits", Bytes, nullable=False),  # casework.evidence.search.bits
)

# When the entries of a segment (4,096 ids) were recorded: ids and times are only nearly in the same order.
search_segments = sa.Table(
    "search_segments",
    metadata,
    sa.Column("segment", BigId, primary_key=True, autoincrement=False),
    sa.Column("first_s", sa.BigInteger, nullable=False),  # whole seconds since 1970, rounded down
    sa.Column("last_s", sa.BigInteger, nullable=False),  # rounded up
    sa.Column("times", Bytes, nullable=False),  # the same of each 64 ids (casework.evidence.search.times)
)

# One row: up to which leaf of which log entries are in the index. While `emptying`, nothing is added and all goes.
search_state = sa.Table(
    "search_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("log", sa.Integer, nullable=False),
    sa.Column("indexed", sa.BigInteger, nullable=False),
    sa.Column("emptying", sa.Boolean, nullable=False),
)
