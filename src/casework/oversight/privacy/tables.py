"""Legal holds that are open: a row each, as the entries of the borrower's stream have left them."""

import sqlalchemy as sa

from casework.storage.database import metadata

legal_holds = sa.Table(
    "legal_holds",
    metadata,
    sa.Column("institution", sa.String(32), primary_key=True),
    sa.Column("borrower_id", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),  # a key of rules/privacy.toml
    sa.Column("stream_seq", sa.BigInteger, nullable=False),  # the entry that placed it
)
