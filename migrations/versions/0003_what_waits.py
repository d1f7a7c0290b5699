"""An index of judicial disposal forms by state: what waits for a review, or to be put right, is a task each morning."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows stay as they are."""
    op.create_index("ix_disposals_state", "disposals", ["state", "id"])


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_disposals_state", "disposals")
