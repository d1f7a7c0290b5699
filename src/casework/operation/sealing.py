"""The sealer of a branch with all that is looked after in its rounds: what the slices want done beside sealing."""

from casework.clock import now
from casework.evidence.dossier.heads import DailyHeads
from casework.evidence.search.index import Indexer
from casework.log.write.receipt_keys import Announcing
from casework.log.write.seal import SEALER, Chore, Sealer
from casework.operation.startup import Started


def sealer_of(started: Started) -> Sealer:
    """The sealer of an opened branch."""
    branch, settings = started.branch, started.settings
    before: list[Chore] = [
        Announcing(started.engine, settings.keys_dir, lambda: branch.trail(now()), SEALER),
        DailyHeads(started.engine, branch),
    ]
    after: list[Chore] = [Indexer(started.engine).chore]
    return Sealer(started.engine, branch.mac_key, branch.vault, settings.keys_dir, before=before, after=after)
