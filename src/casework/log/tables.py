"""The log's tables: entries, their queue, the tree over them, heads of streams, published texts, openings."""

import sqlalchemy as sa

from casework.storage.database import (
    BigId,
    Bytes,
    UtcDateTime,
    metadata,
)

# Append-only: triggers refuse UPDATE, DELETE and TRUNCATE, and the app role has SELECT and INSERT only
# (docs/log.md §6). `body` is the truth; every other column but `mac` is a copy for querying.
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("stream", sa.String(80), nullable=False),
    sa.Column("stream_seq", sa.BigInteger, nullable=False),
    sa.Column("event", sa.String(80), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("reason_code", sa.String(64)),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("body", Bytes, nullable=False),
    sa.Column("leaf_hash", Bytes, nullable=False),
    sa.Column("mac", Bytes, nullable=False),
    sa.UniqueConstraint("stream", "stream_seq"),
)

# The one mutable audit table: what the sealer has not yet taken (never a cursor: a lower id can commit later).
unsealed = sa.Table(
    "unsealed",
    metadata,
    sa.Column("entry", BigId, primary_key=True, autoincrement=False),
)

# Head of every stream that has no subject row of its own (a case keeps its head in its own row).
streams = sa.Table(
    "streams",
    metadata,
    sa.Column("stream", sa.String(80), primary_key=True),
    sa.Column("last_entry_at", UtcDateTime, nullable=False),
    sa.Column("audit_seq", sa.BigInteger, nullable=False),
    sa.Column("audit_head", Bytes, nullable=False),
)

# Texts of published charts and policies by digest, so that a replay can use what was in force then. Append-only.
texts = sa.Table(
    "texts",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # chart | policy
    sa.Column("name", sa.String(64), nullable=False),  # overdue_loan@1 | 2024-01-01
    sa.Column("body", Bytes, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("kind", "name"),
)

# Openings (salt and value, sealed) of the commitments in entries; erasure deletes rows here, never an entry. `subject`
# names the key they are sealed with; none: the branch's own.
openings = sa.Table(
    "openings",
    metadata,
    sa.Column("stream", sa.String(80), primary_key=True),
    sa.Column("stream_seq", sa.BigInteger, primary_key=True),
    sa.Column("field", sa.String(64), primary_key=True),
    sa.Column("sealed", Bytes, nullable=False),
    sa.Column("subject", sa.String(80)),
)

# A key per borrower (`borrower:<institution>~<number>`), wrapped with the branch's; erasure deletes it (decision 0020).
opening_keys = sa.Table(
    "opening_keys",
    metadata,
    sa.Column("subject", sa.String(80), primary_key=True),
    sa.Column("wrapped", Bytes, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
)

# Where the entries `privacy.erased` are: verification reads them before it judges openings, the feed asks whose data it
# may not bring back. They are erased until a case of theirs with a higher id than `cases_until` opens. Append-only.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("stream", sa.String(80), primary_key=True),
    sa.Column("stream_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("cases_until", sa.BigInteger, nullable=False),
    sa.Column("erased_at", UtcDateTime, nullable=False),
    sa.Index("ix_erasures_borrower", "borrower_id"),
)

# Fingerprints of the keys this database was written with, so that a wrong key file is reported, not guessed.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("purpose", sa.String(32), primary_key=True),
    sa.Column("fingerprint", sa.String(32), nullable=False),
)

# The logs that this database has been, one after the other: the last is the present one. A second begins only after
# a loss (a restored backup, a lost key); the first leaf of each is the entry that says what it is. Append-only.
logs = sa.Table(
    "logs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("origin", sa.String(255), nullable=False),
    sa.Column("begun_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("origin"),
)

# What the sealer has taken: the tree's leaves, from 0 without a hole. Append-only.
leaves = sa.Table(
    "leaves",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.BigInteger, nullable=False),  # no foreign key: what a lost entry leaves behind is evidence
    sa.Column("leaf_hash", Bytes, nullable=False),
    sa.UniqueConstraint("log", "entry"),
)

# Full tiles (tlog-tiles, 256 hashes). Partial ones are made of leaves, or of the `root`s of tiles one level below.
tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", Bytes, nullable=False),
    sa.Column("hashes", Bytes, nullable=False),
)

# Signed checkpoints as they were published. Append-only.
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", Bytes, nullable=False),
    sa.Column("note", Bytes, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
)

# What witnesses have signed of published checkpoints: their signature line, under which key, and the time it states
# (seconds since 1970). Append-only.
cosignatures = sa.Table(
    "cosignatures",
    metadata,
    sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", sa.String(255), primary_key=True),
    sa.Column("line", Bytes, nullable=False),
    sa.Column("cosigned_at", sa.BigInteger, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
)
