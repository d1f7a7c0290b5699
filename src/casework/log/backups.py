"""Where the log tells of backups: `db backup` writes there, erasure says from there what it cannot reach. Pure."""

from typing import Final

BACKUPS: Final = "branch:backups"
BACKED_UP: Final = "branch.backed_up"
