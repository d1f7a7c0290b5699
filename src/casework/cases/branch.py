"""The branch as the service holds it: its rulebook and its keys; what every command needs besides a connection."""

from dataclasses import dataclass
from datetime import datetime

from casework.audit.trail import Trail
from casework.cases.rulebook import Rulebook
from casework.personal import Vault


@dataclass(frozen=True)
class Branch:
    """Loaded once per process; safe to share between threads."""

    rulebook: Rulebook
    vault: Vault
    mac_key: bytes

    def trail(self, now: datetime) -> Trail:
        """A fresh writer of entries for one transaction."""
        return Trail(self.mac_key, self.vault, now)

    @property
    def time_zone(self) -> str:
        """The branch's time zone (policy `branch.time_zone`)."""
        return str(self.rulebook.policies.all[-1].figure("branch.time_zone"))
