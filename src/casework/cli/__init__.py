"""The shell: `casework GROUP COMMAND`, one file per noun.

Exit codes: 0 done, 1 refused or failed with its reason, 2 usage.
"""

from casework.cli.main import main, run

__all__ = ["main", "run"]
