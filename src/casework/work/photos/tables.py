"""One row a photo, its look in parts by which it is found again, and files that are to go."""

from typing import Final

import sqlalchemy as sa

from casework.storage.database import BigId, Bytes, UtcDateTime, metadata

photos = sa.Table(
    "photos",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("visit_id", sa.BigInteger, nullable=False),
    sa.Column("case_id", sa.BigInteger, nullable=False),
    sa.Column("institution", sa.String(32), nullable=False),
    sa.Column("borrower_id", sa.String(64), nullable=False),
    sa.Column("photo", sa.String(71), nullable=False),  # sha256: of the file as it came
    sa.Column("look", Bytes, nullable=False),  # 32 bytes
    sa.Column("shows", sa.String(32), nullable=False),
    sa.Column("media_type", sa.String(32), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("taken_at", UtcDateTime, nullable=False),
    sa.Column("place_sealed", Bytes, nullable=False),  # `capture.Capture`: where, with what, who says so
    sa.Column("sent_by", sa.String(32), nullable=False),
    sa.Column("sent_at", UtcDateTime, nullable=False),
    sa.Column("stored_as", sa.String(64), nullable=False),
)
sa.Index("uq_photos_photo", photos.c.photo, unique=True)
sa.Index("ix_photos_visit", photos.c.visit_id, photos.c.id)
sa.Index("ix_photos_borrower", photos.c.borrower_id, photos.c.id)

photo_bands = sa.Table(
    "photo_bands",
    metadata,
    sa.Column("band", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("photo_id", sa.BigInteger, primary_key=True, autoincrement=False),
)
sa.Index("ix_photo_bands_photo", photo_bands.c.photo_id)

files_to_drop = sa.Table(
    "files_to_drop",
    metadata,
    sa.Column("stored_as", sa.String(64), primary_key=True),
    sa.Column("since", UtcDateTime, nullable=False),
)

PHOTO_COLUMNS: Final = tuple(column.name for column in photos.c)[1:]
PREVIEW: Final = ".preview"
"""Under what name beside a file its preview lies."""
