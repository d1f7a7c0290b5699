"""${message[0].upper() + message[1:]}."""

import sqlalchemy as sa
from alembic import op

from casework.storage.append_only import append_only_ddl
from casework.storage.database import BigId, Bytes, UtcDateTime

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """${message[0].upper() + message[1:]}."""
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Undo it."""
    ${downgrades if downgrades else "raise NotImplementedError"}
