"""The loans on the books, as the feed keeps them: whose each is."""

import sqlalchemy as sa

from casework.storage.database import Bytes, metadata

loans = sa.Table(
    "loans",
    metadata,
    sa.Column("loan_id", sa.String(64), primary_key=True),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("product", sa.String(32)),
    sa.Column("channel_code", sa.String(32)),
    sa.Column("owner_staff_no", sa.String(32)),
    sa.Column("team", sa.String(64)),
    sa.Column("region", sa.String(64)),
    sa.Column("disbursed_on", sa.Date),
    sa.Column("self_payment", sa.Boolean),
    sa.Column("principal_fen", sa.BigInteger),
    sa.Column("outstanding_principal_fen", sa.BigInteger),
    sa.Column("risk_class", sa.String(32)),
    sa.Column("npl_since", sa.Date),
    sa.Column("status", sa.String(16)),  # as the bank says: on_book, written_off, transferred, closed
    sa.Column("row_hash", Bytes, nullable=False),  # of the feed's row, so that an unchanged row costs nothing
    sa.Column("omitted_on", sa.Date),  # day of the loans file that left the loan out; none while the last one has it
    sa.Column("mac", Bytes, nullable=False),  # over the row (`feed.row_mac`)
    sa.Index("ix_loans_borrower", "borrower_id"),
)
