"""What is kept of a day: what people handed in, what was issued, how cases stood at its close.

Rows never change; they have numbers of loans and name no customer.
"""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import Bytes, UtcDateTime, metadata

LEDGER, SUPPLEMENT, REPORT = "ledger", "supplement", "report"
CLOSE: Final = "close"
"""How the cases of an institution (in `owed_by`) stood when the day was closed."""
FIGURES: Final = ("due", "done", "late", "exempt", "open", "contacts")
"""How many duties there were and what became of them, and how many contacts."""

hand_ins = sa.Table(
    "hand_ins",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("owed_by", sa.String(32), primary_key=True),  # whose: a member of staff, a post, or an institution
    sa.Column("part", sa.String(16), primary_key=True),
    sa.Column("handed_in_by", sa.String(64), nullable=False),
    sa.Column("handed_in_at", UtcDateTime, nullable=False),
    sa.Column("is_late", sa.Boolean, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in FIGURES),
    sa.Column("digest", Bytes, nullable=False),  # SHA-256 of the content; the entry has it too
    sa.Column("content", Bytes, nullable=False),  # JSON of `ledger.lines.Part`, or of a report; zlib
    sa.Column("stream_seq", sa.BigInteger, nullable=False),  # of that entry
)
